"""Reading again what moved, when that takes several turns of the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any


class Rereading:
    """One reading at a time, and one more where something moved meanwhile.

    ``start`` runs a coroutine as an owned task. ``rest_s`` are the seconds between two readings: what is done over and
    over, rounds say, is not to be read each time.
    """

    def __init__(
        self, start: Callable[[Coroutine[Any, Any, Any]], None], read: Callable[[], Awaitable[None]], rest_s: float
    ) -> None:
        self._start = start
        self._read = read
        self._rest_s = rest_s
        self._reading = False
        self._again = False

    def ask(self) -> None:
        """Read, or read once more when the reading under way is done."""
        self._again = True
        if not self._reading:
            self._reading = True
            self._start(self._run())

    async def _run(self) -> None:
        try:
            while self._again:
                self._again = False
                await self._read()
                await asyncio.sleep(self._rest_s)
        finally:
            self._reading = False
