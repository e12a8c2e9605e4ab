"""rps.wasm against a second rock-paper-scissors, written here from the rules in rps.h; its agents among themselves."""

from __future__ import annotations

import json
import random
import struct
from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import product
from statistics import mean
from typing import Any

import pytest

from engine.core.paths import assets_dir
from engine.league.config import DEFAULT_BUDGET
from engine.league.match import MatchResult, Outcome
from engine.league.trace import Trace

ROUNDS = 200
NONE = 3
NAMES = ["rock", "paper", "scissors"]
BEATS = {("paper", "rock"), ("scissors", "paper"), ("rock", "scissors")}
AGENTS = ["copycat", "counter", "dice", "historian", "markov", "rock", "rotator"]

ANY_MOVE = """
#include "rps.h"
NETS_MAILBOX(mail, 512)
static u64 mixed;
NETS_EXPORT(decide) i64 decide(i64 packed) {
    mixed = (mixed ^ (u64)packed) * 0x2545F4914F6CDD1Dull;
    return (i64)((mixed >> 32) % 3);
}
"""


class Reference:
    """A match as documented, slow and plain: the rounds, and every view made anew from them."""

    def __init__(self, seed: int, draws: Any) -> None:
        self.rounds: list[tuple[int, int]] = []
        self.words = draws(seed)
        self.aside: int | None = None
        self.coins = self.words.word()

    @property
    def done(self) -> bool:
        return len(self.rounds) == ROUNDS

    @property
    def to_move(self) -> int:
        return 0 if self.aside is None else 1

    def won(self, at: int, seat: int) -> int:
        own, other = NAMES[self.rounds[at][seat]], NAMES[self.rounds[at][1 - seat]]
        return ((own, other) in BEATS) - ((other, own) in BEATS)

    def points(self, seat: int) -> int:
        return sum(self.won(at, seat) for at in range(len(self.rounds)))

    def step(self, action: int) -> None:
        if self.aside is None:
            self.aside = action
        else:
            self.rounds.append((self.aside, action))
            self.aside = None
            self.coins = self.words.word()

    def seen(self, seat: int) -> bytes:
        rows = b"".join(bytes([pair[seat], pair[1 - seat]]) for pair in self.rounds)
        own, theirs = rows[-2:] or (NONE, NONE)
        coin = self.coins >> 16 * seat & 0xFFFF
        header = struct.pack("<4BhH", theirs, own, len(self.rounds), ROUNDS, self.points(seat), coin)
        return header + rows.ljust(ROUNDS * 2, b"\0")

    def state(self) -> bytes:
        rows = b"".join(
            struct.pack("<2B2b", *pair, self.won(n, 0), self.won(n, 1)) for n, pair in enumerate(self.rounds)
        )
        aside = NONE if self.aside is None else self.aside
        header = struct.pack("<4B2h", len(self.rounds), self.to_move, aside, 0, self.points(0), self.points(1))
        return header + rows.ljust(ROUNDS * 4, b"\0")


@pytest.fixture(scope="module")
def rps(drive: Callable[[str], Any]) -> Any:
    return drive("rps")


def compare(rps: Any, reference: Reference) -> None:
    seen = reference.seen(reference.to_move)
    assert rps.call("to_move") == reference.to_move
    assert rps.slice("observe_bytes") == seen
    assert rps.packed() == seen[:8]
    assert rps.slice("state") == reference.state()
    assert rps.call("is_done") == reference.done
    assert [rps.call("score", seat) for seat in (0, 1)] == [reference.points(0), reference.points(1)]


def play_both(rps: Any, seed: int, draws: Any, actions: list[int]) -> Reference:
    reference = Reference(seed, draws)
    rps.call("reset", seed)
    for action in actions:
        rps.call("step", action)
        reference.step(action)
    return reference


def test_random_matches_agree_with_the_second_implementation(rps: Any, draws: Any) -> None:
    for seed in [*range(10), 2**64 - 1, 2**63]:
        choose = random.Random(seed)
        reference = Reference(seed, draws)
        rps.call("reset", seed)
        compare(rps, reference)
        while not reference.done:
            action = choose.randrange(3)
            rps.call("step", action)
            reference.step(action)
            compare(rps, reference)


