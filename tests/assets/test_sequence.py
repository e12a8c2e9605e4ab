"""sequence.wasm against a second implementation, written here from the rules in sequence.c and sequence.h."""

from __future__ import annotations

import json
import random
import struct
from collections import Counter
from collections.abc import Callable
from itertools import chain
from statistics import mean
from typing import Any

import pytest

from engine.core.paths import assets_dir
from engine.league.config import DEFAULT_BUDGET
from engine.league.match import Outcome
from engine.league.trace import Trace

STEPS = 500
UNSEEN = 255
PERIODIC, MARKOV, FEEDBACK, SWITCHING = range(4)
AGENTS = ["council", "majority", "markov", "metronome", "repeater"]

ANY_ACTION = """
#include "sequence.h"
NETS_MAILBOX(mail, 1024)
static u64 mixed = 1;
NETS_EXPORT(decide) i64 decide(i64 packed) {
    mixed = (mixed ^ (u64)packed) * 0x2545F4914F6CDD1Dull;
    return (i64)((mixed >> 40) % (u64)sequence_alphabet(packed));
}
"""


class Reference:
    """The process as documented: the whole past is a list, the oldest symbol first."""

    def __init__(self, seed: int, draws: Any) -> None:
        self.draws = draws(seed)
        self.size = 2 + self.draws.below(2)
        self.family = self.draws.below(4)
        self.noise = self.chance = self.active = 0
        self.tables: list[list[int]] = []
        self.before: list[int] = []
        [self.periodic, self.markov, self.feedback, self.switching][self.family]()
        self.played: list[int] = []
        self.predicted: list[int] = []

    def symbols(self, count: int) -> list[int]:
        return [self.draws.below(self.size) for _ in range(count)]

    def periodic(self) -> None:
        self.reach = 2 + self.draws.below(11)
        self.noise = self.draws.below(64)
        self.pattern = self.symbols(self.reach)
        if len(set(self.pattern)) == 1:
            self.pattern[0] = (self.pattern[0] + 1) % self.size

    def markov(self) -> None:
        self.reach = 1 + self.draws.below(3)
        self.noise = 16 + self.draws.below(112)
        self.tables = [self.symbols(self.size**self.reach)]
        self.before = self.symbols(self.reach)[::-1]

    def feedback(self) -> None:
        self.reach = 3 + self.draws.below(6)
        self.coefficients = [*self.symbols(self.reach - 1), 1 + self.draws.below(self.size - 1)]
        self.before = self.symbols(self.reach)[::-1]
        if not any(self.before):
            self.before[-1] = 1

    def switching(self) -> None:
        self.reach = 1 + self.draws.below(2)
        self.noise = self.draws.below(64)
        self.chance = 4 + self.draws.below(13)
        self.tables = [self.symbols(self.size**self.reach) for _ in range(2)]
        self.before = self.symbols(self.reach)[::-1]

    def next_symbol(self) -> int:
        past = [*self.before, *self.played[-8:]][::-1]
        if self.family == FEEDBACK:
            return sum(c * symbol for c, symbol in zip(self.coefficients, past, strict=False)) % self.size
        if self.family == PERIODIC:
            expected = self.pattern[len(self.played) % self.reach]
        else:
            if self.family == SWITCHING and self.draws.below(256) < self.chance:
                self.active = 1 - self.active
            context = sum(symbol * self.size**age for age, symbol in enumerate(past[: self.reach]))
            expected = self.tables[self.active][context]
        return self.draws.below(self.size) if self.draws.below(256) < self.noise else expected

    def step(self, prediction: int) -> None:
        self.played.append(self.next_symbol())
        self.predicted.append(prediction)

    @property
    def done(self) -> bool:
        return len(self.played) == STEPS

    @property
    def right(self) -> int:
        return sum(a == b for a, b in zip(self.played, self.predicted, strict=True))

    def packed(self) -> int:
        recent = sum(symbol << 2 * age for age, symbol in enumerate(self.played[:-25:-1]))
        return recent | len(self.played) << 48 | self.size << 58

    def seen(self, right: int) -> bytes:
        return struct.pack("<QHH", self.packed(), right, STEPS) + bytes(self.played).ljust(STEPS, bytes([UNSEEN]))

    def state(self) -> bytes:
        header = (self.family, self.size, self.reach, self.noise, self.active, self.chance)
        rows = b"".join(bytes([a, b, a == b]) for a, b in zip(self.played, self.predicted, strict=True))
        return struct.pack("<6BHH", *header, len(self.played), self.right) + rows.ljust(3 * STEPS, b"\0")


