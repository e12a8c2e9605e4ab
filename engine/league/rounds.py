"""Playing a round: batches of matches in worker processes, stored in their order, resumed where they stopped."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool

from engine.core.bus import EventBus
from engine.core.jobs import JobContext
from engine.league.accounts import Accounts
from engine.league.errors import LeagueError, RoundStoppedError
from engine.league.events import AgentSlashed, MatchesPlayed, RoundStarted
from engine.league.history import ClaimRow, Disqualification, EntryRow, History, MatchRow, RoundRow
from engine.league.play import PlayBatch, play_batch
from engine.league.schedule import Fixture
from engine.store.database import Store

BATCH = 32
IN_FLIGHT = 2  # batches a worker: one that it plays, one that waits


class RoundControl:
    """How the operator stops a round: at once (matches in flight are played again later) or after those in flight."""

    def __init__(self) -> None:
        self.stop_requested = False
        self._now = asyncio.Event()

    def stop_after_current(self) -> None:
        """Start no further batch; store those that are being played."""
        self.stop_requested = True

    def stop_now(self) -> None:
        """Drop what is being played."""
        self.stop_requested = True
        self._now.set()

    async def guard(self, result: asyncio.Future[list[MatchRow]]) -> list[MatchRow]:
        """Wait for a batch, but no longer than until ``stop_now``."""
        stop = asyncio.ensure_future(self._now.wait())
        try:
            await asyncio.wait((result, stop), return_when=asyncio.FIRST_COMPLETED)
            if self._now.is_set():
                raise RoundStoppedError("The round was stopped", "", "Resume it: no match is lost or played twice.")
            return result.result()
        finally:
            stop.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await stop


class RoundPlayer:
    """Plays the matches of one round that are not in the store yet."""

    def __init__(
        self, store: Store, history: History, accounts: Accounts, bus: EventBus, pool: Executor, workers: int
    ) -> None:
        self._store = store
        self._history = history
        self._accounts = accounts
        self._bus = bus
        self._pool = pool
        self._limit = IN_FLIGHT * workers

    async def play(
        self,
        row: RoundRow,
        fixtures: Sequence[Fixture],
        template: PlayBatch,
        control: RoundControl,
        job: JobContext | None = None,
    ) -> None:
        """Play and store what is left of ``fixtures``; ``template`` carries the modules and the budget.

        Raises RoundStoppedError when the operator stopped it, LeagueError when a match cannot be played here.
        """
        progress = _Progress(self._history, row, self._history.entries(row.round_id), len(fixtures))
        played = self._history.played_fixtures(row.round_id)
        todo = [f for f in fixtures if f.index not in played and not progress.skips(f)]
        self._bus.publish(progress.started())
        async with contextlib.aclosing(self._results(todo, template, control, progress)) as results:
            async for rows in results:
                self._bus.publish(self._keep(row, rows, progress))
                if job is not None:
                    job.progress(progress.done, progress.total, f"{progress.done} of {progress.total} matches")
        if control.stop_requested and progress.left(fixtures):
            raise RoundStoppedError("The round was stopped", "", "Resume it: no match is lost or played twice.")

    async def _results(
        self, todo: Sequence[Fixture], template: PlayBatch, control: RoundControl, progress: _Progress
    ) -> AsyncGenerator[list[MatchRow], None]:
        """Yield the results of the batches in order, a few of them in flight."""
        loop = asyncio.get_running_loop()
        waiting: deque[asyncio.Future[list[MatchRow]]] = deque()
        position = 0
        try:
            while waiting or (position < len(todo) and not control.stop_requested):
                while position < len(todo) and len(waiting) < self._limit and not control.stop_requested:
                    batch = [f for f in todo[position : position + BATCH] if not progress.skips(f)]
                    position += BATCH
                    if batch:
                        request = template.of(batch)
                        waiting.append(asyncio.ensure_future(loop.run_in_executor(self._pool, play_batch, request)))
                if waiting:
                    yield await control.guard(waiting.popleft())
        except BrokenProcessPool as error:
            raise LeagueError(
                "A worker process ended unexpectedly", str(error), "Resume the round: no match is lost."
            ) from error
        finally:
            for future in waiting:
                future.cancel()

    def _keep(self, row: RoundRow, rows: list[MatchRow], progress: _Progress) -> MatchesPlayed:
        """Store a batch, with the disqualifications that its results prove, in one transaction."""
        slashes: list[AgentSlashed] = []
        with self._store.transaction():
            kept = []
            for match in rows:
                if progress.skips(match):
                    continue
                kept.append(match)
                progress.add(match)
                slashes += self._judge(row, match, progress)
            self._history.add_matches(row.round_id, kept)
        for slash in slashes:
            self._bus.publish(slash)
        return progress.event()

    def _judge(self, row: RoundRow, match: MatchRow, progress: _Progress) -> list[AgentSlashed]:
        """Slash and disqualify who claimed another score than the replay gives."""
        slashes = []
        for seat, score in ((match.a, match.score_a), (match.b, match.score_b)):
            claim = progress.claims.get((match.fixture, seat)) if seat is not None else None
            if seat is None or score is None or claim is None or claim.score == score:
                continue
            found = Disqualification(seat, match.fixture, claim.score, score)
            event = slash(self._history, self._accounts, row.round_id, progress.entries[seat], found)
            progress.out[seat] = match.fixture
            slashes += [event] if event else []
        return slashes


def slash(
    history: History, accounts: Accounts, round_id: str, entry: EntryRow, found: Disqualification
) -> AgentSlashed | None:
    """Disqualify the agent and take the penalty, in the caller's transaction. None when it is out already."""
    if not history.disqualify(round_id, found):
        return None
    wei = accounts.slash(f"{round_id}:slash:{found.seat}", entry.address, round_id)
    return AgentSlashed(round_id, entry.name, found.fixture, found.claimed, found.replayed, str(wei))


class _Progress:
    """Where a round stands while it is played."""

    def __init__(self, history: History, row: RoundRow, entries: list[EntryRow], total: int) -> None:
        self._row = row
        self.entries = entries
        self.total = total
        self.done = 0
        self.failures = 0
        self.scores = [0] * len(entries)
        self.out = {item.seat: item.fixture for item in history.disqualifications(row.round_id)}
        self.claims: dict[tuple[int, int | None], ClaimRow] = {
            (claim.fixture, claim.seat): claim for claim in history.claims(row.round_id)
        }
        for match in history.matches(row.round_id):
            self.add(match)

    def skips(self, item: Fixture | MatchRow) -> bool:
        """Whether the match comes after the disqualification of one of its agents."""
        index = item.index if isinstance(item, Fixture) else item.fixture
        return any(seat in self.out and index > self.out[seat] for seat in (item.a, item.b) if seat is not None)

    def add(self, match: MatchRow) -> None:
        """Count a stored match."""
        self.done += 1
        self.failures += match.outcome == "LOSS"
        self.scores[match.a] += match.score_a
        if match.b is not None and match.score_b is not None:
            self.scores[match.b] += match.score_b

    def left(self, fixtures: Sequence[Fixture]) -> bool:
        """Whether matches are left to play."""
        return self.done < sum(not self.skips(fixture) for fixture in fixtures)

    def started(self) -> RoundStarted:
        names = tuple(entry.name for entry in self.entries)
        return RoundStarted(self._row.round_id, self._row.name, names, self.done, self.total)

    def event(self) -> MatchesPlayed:
        return MatchesPlayed(self._row.round_id, self.done, self.total, tuple(self.scores), self.failures)