def check_every_step(result: MatchResult, reference: Reference) -> None:
    """Follows a trace with the second implementation and compares every observation."""
    assert result.trace is not None
    for record in Trace(result.trace, 2):
        seen = reference.seen(reference.to_move)
        assert (record.seat, record.packed) == (reference.to_move, int.from_bytes(seen[:8], "little"))
        assert record.observation == (seen if record.mailbox else seen[:8])
        reference.step(record.action)
    assert reference.done
    assert result.scores == (reference.points(0), reference.points(1))


def test_a_thousand_matches_through_the_referee_agree_too(arena: Any, draws: Any) -> None:
    system, anybody, dice = arena.system("rps"), arena.build("any_move", ANY_MOVE), arena.agent("rps", "dice")
    pairs: Counter[tuple[str, str]] = Counter()
    for seed in range(1000):
        result = arena.play(system, (anybody, dice) if seed % 2 else (dice, anybody), seed)
        if seed % 100 < 2:
            check_every_step(result, Reference(seed, draws))
        shown = [NAMES[record.action] for record in Trace(result.trace, 2)]
        rounds = list(zip(shown[::2], shown[1::2], strict=True))
        won, lost = (sum(pair in BEATS for pair in played) for played in (rounds, [pair[::-1] for pair in rounds]))
        assert (result.steps, result.scores) == (2 * ROUNDS, (won - lost, lost - won))
        pairs.update(rounds)
    assert len(pairs) == 9
    assert min(pairs.values()) > 0.97 * 1000 * ROUNDS / 9


@pytest.mark.parametrize(("own", "other"), list(product(range(3), range(3))))
def test_each_round_pays_what_the_rules_say(rps: Any, own: int, other: int) -> None:
    rps.call("reset", 0)
    rps.call("step", own)
    rps.call("step", other)
    won = (NAMES[own], NAMES[other]) in BEATS
    lost = (NAMES[other], NAMES[own]) in BEATS
    assert [rps.call("score", seat) for seat in (0, 1)] == [won - lost, lost - won]


def test_the_second_sees_nothing_of_what_the_first_shows(rps: Any, draws: Any) -> None:
    for seed in range(200):
        choose = random.Random(seed)
        before = [choose.randrange(3) for _ in range(2 * choose.randrange(12))]
        seen = set()
        for first in range(3):
            play_both(rps, seed, draws, [*before, first])
            assert rps.call("to_move") == 1
            legal = tuple(rps.call("is_legal", action) for action in range(-2, 6))
            seen.add((rps.packed(), rps.slice("observe_bytes"), legal, rps.call("is_done"), rps.call("score", 1)))
        assert len(seen) == 1


def test_only_the_coin_depends_on_the_seed_and_each_sees_its_own(rps: Any, draws: Any) -> None:
    choose = random.Random(4)
    actions = [choose.randrange(3) for _ in range(21)]
    rest, coins, seeds = set(), [], [choose.getrandbits(64) for _ in range(400)]
    for seed in seeds:
        reference = play_both(rps, seed, draws, actions)
        words = []
        for seat in (1, 0):
            assert rps.call("to_move") == seat
            seen = rps.slice("observe_bytes")
            rest.add((seat, seen[:6] + seen[8:]))
            words.append(int.from_bytes(seen[6:8], "little"))
            # Neither the seed nor the coin of the other seat is to be found in what a seat sees.
            assert not any(
                seed.to_bytes(8, order)[at : at + 4] in seen for order in ("little", "big") for at in range(5)
            )
            rps.call("step", 0)
        first = reference.coins % 2**16
        assert words[0] == reference.coins >> 16
        coins.append((first, words[0]))
    assert len({rows for seat, rows in rest if seat == 1}) == 1
    # Even and unrelated: 16 bits of 400 pairs, seen together.
    agree = [bin(~(a ^ b) & 0xFFFF).count("1") for a, b in coins]
    assert 7.6 < mean(agree) < 8.4
    assert 0.45 < mean(a / 65536 for a, _ in coins) < 0.55
    assert 0.45 < mean(b / 65536 for _, b in coins) < 0.55
    assert len({a for a, _ in coins}) > 390


def test_three_actions_are_legal(rps: Any) -> None:
    choose = random.Random(1)
    words = [choose.getrandbits(64) for _ in range(500)] + [choose.randrange(256) << 8 * n for n in range(8)]
    rps.call("reset", 0)
    for word in [*words, *range(-5, 10), 2**63, 2**32, 2**32 + 1]:
        assert rps.call("is_legal", word) == (word in (0, 1, 2))