@pytest.fixture(scope="module")
def sequence(drive: Callable[[str], Any]) -> Any:
    return drive("sequence")


def compare(sequence: Any, reference: Reference) -> None:
    assert sequence.call("observe") == reference.packed()
    assert sequence.slice("observe_bytes") == reference.seen(reference.right)
    assert sequence.slice("state") == reference.state()
    assert sequence.call("is_done") == reference.done
    assert sequence.call("score", 0) == reference.right
    legal = [sequence.call("is_legal", action) for action in (-1, 0, 1, 2, 3)]
    assert legal == [0, 1, 1, reference.size == 3, 0]


def test_random_matches_agree_with_the_second_implementation(sequence: Any, draws: Any) -> None:
    for seed in [*range(24), 2**64 - 1, 2**63]:
        choose = random.Random(seed)
        reference = Reference(seed, draws)
        sequence.call("reset", seed)
        compare(sequence, reference)
        while not reference.done:
            action = choose.randrange(reference.size)
            sequence.call("step", action)
            reference.step(action)
            if reference.done or choose.random() < 0.2 or len(reference.played) < 30:
                compare(sequence, reference)


@pytest.mark.slow
def test_two_thousand_matches_through_the_referee_agree_too(arena: Any, draws: Any) -> None:
    system, anybody, kinds = arena.system("sequence"), arena.build("anybody", ANY_ACTION), Counter[tuple[int, int]]()
    for seed in range(2000):
        result = arena.play(system, (anybody,), seed)
        reference, right = Reference(seed, draws), 0
        for record in Trace(result.trace, 1):
            if record.step % 8 == seed % 8:
                assert record.packed == reference.packed()
                assert record.observation == reference.seen(right)
            reference.step(record.action)
            right += reference.played[-1] == record.action
        assert reference.done
        assert (result.outcome, result.scores) == (Outcome.FINISHED, (right,))
        kinds[reference.family, reference.size] += 1
    assert len(kinds) == 8
    assert min(kinds.values()) > 180


def test_what_is_to_come_depends_on_no_prediction_and_never_shows(sequence: Any, draws: Any) -> None:
    for seed in range(40):
        always = []
        for action in (0, 1):
            sequence.call("reset", seed)
            for played in range(60):
                view = sequence.slice("observe_bytes")
                assert set(view[12 + played :]) == {UNSEEN}
                sequence.call("step", action)
            always.append(sequence.slice("observe_bytes")[12:72])
        assert always[0] == always[1]


def test_the_seed_shows_only_in_the_symbols(sequence: Any) -> None:
    """Before the first symbol there are two views, one an alphabet."""
    views = set()
    for seed in range(300):
        sequence.call("reset", seed)
        views.add(sequence.slice("observe_bytes"))
        assert sequence.slice("observe_bytes")[:8] == sequence.packed()
    assert len(views) == 2
    starts = set()
    for seed in range(300):
        sequence.call("reset", seed)
        for _ in range(24):
            sequence.call("step", 0)
        starts.add(sequence.call("observe"))
    assert len(starts) > 250


def test_symbols_are_legal_and_all_other_words_are_not(sequence: Any) -> None:
    choose = random.Random(2)
    words = [choose.getrandbits(64) for _ in range(2000)] + [1 << n for n in range(2, 64)] + [2**64 - 1, 3]
    for seed in range(4):
        sequence.call("reset", seed)
        assert not any(sequence.call("is_legal", word) for word in words if word > 2)


