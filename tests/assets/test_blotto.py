"""blotto.wasm against a second Colonel Blotto, written here from the rules in blotto.h and blotto.c."""

from __future__ import annotations

import json
import random
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import product
from statistics import mean
from typing import Any

import pytest

from engine.core.paths import assets_dir
from engine.league.config import DEFAULT_BUDGET
from engine.league.match import Outcome
from engine.league.trace import Trace

ROUNDS, FIELDS, SOLDIERS = 50, 6, 100
AGENTS = ["bully", "counter", "even", "mixer", "proportional"]

ANY_ACTION = """
#include "blotto.h"
NETS_MAILBOX(mail, 1024)
static u64 mixed = 1;
NETS_EXPORT(decide) i64 decide(i64 packed) {
    i32 weight[BLOTTO_FIELDS], soldiers[BLOTTO_FIELDS];
    for (i32 field = 0; field < BLOTTO_FIELDS; field++) {
        mixed = (mixed ^ (u64)packed) * 0x2545F4914F6CDD1Dull;
        weight[field] = (i32)(mixed >> 61) * (i32)(mixed >> 58 & 7) + (field == 3);
    }
    blotto_spread(weight, soldiers);
    return blotto_pack(soldiers);
}
"""


def pack(soldiers: Sequence[int]) -> int:
    return sum(count << 7 * field for field, count in enumerate(soldiers))


def unpack(action: int) -> list[int]:
    return [action >> 7 * field & 127 for field in range(FIELDS)]


def any_spread(choose: random.Random) -> list[int]:
    cuts = sorted(choose.randint(0, SOLDIERS) for _ in range(FIELDS - 1))
    return [b - a for a, b in zip([0, *cuts], [*cuts, SOLDIERS], strict=True)]


