"""Connections that ask for nothing: they cost a file each, so they are let go after a while, and at once when many."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from typing import Any

ASK_S = 10.0  # for a connection to make its first request
LOOK_S = 1.0
OPEN = 512  # connections; beyond them, those that have asked for nothing yet go, the oldest first


class Doors:
    """Watches the connections of a server; ``open`` gives them, ``asked`` is told of each that made a request."""

    def __init__(self, open_now: Callable[[], Iterable[Any]], now: Callable[[], float] = time.monotonic) -> None:
        self._open, self._now = open_now, now
        self._since: dict[int, float] = {}
        self._asked: set[int] = set()
        self._task: asyncio.Task[None] | None = None

    def asked(self, connection: Any) -> None:
        """Take note that a connection made a request; from then on the server's own deadlines hold."""
        self._asked.add(id(connection))

    def look(self) -> int:
        """Let go who has waited too long, and return how many went."""
        now, there = self._now(), {id(one): one for one in self._open()}
        self._asked &= there.keys()
        self._since = {number: self._since.get(number, now) for number in there.keys() - self._asked}
        silent = sorted(self._since, key=self._since.__getitem__)
        many = max(0, len(there) - OPEN)
        gone = [n for place, n in enumerate(silent) if place < many or now - self._since[n] >= ASK_S]
        for number in gone:
            transport = there[number].transport
            if transport is not None:
                transport.abort()
        return len(gone)

    def start(self) -> None:
        """Look every second until closed."""
        self._task = asyncio.get_running_loop().create_task(self._watch(), name="connections")

    async def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()