def test_wrong_actions_change_nothing_and_nothing_traps(rps: Any) -> None:
    for seed in range(10):
        choose = random.Random(seed)
        rps.call("reset", seed)
        legal = 0
        for _ in range(1500):
            action = choose.choice([choose.getrandbits(64), choose.randrange(-4, 6), choose.randrange(3)])
            before = rps.slice("state")
            changes = action in (0, 1, 2) and not rps.call("is_done")
            rps.call("step", action)
            legal += changes
            assert (rps.slice("state") != before) == changes
        assert (legal, rps.call("is_done")) == (2 * ROUNDS, 1)
    assert [rps.call("score", seat) for seat in (2, -1, 2**31 - 1)] == [0, 0, 0]


def test_reset_forgets_the_match_before(rps: Any, draws: Any) -> None:
    play_both(rps, 3, draws, [1, 2, 0, 0, 1])
    compare(rps, play_both(rps, 5, draws, []))


def test_the_description_fits_the_bytes(rps: Any) -> None:
    described = json.loads((assets_dir() / "systems" / "rps.json").read_text("utf-8"))
    state = described["state"]
    rps.call("reset", 1)
    assert state["length"] == len(rps.slice("state")) == state["rows_offset"] + ROUNDS * state["row_size"]
    assert described["max_steps"] == 2 * ROUNDS
    assert (described["score_min"], described["score_max"]) == (-ROUNDS, ROUNDS)
    assert [value["name"] for value in described["action"]["values"]] == NAMES


# ---------------------------------------------------------------------------------------------------------------------
# Agents


@pytest.fixture(scope="module")
def points(arena: Any) -> Callable[[str, str], float]:
    """Mean points a match of one agent against another, over 20 seeds and both seats."""
    system = arena.system("rps")

    @cache
    def of(one: str, two: str) -> float:
        a, b = arena.agent("rps", one), arena.agent("rps", two)
        even = [arena.play(system, (a, b), seed, False).scores[0] for seed in range(20)]
        return mean(even + [arena.play(system, (b, a), seed, False).scores[1] for seed in range(20)])

    return of


def test_agents_finish_far_below_the_usual_budget_and_repeat(arena: Any) -> None:
    system = arena.system("rps")
    assert sorted(path.stem for path in (assets_dir() / "agents" / "rps").glob("*.wasm")) == AGENTS
    for one, two in product(AGENTS, AGENTS):
        agents = (arena.agent("rps", one), arena.agent("rps", two))
        result = arena.play(system, agents, 9)
        assert (result.outcome, result.cause, result.steps) == (Outcome.FINISHED, None, 2 * ROUNDS)
        assert max(record.gas_used for record in Trace(result.trace, 2)) < DEFAULT_BUDGET // 2
        assert arena.play(system, agents, 9) == result


def test_only_the_historian_reads_the_mail(arena: Any) -> None:
    assert [name for name in AGENTS if arena.agent("rps", name).mailbox] == ["historian"]


def test_seeds_make_different_matches(arena: Any) -> None:
    system, agents = arena.system("rps"), (arena.agent("rps", "markov"), arena.agent("rps", "counter"))
    assert len({arena.play(system, agents, seed).trace_root for seed in range(20)}) == 20


@pytest.mark.parametrize("opponent", AGENTS)
def test_nobody_wins_from_the_dice(points: Callable[[str, str], float], opponent: str) -> None:
    # The points of a match against the equilibrium have mean 0 and variance 2/3 a round: 4 deviations of 40 matches.
    assert abs(points("dice", opponent)) < 4 * (2 / 3 * ROUNDS / 40) ** 0.5


def test_who_reads_the_opponent_beats_who_can_be_read(points: Callable[[str, str], float]) -> None:
    for victim in ("rock", "copycat", "rotator"):
        assert points("markov", victim) > 90
        assert points("historian", victim) > 90
    assert points("counter", "rock") > 190
    assert points("markov", "counter") > 40
    assert points("historian", "markov") > 20
    assert points("historian", "counter") > 90


def test_the_agents_differ_in_strength(points: Callable[[str, str], float]) -> None:
    totals = {one: sum(points(one, two) for two in AGENTS if two != one) for one in AGENTS}
    ranked = sorted(totals, key=lambda name: -totals[name])
    assert ranked[:2] == ["historian", "markov"]
    assert totals["rock"] < 0
    assert totals["dice"] > totals["rock"]
