"""Playing a round: stage by stage, in batches that a pool plays, stored in their order, resumed where they stopped."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Sequence

from engine.core.bus import EventBus
from engine.core.jobs import JobContext
from engine.core.turns import own_turn
from engine.league.accounts import Accounts
from engine.league.errors import RoundStoppedError
from engine.league.events import AgentSlashed
from engine.league.history import Disqualification, EntryRow, History, MatchRow, RoundRow
from engine.league.play import PlayBatch
from engine.league.pools import MatchPool
from engine.league.progress import Progress
from engine.league.schedule import Fixture, Schedule
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
                raise _stopped()
            return result.result()
        finally:
            stop.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await stop


class RoundPlayer:
    """Plays the matches of one round that are not in the store yet."""

    def __init__(self, store: Store, history: History, accounts: Accounts, bus: EventBus, pool: MatchPool) -> None:
        self._store = store
        self._history = history
        self._accounts = accounts
        self._bus = bus
        self._pool = pool

    async def play(
        self,
        row: RoundRow,
        schedule: Schedule,
        template: PlayBatch,
        control: RoundControl,
        job: JobContext | None = None,
    ) -> None:
        """Play and store what is left of the schedule; ``template`` carries the modules and the budget.

        Raises RoundStoppedError when the operator stopped it, LeagueError when a match cannot be played here.
        """
        await own_turn()
        progress = Progress(self._history, row, schedule)
        self._bus.publish(progress.started())
        for number in range(schedule.stages):
            results, out = progress.before(number)
            fixtures = await asyncio.to_thread(schedule.stage, number, results, out)
            todo = [fixture for fixture in fixtures if progress.misses(fixture)]
            async with contextlib.aclosing(self._batches(todo, template, control, progress)) as batches:
                async for batch, played in batches:
                    await own_turn()
                    self._keep(row, batch, played, template, progress)
                    if job is not None:
                        job.progress(progress.done, progress.total, progress.note(number))
            if control.stop_requested and (any(progress.misses(f) for f in todo) or number + 1 < schedule.stages):
                raise _stopped()

    async def _batches(
        self, todo: Sequence[Fixture], template: PlayBatch, control: RoundControl, progress: Progress
    ) -> AsyncGenerator[tuple[list[Fixture], list[MatchRow]], None]:
        """Yield the batches in order with what the pool played of them, a few in flight."""
        waiting: deque[tuple[list[Fixture], asyncio.Future[list[MatchRow]]]] = deque()
        position, limit = 0, IN_FLIGHT * self._pool.size
        try:
            while waiting or (position < len(todo) and not control.stop_requested):
                while position < len(todo) and len(waiting) < limit and not control.stop_requested:
                    batch = list(todo[position : position + BATCH])
                    position += BATCH
                    needed = [f for f in batch if not f.bye and not progress.skips(f)]
                    waiting.append((batch, asyncio.ensure_future(self._play(template, needed))))
                if waiting:
                    batch, result = waiting[0]
                    played = await control.guard(result)
                    waiting.popleft()
                    yield batch, played
        finally:
            for _, result in waiting:
                result.cancel()
            await asyncio.gather(*(result for _, result in waiting), return_exceptions=True)

    async def _play(self, template: PlayBatch, fixtures: list[Fixture]) -> list[MatchRow]:
        return await self._pool.play(template.of(fixtures)) if fixtures else []

    def _keep(
        self, row: RoundRow, batch: list[Fixture], played: list[MatchRow], template: PlayBatch, progress: Progress
    ) -> None:
        """Store a batch, with the disqualifications that its results prove, in one transaction."""
        slashes: list[AgentSlashed] = []
        found = {match.fixture: match for match in played}
        kept: list[MatchRow] = []
        with self._store.transaction(repeatable=not progress.claims):
            for fixture in batch:
                winner = progress.default_winner(fixture)
                match = template.bye(fixture, winner) if winner is not None else found.get(fixture.index)
                if match is None or (winner is None and progress.skips(fixture)):
                    continue
                kept.append(match)
                progress.add(match)
                slashes += self._judge(row, match, progress)
            self._history.add_matches(row.round_id, kept)
        for slash in slashes:
            self._bus.publish(slash)
        self._bus.publish(progress.event())

    def _judge(self, row: RoundRow, match: MatchRow, progress: Progress) -> list[AgentSlashed]:
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


def _stopped() -> RoundStoppedError:
    return RoundStoppedError("The round was stopped", "", "Resume it: no match is lost or played twice.")
