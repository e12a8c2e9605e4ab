"""Where matches are computed: the local worker processes, or whatever else plays a batch and gives its rows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import ParamSpec, Protocol, TypeVar

from engine.core.process import worker_pool
from engine.league.errors import LeagueError, UnplayableError
from engine.league.history import MatchRow
from engine.league.play import PlayBatch, play_batch

P = ParamSpec("P")
R = TypeVar("R")


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
        self._pool: ProcessPoolExecutor | None = None
        self._size = 1

    @property
    def size(self) -> int:
        """How many processes there are."""
        return self._size

    def resize(self, size: int) -> None:
        """Have ``size`` processes from the next call on."""
        if size != self._size:
            self.drop()
            self._size = size

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

    async def run(self, function: Callable[P, R], *args: P.args, **_: P.kwargs) -> R:
        """Call a function of an importable module in a worker. Raises LeagueError when the worker dies."""
        if self._pool is None:
            self._pool = worker_pool(self._size)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, function, *args)
        except MemoryError as error:
            raise UnplayableError("A worker process has no memory left", "", "Free some memory and resume.") from error
        except BrokenProcessPool as error:
            self.drop()
            raise LeagueError(
                "A worker process ended unexpectedly", str(error), "Resume the round: no match is lost."
            ) from error

    def drop(self) -> None:
        """Let the processes go; what they still play is lost."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    async def close(self) -> None:
        """End the processes and wait for them, off the loop."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        for process in list((pool._processes or {}).values()):
            process.terminate()
        await asyncio.to_thread(pool.shutdown, True, cancel_futures=True)