class Reference:
    """A match as documented: a list of rounds, and every view made anew from it."""

    def __init__(self, seed: int, draws: Any) -> None:
        self.draws = draws(seed)
        self.worth = [2 + 2 * self.draws.below(4) for _ in range(FIELDS)]
        self.over: list[tuple[list[int], list[int]]] = []
        self.placed: list[int] | None = None  # what seat 0 has placed in this round
        self.toss()

    def toss(self) -> None:
        self.coins = [self.draws.word(), self.draws.word()]

    @property
    def done(self) -> bool:
        return len(self.over) == ROUNDS

    @property
    def to_move(self) -> int:
        return int(self.placed is not None)

    def step(self, soldiers: list[int]) -> None:
        if self.placed is None:
            self.placed = soldiers
            return
        self.over.append((self.placed, soldiers))
        self.placed = None
        if not self.done:
            self.toss()

    def won(self, spreads: tuple[list[int], list[int]], seat: int) -> int:
        points = 0
        for worth, own, other in zip(self.worth, spreads[seat], spreads[1 - seat], strict=True):
            points += worth * ((own > other) + (own >= other)) // 2
        return points

    def points(self, seat: int) -> int:
        return sum(self.won(spreads, seat) for spreads in self.over)

    def packed(self, seat: int) -> int:
        theirs = self.over[-1][1 - seat][:-1] if self.over else []
        worth = sum((value // 2 - 1) << 2 * field for field, value in enumerate(self.worth))
        return pack(theirs) | worth << 35 | len(self.over) << 47 | (self.coins[seat] & 2047) << 53

    def row(self, spreads: tuple[list[int], list[int]], seat: int) -> bytes:
        return bytes([*spreads[seat], *spreads[1 - seat], self.won(spreads, seat), self.won(spreads, 1 - seat)])

    def seen(self, seat: int) -> bytes:
        points = self.points(seat), self.points(1 - seat)
        header = struct.pack("<QHHBB", self.packed(seat), *points, len(self.over), ROUNDS)
        rows = b"".join(self.row(spreads, seat) for spreads in self.over)
        return header + bytes(self.worth) + struct.pack("<I", self.coins[seat]) + rows.ljust(ROUNDS * 14, b"\0")

    def state(self) -> bytes:
        nothing = [0] * FIELDS
        now = (self.placed, nothing) if self.placed else self.over[-1] if self.over else (nothing, nothing)
        head = [len(self.over) - self.done, len(self.over), self.to_move, *self.worth, *now[0], *now[1], 0]
        rows = b"".join(self.row(spreads, 0) for spreads in self.over)
        return bytes(head) + struct.pack("<2H", self.points(0), self.points(1)) + rows.ljust(ROUNDS * 14, b"\0")


@pytest.fixture(scope="module")
def blotto(drive: Callable[[str], Any]) -> Any:
    return drive("blotto")


def compare(blotto: Any, reference: Reference) -> None:
    if not reference.done:
        assert blotto.call("to_move") == reference.to_move
        assert blotto.call("observe") % 2**64 == reference.packed(reference.to_move)
        assert blotto.slice("observe_bytes") == reference.seen(reference.to_move)
    assert blotto.slice("state") == reference.state()
    assert blotto.call("is_done") == reference.done
    assert [blotto.call("score", seat) for seat in (0, 1)] == [reference.points(0), reference.points(1)]


def test_random_matches_agree_with_the_second_implementation(blotto: Any, draws: Any) -> None:
    for seed in [*range(20), 2**64 - 1, 2**63]:
        choose = random.Random(seed)
        reference = Reference(seed, draws)
        blotto.call("reset", seed)
        compare(blotto, reference)
        while not reference.done:
            spread = any_spread(choose) if choose.random() < 0.8 else [17, 17, 17, 17, 16, 16]
            assert blotto.call("is_legal", pack(spread)) == 1
            blotto.call("step", pack(spread))
            reference.step(spread)
            compare(blotto, reference)


def test_two_thousand_matches_through_the_referee_agree_too(arena: Any, draws: Any) -> None:
    system, anybody, bully = arena.system("blotto"), arena.build("anybody", ANY_ACTION), arena.agent("blotto", "bully")
    shared = 0
    for seed in range(2000):
        agents = [(anybody, anybody), (anybody, bully), (bully, anybody)][seed % 3]
        result, reference = arena.play(system, agents, seed), Reference(seed, draws)
        for record in Trace(result.trace, 2):
            assert record.seat == reference.to_move
            if record.step % 16 < 2:
                assert record.packed == reference.packed(record.seat)
                assert not record.mailbox or record.observation == reference.seen(record.seat)
            reference.step(unpack(record.action))
        assert reference.done
        assert result.outcome is Outcome.FINISHED
        assert result.scores == (reference.points(0), reference.points(1))
        assert sum(result.scores) == ROUNDS * sum(reference.worth)
        shared += any(a == b for spreads in reference.over for a, b in zip(*spreads, strict=True))
    assert shared > 1000


def test_who_places_second_sees_nothing_of_what_the_first_placed(blotto: Any) -> None:
    choose = random.Random(6)
    for seed in range(8):
        history = [pack(any_spread(choose)) for _ in range(2 * seed)]
        views = set()
        for _ in range(100):
            blotto.call("reset", seed)
            for action in history:
                blotto.call("step", action)
            blotto.call("step", pack(any_spread(choose)))
            assert blotto.call("to_move") == 1
            views.add(blotto.packed() + blotto.slice("observe_bytes"))
        assert len(views) == 1


def test_after_the_round_both_see_both(blotto: Any) -> None:
    one, two = [10, 20, 30, 40, 0, 0], [25, 25, 25, 25, 0, 0]
    blotto.call("reset", 8)
    blotto.call("step", pack(one))
    blotto.call("step", pack(two))
    for own, other in ((one, two), (two, one)):
        view = blotto.slice("observe_bytes")
        assert list(view[24:36]) == own + other
        assert [blotto.call("observe") >> 7 * field & 127 for field in range(5)] == other[:5]
        blotto.call("step", pack(two))


def test_a_coin_is_shown_to_its_own_seat_alone(draws: Any) -> None:
    """The coins of a seat are even, and say nothing of the other's or of those to come."""
    words = []
    for seed in range(1500):
        reference = Reference(seed, draws)
        words.append(tuple(reference.coins))
    for cut in (lambda c: c[0], lambda c: c[1], lambda c: c[0] ^ c[1]):
        assert abs(mean(cut(c) for c in words) / 2**32 - 0.5) < 5 / (12 * 1500) ** 0.5


def test_the_seed_shows_only_in_worth_and_coin(blotto: Any) -> None:
    worths, rest = Counter[int](), set()
    for seed in range(400):
        blotto.call("reset", seed)
        view = blotto.slice("observe_bytes")
        assert blotto.packed() == view[:8]
        worths.update(view[14:20])
        packed = int.from_bytes(view[:8], "little")
        rest.add((packed & 2**35 - 1, packed >> 47 & 63, view[8:14], view[24:]))
    assert len(rest) == 1
    assert set(worths) == {2, 4, 6, 8}
    assert min(worths.values()) > 500


def test_only_spreads_of_all_soldiers_are_legal(blotto: Any) -> None:
    choose = random.Random(2)
    blotto.call("reset", 1)
    for _ in range(1500):
        word = choose.getrandbits(64)
        legal = word >> 42 == 0 and sum(unpack(word)) == SOLDIERS
        assert blotto.call("is_legal", word) == legal
        spread = any_spread(choose)
        assert blotto.call("is_legal", pack(spread)) == 1
        assert blotto.call("is_legal", pack(spread) | 1 << choose.randrange(42, 64)) == 0
        spread[choose.randrange(FIELDS)] += choose.choice([1, 2])
        assert blotto.call("is_legal", pack(spread)) == 0
    for short in product((0, 16), repeat=FIELDS):
        assert blotto.call("is_legal", pack(short)) == 0


def test_no_step_traps_and_illegal_ones_change_nothing(blotto: Any) -> None:
    choose = random.Random(4)
    for _ in range(20):
        blotto.call("reset", choose.getrandbits(64))
        for _ in range(600):
            before = blotto.slice("state")
            action = choose.choice([pack(any_spread(choose)), choose.getrandbits(64), choose.getrandbits(42)])
            legal = blotto.call("is_legal", action) and not blotto.call("is_done")
            blotto.call("step", action)
            assert (blotto.slice("state") != before) == legal
            assert 0 <= blotto.call("to_move") <= 1
            blotto.slice("observe_bytes")
        assert blotto.call("is_done") == 1
    assert [blotto.call("score", seat) for seat in (2, -1)] == [0, 0]


def test_the_description_fits_the_bytes(blotto: Any) -> None:
    described = json.loads((assets_dir() / "systems" / "blotto.json").read_text("utf-8"))
    state = described["state"]
    assert state["length"] == len(blotto.slice("state")) == state["history"]["rows_offset"] + ROUNDS * 14
    assert described["score_max"] == ROUNDS * FIELDS * 8
    assert described["max_steps"] == 2 * ROUNDS
    assert [(part["shift"], part["bits"]) for part in described["action"]["parts"]] == [(7 * f, 7) for f in range(6)]


# ---------------------------------------------------------------------------------------------------------------------
# Agents


def share(arena: Any, one: str, two: str, matches: int = 40) -> float:
    """What part of all points agent ONE takes from TWO, seats swapped."""
    system, a, b = arena.system("blotto"), arena.agent("blotto", one), arena.agent("blotto", two)
    own = other = 0
    for seed in range(matches):
        first, second = arena.play(system, (a, b), seed, False).scores
        back_second, back_first = arena.play(system, (b, a), seed, False).scores
        own, other = own + first + back_first, other + second + back_second
    return own / (own + other)


def test_the_strong_beat_the_weak(arena: Any) -> None:
    assert share(arena, "proportional", "even") > 0.6
    assert share(arena, "bully", "proportional") > 0.7
    for victim in ("even", "proportional", "bully"):
        assert share(arena, "counter", victim) > 0.8


def test_nobody_gets_far_ahead_of_the_mixer(arena: Any) -> None:
    for other in AGENTS:
        assert 0.45 < share(arena, "mixer", other) < 0.6


def test_seats_are_alike(arena: Any) -> None:
    system = arena.system("blotto")
    for one, two in product(("even", "bully", "counter"), repeat=2):
        a, b = arena.agent("blotto", one), arena.agent("blotto", two)
        assert arena.play(system, (a, b), 3, False).scores == arena.play(system, (b, a), 3, False).scores[::-1]


def test_agents_finish_far_below_the_usual_budget_and_repeat(arena: Any) -> None:
    system = arena.system("blotto")
    assert sorted(path.stem for path in (assets_dir() / "agents" / "blotto").glob("*.wasm")) == AGENTS
    for one, two in product(AGENTS, AGENTS):
        agents = (arena.agent("blotto", one), arena.agent("blotto", two))
        result = arena.play(system, agents, 9)
        assert (result.outcome, result.cause) == (Outcome.FINISHED, None)
        assert max(record.gas_used for record in Trace(result.trace, 2)) < DEFAULT_BUDGET // 4
        assert arena.play(system, agents, 9) == result


def test_only_the_counter_reads_the_mail(arena: Any) -> None:
    assert [name for name in AGENTS if arena.agent("blotto", name).mailbox] == ["counter"]
