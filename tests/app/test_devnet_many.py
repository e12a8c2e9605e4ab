"""The Devnet page on a chain with 50,000 transactions: it opens at once, and nothing holds the window up."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.links import Place, tx_link
from engine.chain.rpc import Rpc
from engine.core.paths import DataDir

TOTAL, A_BLOCK = 50_000, 100
STALL, OPEN = 0.1, 2.0  # seconds, of the target


@pytest.fixture
def busy_node(data_dir: DataDir) -> Iterator[str]:
    """A node with 50,000 transactions, running on the data directory as if an earlier console had started it."""
    script = Path(__file__).with_name("busy_node.py")
    node = subprocess.Popen([sys.executable, str(script), str(TOTAL), str(A_BLOCK)], stdout=subprocess.PIPE, text=True)
    assert node.stdout is not None
    port = int(node.stdout.readline())
    record = {"pid": node.pid, "started": psutil.Process(node.pid).create_time(), "port": port, "chain_id": 31337}
    (data_dir.devnet / "node.json").write_text(json.dumps({**record, "version": "anvil/test", "detached": True}))
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        node.kill()
        node.wait()
        node.stdout.close()


class Turns:
    """The processor time that the busiest turn of the loop took, in units of a fixed piece of work of 10 ms.

    In units of work, since a machine that is half as fast takes twice as long for both.
    """

    def __init__(self) -> None:
        self.worst = 0.0
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0.005)
            self.worst = max(self.worst, time.thread_time() - before)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


def speed() -> float:
    """How many times slower this machine is than the one that the targets were measured on."""

    def once() -> float:
        start = time.thread_time()
        sum(len(f"{number:064x}") for number in range(30_000))
        return time.thread_time() - start

    return max(1.0, min(once() for _ in range(5)) / 0.01)


@pytest.mark.slow
async def test_fifty_thousand_transactions_open_at_once_and_stall_nothing(
    opened: Callable[..., Any], data_dir: DataDir, until: Any, busy_node: str
) -> None:
    slower = speed()
    rpc = Rpc(busy_node)
    gc.collect()
    gc.disable()  # its pauses are those of all that pytest holds, not of the page
    async with opened(data_dir) as wiring:
        await until(lambda: wiring.devnet.feed is not None and len(wiring.devnet.feed.transactions) > 0)
        turns = Turns()
        await until(lambda: len(wiring.devnet.feed.transactions) == TOTAL, 120)
        table = wiring.pages["devnet"]._transactions
        await until(lambda: table.row_count() == TOTAL)
        start = time.thread_time()
        wiring.navigator.go(Place("devnet"))
        wiring.window.repaint()
        assert time.thread_time() - start < OPEN * slower
        await rpc.request("test_mine")
        await until(lambda: table.row_count() == TOTAL + 1)
        newest = wiring.devnet.feed.transactions[0]
        assert table.visible_rows()[0] == newest
        table.set_filter("stakevault.stake 7")
        await until(lambda: 0 < table.row_count() < TOTAL)
        assert all("StakeVault.stake" in row[2] for row in table.visible_rows()[:50])
        table.set_filter("")
        await until(lambda: table.row_count() == TOTAL + 1)
        wiring.follow(tx_link(newest.hash))
        await until(lambda: table.selected_keys() == (newest.hash,))
        await turns.close()
        assert turns.worst < STALL * slower
        total = sum(block.gas_used for block in wiring.devnet.feed.blocks)
        assert total == sum(tx.gas for tx in wiring.devnet.feed.transactions) == 21_000 * (TOTAL + 1)
    gc.enable()
    await rpc.close()
