"""Where matches are computed: the local worker processes, or whatever else plays a batch and gives its rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

from engine.core.workers import WorkerEndedError, Workers
from engine.league.errors import LeagueError, UnplayableError
from engine.league.history import MatchRow
from engine.league.play import PlayBatch, play_batch

P = ParamSpec("P")
R = TypeVar("R")

EACH = 2  # batches at a worker: it plays on while the loop is busy


class MatchPool(Protocol):
    """Plays batches. ``size`` says how many it plays at the same time."""

    @property
    def size(self) -> int:
        """How many batches are played at the same time."""

    async def play(self, batch: PlayBatch) -> list[MatchRow]:
        """Return the rows of the batch's fixtures, in order. Raises LeagueError when they cannot be played."""

    def drop(self) -> None:
        """Let go of what broke or is no longer wanted; the next call starts anew."""

    async def close(self) -> None:
        """End everything that was started."""


class LocalPool:
    """Worker processes on this machine: started when first needed, kept between rounds, replaced when one dies."""

    def __init__(self) -> None:
        self._workers = Workers(1, EACH)

    @property
    def size(self) -> int:
        """How many processes there are."""
        return self._workers.count

    @property
    def pids(self) -> list[int]:
        """Ids of those that were started."""
        return self._workers.pids

    def resize(self, size: int) -> None:
        """Have ``size`` processes from the next call on."""
        if size != self.size:
            self.drop()
            self._workers = Workers(size, EACH)

    async def play(self, batch: PlayBatch) -> list[MatchRow]:
        """Return the rows of the batch's fixtures, in order. Raises LeagueError when they cannot be played."""
        try:
            return await self.run(play_batch, batch)
        except UnplayableError:
            return await self._elsewhere(batch)

    async def _elsewhere(self, batch: PlayBatch) -> list[MatchRow]:
        """Play a batch in a fresh process: what spoiled it may be that of the old one alone."""
        fresh = LocalPool()
        try:
            return await fresh.run(play_batch, batch)
        finally:
            await fresh.close()

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function of an importable module in a worker. Raises LeagueError when the worker dies."""
        try:
            return await self._workers.run(function, *args, **kwargs)
        except MemoryError as error:
            raise UnplayableError("A worker process has no memory left", "", "Free some memory and resume.") from error
        except WorkerEndedError as error:
            raise LeagueError(
                "A worker process ended unexpectedly", str(error), "Resume the round: no match is lost."
            ) from error

    def drop(self) -> None:
        """Let the processes go; what they still play is lost."""
        self._workers.drop()

    async def close(self) -> None:
        """End the processes and wait for them, off the loop."""
        await self._workers.close()
