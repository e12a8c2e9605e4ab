"""Blocks at a quick interval come from the program, so that a real Anvil keeps few states in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.chain.anvil import OLDER, Devnet
from engine.chain.control import AUTOMINE, INTERVAL, NodeControl
from engine.chain.errors import RpcError
from engine.chain.rpc import Rpc
from engine.core.bus import EventBus

pytestmark = pytest.mark.chain


async def reach(rpc: Rpc, number: int) -> None:
    async with asyncio.timeout(60):
        while await rpc.block_number() < number:
            await asyncio.sleep(0.05)


async def told(rpc: Rpc) -> Any:
    return await rpc.request("anvil_getIntervalMining")


async def test_a_quick_interval_is_kept_by_the_program_and_a_slow_one_by_the_node(
    tmp_path: Path, devnet_at: Callable[..., Any]
) -> None:
    async with devnet_at(tmp_path) as devnet:
        rpc = Rpc((await devnet.up()).url)
        control = NodeControl(rpc)
        for seconds, beat in ((1, 1), (2, 2), (3, 0)):
            await control.set_mining(INTERVAL, seconds)
            assert await control.mining() == (INTERVAL, seconds) and await control.beat() == beat
            assert (await told(rpc) == seconds) is (not beat)
            await reach(rpc, await rpc.block_number() + 2)
        assert (await devnet.refresh()).interval == 3
        await control.set_mining(AUTOMINE)
        assert await control.mining() == (AUTOMINE, 0)
        await rpc.close()


def states_on_disk(folder: Path) -> int:
    return sum(path.is_file() for path in (folder / "states").rglob("*"))


async def test_older_states_leave_the_memory_and_nothing_of_them_stays_after_the_end(
    tmp_path: Path, devnet_at: Callable[..., Any]
) -> None:
    async with devnet_at(tmp_path) as devnet:
        rpc = Rpc((await devnet.up()).url)
        await NodeControl(rpc).set_mining(INTERVAL, 1)
        await NodeControl(rpc).mine(600)
        # The memory holds 500 states at most; with Anvil's own quick interval, 1,500.
        assert states_on_disk(tmp_path) >= 100
        account = (await rpc.request("eth_accounts"))[0]
        assert int(await rpc.request("eth_getBalance", account, "0x5"), 16) > 0  # they can be asked for all the same
        for _ in range(2):
            await NodeControl(rpc).mine(600)
        assert OLDER - 10 <= states_on_disk(tmp_path) <= OLDER
        with pytest.raises(RpcError, match="BlockOutOfRange"):
            await rpc.request("eth_getBalance", account, "0x5")
        await rpc.close()
        await devnet.down()
        assert not (tmp_path / "states").exists()


async def test_a_node_that_outlives_the_program_keeps_its_interval_itself(tmp_path: Path) -> None:
    devnet = Devnet(tmp_path, EventBus())
    rpc = Rpc((await devnet.up(detached=True)).url)
    try:
        await NodeControl(rpc).set_mining(INTERVAL, 1)
        assert (await devnet.refresh()).interval == 1
        assert await told(rpc) == 1
        await reach(rpc, await rpc.block_number() + 2)
    finally:
        await rpc.close()
        await devnet.down()
        await devnet.close()
