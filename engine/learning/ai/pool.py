"""Worker processes one by one: when one is killed, its order fails and the others go on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from engine.core.process import worker_pool
from engine.learning.ai.tasks import Failed, guarded
from engine.learning.errors import TrainingError


class Workers:
    """Spawned processes of one thread each, started when first needed; they end with this process."""

    def __init__(self, count: int) -> None:
        self._pools: list[ProcessPoolExecutor | None] = [None] * max(1, count)
        self._free: asyncio.Queue[int] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._busy: set[int] = set()
        self._closed = False
        self.ended = 0
        """How many workers ended in the middle of their work."""

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._pools)

    async def run(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Return what ``work`` returns in a free worker. Raises TrainingError when it fails or the worker ends."""
        loop = asyncio.get_running_loop()
        if self._free is None or self._loop is not loop:  # a queue belongs to one loop, workers do not
            self._free, self._loop = asyncio.Queue(), loop
            for number in range(len(self._pools)):
                self._free.put_nowait(number)
        number = await self._free.get()
        self._busy.add(number)
        try:
            answer = await self._asked(number, work, arguments)
        finally:
            self._busy.discard(number)
            self._free.put_nowait(number)
        if isinstance(answer, Failed):
            raise TrainingError(answer.what, answer.why, answer.next_step)
        return answer

    async def _asked(self, number: int, work: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        if self._closed:
            raise TrainingError("The training workers were ended", "the run is closing")
        pool = self._pools[number]
        if pool is None:
            pool = self._pools[number] = worker_pool(1)
        try:
            return await asyncio.wrap_future(pool.submit(guarded, work, arguments))
        except BrokenProcessPool as error:
            self.ended += 1
            if self._pools[number] is pool:
                self._pools[number] = None
                pool.shutdown(wait=False)
            raise TrainingError(
                "A training worker ended in the middle of its work",
                "it was killed, or the machine ran out of memory",
                "The next order starts another one.",
            ) from error

    def kill_one(self) -> int | None:
        """End a worker as by SIGKILL, one that works if any does; return its process id, None where none runs."""
        order = sorted(range(len(self._pools)), key=lambda number: number not in self._busy)
        for number in order:
            for process in _processes(self._pools[number]):
                process.kill()
                return int(process.pid)
        return None

    async def close(self) -> None:
        """End all workers, also those that work."""
        self._closed = True
        pools = [pool for pool in self._pools if pool is not None]
        self._pools = [None] * len(self._pools)
        for pool in pools:
            for process in _processes(pool):
                with contextlib.suppress(OSError, ValueError):
                    process.kill()
        for pool in pools:
            await asyncio.to_thread(pool.shutdown, wait=True, cancel_futures=True)


def _processes(pool: ProcessPoolExecutor | None) -> list[Any]:
    return list((getattr(pool, "_processes", None) or {}).values())
