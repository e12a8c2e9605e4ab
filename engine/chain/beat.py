"""Blocks at a quick interval, mined from outside: Anvil's own way to do so costs it three times the states."""

from __future__ import annotations

import asyncio
import contextlib

from engine.chain.control import NodeControl
from engine.chain.rpc import Rpc
from engine.core.errors import EngineError

PERIOD = 1.0  # seconds between two looks, and the quickest interval


class Beat:
    """Mines a block every second or two where a node's mining mode says so; ``close`` ends it.

    The mode is read from the node, so that any program on its data directory can change it.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._task = asyncio.get_running_loop().create_task(self._run(), name="devnet beat")

    async def close(self) -> None:
        """Mine no more."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        rpc = Rpc(self._url, deadline=5.0)
        loop, due, passed = asyncio.get_running_loop(), 0.0, 0
        try:
            while True:
                due = max(due + PERIOD, loop.time())  # what was missed stays missed
                await asyncio.sleep(due - loop.time())
                with contextlib.suppress(EngineError):  # a node that does not answer is the devnet's to tell
                    seconds, passed = await NodeControl(rpc).beat(), passed + 1
                    if seconds and passed >= seconds:
                        passed = 0
                        await rpc.request("evm_mine")
        finally:
            await rpc.close()
