"""Giving memory back to the system: what long work allocated and freed lies scattered, and the C library keeps it.

A run of the learning chain, a round of agents or a method's curves come and go as blocks of very different sizes; after
many of them half as much again is held as is used. Two things keep that bounded: large blocks are mapped one by one, so
that each goes back when it is freed, and the free pages between small ones go back once some work has ended.
"""

from __future__ import annotations

import asyncio
import ctypes
import sys
import time
from collections.abc import Callable

from engine.core.bus import EventBus
from engine.core.events import JobEnded

LARGE = 1 << 20  # bytes from which a block is mapped by itself; below, mapping would cost more than it saves
PERIOD = 10.0  # seconds at least between two times that memory is given back: some milliseconds each
_M_MMAP_THRESHOLD = -3  # of <malloc.h>
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def keep_large_apart() -> bool:
    """Let this process map each block of a mebibyte or more by itself; return whether the C library can.

    Left alone glibc raises that limit, up to 32 MiB, with every large block that is freed: from then on blocks of that
    size come from the heap, and leave holes there that nothing else fits into.
    """
    mallopt = getattr(_LIBC, "mallopt", None)  # musl has none, and gives back what is large by itself
    return bool(mallopt is not None and mallopt(_M_MMAP_THRESHOLD, LARGE))


def give_back() -> bool:
    """Give free pages of the heap back to the system; return whether there were any. Other threads may go on."""
    trim = getattr(_LIBC, "malloc_trim", None)
    return bool(trim is not None and trim(0))


class GiveBack:
    """Gives memory back when jobs end, beside the loop, once in a while however many end."""

    def __init__(self, bus: EventBus, *, period: float = PERIOD, act: Callable[[], object] = give_back) -> None:
        self._period = period
        self._act = act
        self._last = -period
        self._waiting: asyncio.TimerHandle | None = None
        self._work: asyncio.Future[object] | None = None
        bus.subscribe(self._ended, JobEnded)

    async def close(self) -> None:
        """Wait for what is under way; nothing is begun any more."""
        self._period = float("inf")
        if self._waiting is not None:
            self._waiting.cancel()
        if self._work is not None:
            await self._work

    def _ended(self, _: JobEnded) -> None:
        if self._waiting is None and self._period < float("inf"):
            left = self._last + self._period - time.monotonic()
            self._waiting = asyncio.get_running_loop().call_later(max(0.0, left), self._begin)

    def _begin(self) -> None:
        self._waiting, self._last = None, time.monotonic()
        self._work = asyncio.get_running_loop().run_in_executor(None, self._act)