def test_no_step_traps_and_illegal_ones_change_nothing(sequence: Any) -> None:
    choose = random.Random(4)
    for _ in range(20):
        sequence.call("reset", choose.getrandbits(64))
        for _ in range(1200):
            before = sequence.slice("state")
            action = choose.choice([0, 1, choose.getrandbits(64), choose.getrandbits(2)])
            legal = sequence.call("is_legal", action) and not sequence.call("is_done")
            sequence.call("step", action)
            assert (sequence.slice("state") != before) == legal
        assert sequence.call("is_done") == 1
    assert sequence.call("to_move") == 0
    assert [sequence.call("score", seat) for seat in (1, -1)] == [0, 0]


def test_reset_forgets_the_match_before(sequence: Any, draws: Any) -> None:
    for seed in (3, 4, 5, 3):
        sequence.call("reset", seed)
        compare(sequence, Reference(seed, draws))
        for _ in range(50):
            sequence.call("step", 1)


def test_the_description_fits_the_bytes(sequence: Any) -> None:
    described = json.loads((assets_dir() / "systems" / "sequence.json").read_text("utf-8"))
    state = described["state"]
    assert state["length"] == len(sequence.slice("state")) == state["rows_offset"] + STEPS * state["row_size"]
    assert described["max_steps"] == described["score_max"] == STEPS
    ends = [field["offset"] + field["size"] for field in state["fields"]]
    assert [0, *ends] == [*(field["offset"] for field in state["fields"]), state["rows_offset"]]


# ---------------------------------------------------------------------------------------------------------------------
# Agents


@pytest.fixture(scope="module")
def scores(arena: Any, draws: Any) -> dict[str, dict[int, list[int]]]:
    """Points by agent and family of process, over the same seeds."""
    system = arena.system("sequence")
    found: dict[str, dict[int, list[int]]] = {name: {family: [] for family in range(4)} for name in AGENTS}
    for seed in range(120):
        family = Reference(seed, draws).family
        for name in AGENTS:
            found[name][family].append(arena.play(system, (arena.agent("sequence", name),), seed, False).scores[0])
    return found


def test_the_clever_beat_the_simple(scores: dict[str, dict[int, list[int]]]) -> None:
    means = {name: mean(chain(*by_family.values())) for name, by_family in scores.items()}
    assert means["council"] > means["markov"] + 50
    assert means["markov"] > means["majority"] + 50
    assert means["metronome"] > means["majority"] + 50
    assert means["majority"] > means["repeater"] + 20


def test_each_is_good_at_what_it_was_made_for(scores: dict[str, dict[int, list[int]]]) -> None:
    assert mean(scores["council"][FEEDBACK]) > 470
    assert mean(scores["metronome"][PERIODIC]) > mean(scores["markov"][PERIODIC])
    assert mean(scores["markov"][MARKOV]) > mean(scores["metronome"][MARKOV])
    for family in range(4):
        others = (mean(scores[name][family]) for name in AGENTS if name != "council")
        assert mean(scores["council"][family]) > max(others)


def test_agents_finish_far_below_the_usual_budget_and_repeat(arena: Any) -> None:
    system = arena.system("sequence")
    assert sorted(path.stem for path in (assets_dir() / "agents" / "sequence").glob("*.wasm")) == AGENTS
    for name in AGENTS:
        for seed in range(12):
            result = arena.play(system, (arena.agent("sequence", name),), seed)
            assert (result.outcome, result.cause) == (Outcome.FINISHED, None)
            assert max(record.gas_used for record in Trace(result.trace, 1)) < DEFAULT_BUDGET // 4
        assert arena.play(system, (arena.agent("sequence", name),), seed) == result


def test_only_the_council_reads_the_mail(arena: Any) -> None:
    assert [name for name in AGENTS if arena.agent("sequence", name).mailbox] == ["council"]
