"""Where a round stands while it is played: totals, who is out, and what the next stage's pairing needs to know."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from engine.league.events import MatchesPlayed, RoundStarted
from engine.league.history import ClaimRow, History, MatchRow, RoundRow
from engine.league.schedule import LADDER, SWISS, Fixture, Schedule


class Counted(NamedTuple):
    """What pairings need of a match."""

    a: int
    b: int | None
    score_a: int
    score_b: int | None


class Progress:
    """Follows one round; begins with what the store holds of it."""

    def __init__(self, history: History, row: RoundRow, schedule: Schedule) -> None:
        self._row = row
        self._schedule = schedule
        self._keeps = schedule.format in (SWISS, LADDER)
        self._results: dict[int, list[Counted]] = defaultdict(list)
        self._played: set[int] = set()
        self.entries = history.entries(row.round_id)
        self.total = schedule.total
        self.done = 0
        self.failures = 0
        self.scores = [0] * len(self.entries)
        self.out = {item.seat: item.fixture for item in history.disqualifications(row.round_id)}
        self.claims: dict[tuple[int, int | None], ClaimRow] = {
            (claim.fixture, claim.seat): claim for claim in history.claims(row.round_id)
        }
        for match in history.matches(row.round_id):
            self.add(match)

    def misses(self, fixture: Fixture) -> bool:
        """Whether the fixture is neither stored nor left out for good."""
        if fixture.index in self._played:
            return False
        return not self.skips(fixture) or self.default_winner(fixture) is not None

    def skips(self, fixture: Fixture) -> bool:
        """Whether the match comes after the disqualification of one of its agents."""
        return any(self._is_out(seat, fixture) for seat in (fixture.a, fixture.b))

    def default_winner(self, fixture: Fixture) -> int | None:
        """Return the seat that gets the full score without playing: it rests, or only its opponent is out."""
        if fixture.bye:
            return None if self._is_out(fixture.a, fixture) else fixture.a
        if fixture.b is None:
            return None
        still = [seat for seat in (fixture.a, fixture.b) if not self._is_out(seat, fixture)]
        return still[0] if len(still) == 1 else None

    def add(self, match: MatchRow) -> None:
        """Count a stored match."""
        self.done += 1
        self._played.add(match.fixture)
        self.failures += match.outcome == "LOSS"
        self.scores[match.a] += match.score_a
        if match.b is not None and match.score_b is not None:
            self.scores[match.b] += match.score_b
        if self._keeps:
            self._results[match.stage].append(Counted(match.a, match.b, match.score_a, match.score_b))

    def before(self, stage: int) -> tuple[Sequence[Sequence[Counted]], frozenset[int]]:
        """Return what was played and who was out when a stage began."""
        first = self._schedule.first(stage)
        out = frozenset(seat for seat, fixture in self.out.items() if fixture < first)
        return [self._results[number] for number in range(stage)], out

    def started(self) -> RoundStarted:
        """Return the event that the round begins or goes on."""
        names = tuple(entry.name for entry in self.entries)
        return RoundStarted(self._row.round_id, self._row.name, names, self.done, self.total)

    def event(self) -> MatchesPlayed:
        """Return the event that matches were stored."""
        return MatchesPlayed(self._row.round_id, self.done, self.total, tuple(self.scores), self.failures)

    def note(self, stage: int) -> str:
        """Return how far the round is, in words."""
        text = f"{self.done} of {self.total} matches"
        return f"stage {stage + 1} of {self._schedule.stages}, {text}" if self._schedule.stages > 1 else text

    def _is_out(self, seat: int | None, fixture: Fixture) -> bool:
        return seat is not None and seat in self.out and fixture.index > self.out[seat]
