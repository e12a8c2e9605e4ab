"""The sample agents through the real gate, sandbox and hasher: they play as their sources say."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import mean

import pytest

from engine.core.paths import assets_dir
from engine.league.config import DEFAULT_BUDGET
from engine.league.gate import SyncGate
from engine.league.gate.verdict import AgentImage, SystemImage
from engine.league.hasher import Hasher
from engine.league.match import MatchRequest, MatchResult, Outcome, run_match
from engine.league.sandbox import Sandbox
from engine.league.trace import Trace

AGENTS = sorted(path.stem for path in (assets_dir() / "agents" / "snake").glob("*.wasm"))
SEEDS = range(30)


class Arena:
    """Plays the shipped agents on the shipped snake."""

    def __init__(self, gate: SyncGate, sandbox: Sandbox) -> None:
        self.gate, self.sandbox, self.hasher = gate, sandbox, Hasher()
        self.system: SystemImage = gate.check_file(assets_dir() / "systems" / "snake.wasm", "system").system()

    def agent(self, name: str) -> AgentImage:
        return self.gate.check_file(assets_dir() / "agents" / "snake" / f"{name}.wasm").agent()

    def play(self, name: str, seed: int) -> MatchResult:
        return run_match(
            MatchRequest(self.system, (self.agent(name),), seed, DEFAULT_BUDGET), self.sandbox, self.hasher
        )


@pytest.fixture(scope="module")
def arena() -> Iterator[Arena]:
    with SyncGate() as gate, Sandbox() as sandbox:
        yield Arena(gate, sandbox)


def test_there_are_at_least_six() -> None:
    assert {"greedy", "wall_follower", "cautious", "drunkard", "trapper", "looper"} <= set(AGENTS)


@pytest.mark.parametrize("name", AGENTS)
def test_a_match_repeats_to_the_byte(arena: Arena, name: str) -> None:
    first, second = arena.play(name, 5), arena.play(name, 5)
    assert first.commitment is not None
    assert first == second


@pytest.mark.parametrize(
    ("name", "cause"), [("trapper", "TRAP UNREACHABLE"), ("looper", "OUT_OF_GAS")], ids=["trapper", "looper"]
)
def test_hostile_agents_play_six_steps_and_lose(arena: Arena, name: str, cause: str) -> None:
    for seed in SEEDS:
        result = arena.play(name, seed)
        assert (result.outcome, result.cause, result.seat) == (Outcome.LOSS, cause, 0)
        assert (result.steps, result.scores) == (7, (0,))


@pytest.mark.parametrize("name", sorted({*AGENTS} - {"trapper", "looper"}))
def test_honest_agents_finish_far_below_the_usual_budget(arena: Arena, name: str) -> None:
    for seed in SEEDS:
        result = arena.play(name, seed)
        assert (result.outcome, result.cause) == (Outcome.FINISHED, None)
        assert result.trace is not None
        assert max(record.gas_used for record in Trace(result.trace, 1)) < DEFAULT_BUDGET // 2


def test_the_clever_beat_the_simple(arena: Arena) -> None:
    score = {name: mean(arena.play(name, seed).scores[0] for seed in SEEDS) for name in AGENTS}
    assert score["cautious"] > 25
    assert score["cautious"] > score["wall_follower"] > score["greedy"] > score["drunkard"]


def test_the_cautious_survive(arena: Arena) -> None:
    assert {arena.play("cautious", seed).steps for seed in SEEDS} == {300}
    assert {arena.play("sweeper", seed).steps for seed in SEEDS} == {300}


def test_only_cautious_asks_for_the_board(arena: Arena) -> None:
    assert [name for name in AGENTS if arena.agent(name).mailbox] == ["cautious"]


def test_the_drunkard_wanders_differently_in_other_matches(arena: Arena) -> None:
    # Some seeds share the place of the first apple, and then the short walk too.
    assert len({arena.play("drunkard", seed).trace_root for seed in SEEDS}) > 20
