"""Playing a batch of matches: a frozen request in, rows out. Runs in a worker process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from engine.core.merkle import EMPTY_TRACE_ROOT
from engine.league.bundle import Bundle
from engine.league.errors import UnplayableError
from engine.league.gate.verdict import AgentImage, SystemImage
from engine.league.hasher import Hasher
from engine.league.history import MatchRow
from engine.league.match import MatchRequest, MatchResult, Outcome, bye_header, match_commitment, run_match
from engine.league.sandbox import Sandbox
from engine.league.schedule import Fixture

TRIES = 3  # a match that our side spoils is played again


@dataclass(frozen=True, slots=True)
class PlayBatch:
    """Matches to play, with all that they need. ``agents`` by seat of the roster; ``budget`` in gas a decision;
    ``params`` of the System."""

    system: SystemImage
    agents: Mapping[int, AgentImage]
    budget: int
    cache: Path
    params: Mapping[str, int] = field(default_factory=dict)
    fixtures: tuple[Fixture, ...] = ()

    def of(self, fixtures: Sequence[Fixture]) -> PlayBatch:
        """Return the request for some fixtures, carrying only the agents that play in them."""
        seats = {seat for fixture in fixtures for seat in (fixture.a, fixture.b) if seat is not None}
        agents = {seat: self.agents[seat] for seat in sorted(seats)}
        return replace(self, agents=agents, fixtures=tuple(fixtures))

    def bye(self, fixture: Fixture, seat: int) -> MatchRow:
        """Return the row of a match that ``seat`` of the roster wins because nobody came."""
        params, score = self.system.spec.resolve(self.params), self.system.spec.score_max
        header = bye_header(self.system, params, self.budget, self.agents[seat].sha256)
        return MatchRow(
            fixture=fixture.index,
            a=seat,
            b=None,
            seed=0,
            outcome=Outcome.BYE.value,
            cause=None,
            seat=None,
            score_a=score,
            score_b=None,
            steps=0,
            gas=0,
            trace_root=EMPTY_TRACE_ROOT,
            commitment=match_commitment(header, EMPTY_TRACE_ROOT, 0),
            stage=fixture.stage,
        )

    def request(self, fixture: Fixture) -> MatchRequest:
        """Return the match that a fixture stands for."""
        seats = (fixture.a,) if fixture.b is None else (fixture.a, fixture.b)
        agents = tuple(self.agents[seat] for seat in seats)
        return MatchRequest(self.system, agents, fixture.seed, self.budget, params=self.params)


def play_batch(batch: PlayBatch) -> list[MatchRow]:
    """Play the fixtures in order. Raises UnplayableError when this process cannot play one."""
    sandbox, hasher = _equipment(batch.cache)
    return [_row(fixture, _play(batch.request(fixture), sandbox, hasher)) for fixture in batch.fixtures]


@lru_cache(maxsize=1)
def _equipment(cache: Path) -> tuple[Sandbox, Hasher]:
    """What a worker keeps between batches: compiled modules and the hasher's instance."""
    return Sandbox(cache), Hasher()


def _play(request: MatchRequest, sandbox: Sandbox, hasher: Hasher) -> MatchResult:
    for _ in range(TRIES):
        result = run_match(request, sandbox, hasher)
        if result.outcome is not Outcome.INFRA:
            return result
    raise UnplayableError(
        f"A match could not be played on this machine in {TRIES} tries",
        f"{result.cause}: {result.detail}",
        "Nobody is blamed. Free some memory and resume the round.",
    )


def play_bundle(batch: PlayBatch, system: bytes, agents: tuple[bytes, ...]) -> Bundle:
    """Play the batch's one fixture again and return its bundle, with the files as handed in."""
    sandbox, hasher = _equipment(batch.cache)
    request = batch.request(batch.fixtures[0])
    return Bundle.of(request, _play(request, sandbox, hasher), system, agents)


def _row(fixture: Fixture, result: MatchResult) -> MatchRow:
    assert result.trace_root is not None
    assert result.commitment is not None
    scores = result.scores
    return MatchRow(
        fixture=fixture.index,
        a=fixture.a,
        b=fixture.b,
        seed=fixture.seed,
        outcome=result.outcome.value,
        cause=result.cause,
        seat=result.seat,
        score_a=scores[0],
        score_b=scores[1] if fixture.b is not None else None,
        steps=result.steps,
        gas=sum(result.gas),
        trace_root=result.trace_root,
        commitment=result.commitment,
        stage=fixture.stage,
    )
