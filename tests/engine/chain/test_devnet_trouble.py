"""The devnet in trouble: several programs at once, a node that hangs, states broken inside, programs killed."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from engine.chain.anvil import Devnet
from engine.chain.control import MANUAL, NodeControl
from engine.chain.errors import DevnetError
from engine.chain.events import DevnetLine
from engine.chain.rpc import Rpc
from engine.core.bus import EventBus

pytestmark = pytest.mark.chain


async def head(url: str) -> str:
    rpc = Rpc(url)
    try:
        return (await rpc.request("eth_getBlockByNumber", "latest", False))["hash"]
    finally:
        await rpc.close()


async def mine(url: str, blocks: int) -> str:
    rpc = Rpc(url)
    try:
        await NodeControl(rpc).mine(blocks)
    finally:
        await rpc.close()
    return await head(url)


async def test_two_programs_that_start_at_once_share_one_node(tmp_path, devnet_at):
    async with devnet_at(tmp_path) as first, devnet_at(tmp_path) as second:
        a, b = await asyncio.gather(first.up(), second.up())
        assert a.state == b.state == "running" and a.pid == b.pid
        await first.down()
        async with asyncio.timeout(2):
            while second.status.state == "running":
                await asyncio.sleep(0.02)
        assert "another program" in second.status.cause


async def test_a_node_that_hangs_gets_no_second_one_on_its_state(tmp_path, devnet_at):
    async with devnet_at(tmp_path) as devnet:
        status = await devnet.up()
        os.kill(status.pid, signal.SIGSTOP)
        try:
            with pytest.raises(DevnetError, match="does not answer"):
                await devnet.up()
        finally:
            os.kill(status.pid, signal.SIGCONT)
        found = await devnet.refresh()
        assert (found.state, found.pid) == ("running", status.pid)


async def test_a_state_broken_inside_gives_way_to_the_last_good_copy(tmp_path, devnet_at):
    async with devnet_at(tmp_path) as devnet:
        before = await mine((await devnet.up()).url, 3)
        await devnet.down()
        await devnet.up()
        await devnet.down()
        (tmp_path / "state.json").write_text('{"block": ,}')
        assert await head((await devnet.up()).url) == before
        (kept,) = tmp_path.glob("state.damaged-*.json")
        assert kept.read_text() == '{"block": ,}'


async def test_a_state_broken_inside_without_a_copy_is_told_and_the_next_start_is_new(tmp_path, devnet_at):
    (tmp_path / "state.json").write_text('{"block": ,}')
    async with devnet_at(tmp_path) as devnet:
        with pytest.raises(DevnetError, match=r"damaged.*copy of the file back"):
            await devnet.up()
        with pytest.raises(DevnetError):
            (tmp_path / "state.json").write_text('{"accounts": 5}')
            await devnet.up()
        assert (await devnet.up()).block == 0


async def test_a_node_killed_hard_keeps_what_is_older_than_a_second(tmp_path, devnet_at):
    async with devnet_at(tmp_path) as devnet:
        status = await devnet.up()
        before = await mine(status.url, 5)
        await asyncio.sleep(1.6)
        os.kill(status.pid, signal.SIGKILL)
        async with asyncio.timeout(2):
            while devnet.status.state != "failed":
                await asyncio.sleep(0.01)
        assert await head((await devnet.up()).url) == before


async def test_the_mining_mode_and_the_start_are_told(tmp_path, devnet_at):
    async with devnet_at(tmp_path) as devnet:
        status = await devnet.up()
        assert status.mining == "automine" and abs(status.started - time.time()) < 10
        rpc = Rpc(status.url)
        await NodeControl(rpc).set_mining(MANUAL)
        await rpc.close()
        assert (await devnet.refresh()).mining == "manual"


async def test_a_detached_node_tells_each_line_once(tmp_path):
    bus, lines = EventBus(), []
    bus.subscribe(lines.append, DevnetLine)
    devnet = Devnet(tmp_path, bus)
    await devnet.up(detached=True)
    try:
        assert [line.text for line in lines if line.text.startswith("Listening")] == [lines[-1].text]
        assert json.loads((tmp_path / "node.json").read_text())["detached"] is True
    finally:
        await devnet.down()
        await devnet.close()


async def test_snapshots_serve_once(tmp_path, devnet_at):
    async with devnet_at(tmp_path) as devnet:
        status = await devnet.up()
        rpc = Rpc(status.url)
        control = NodeControl(rpc)
        snapshot, before = await control.snapshot(), await head(status.url)
        await control.warp(1000)
        await control.revert(snapshot)
        assert await head(status.url) == before
        with pytest.raises(DevnetError, match="cannot be restored"):
            await control.revert(snapshot)
        await rpc.close()


OWNER = """
import asyncio, sys
from pathlib import Path
from engine.chain.anvil import Devnet
from engine.chain.control import NodeControl
from engine.chain.rpc import Rpc
from engine.core.bus import EventBus

async def main():
    status = await Devnet(Path(sys.argv[1]), EventBus()).up()
    rpc = Rpc(status.url)
    await NodeControl(rpc).mine(4)
    block = await rpc.request("eth_getBlockByNumber", "latest", False)
    print(status.pid, block["hash"], flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_a_killed_program_takes_its_node_along_and_the_node_saves_its_last_blocks(tmp_path, devnet_at):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, tmp_path], stdout=subprocess.PIPE, text=True, env=environment
    ) as program:
        pid, before = program.stdout.readline().split()
        program.kill()
    async with devnet_at(tmp_path) as devnet:
        status = await devnet.up()
        assert status.pid != int(pid)
        assert await head(status.url) == before


async def test_a_node_that_ends_late_with_its_program_is_not_taken_over(tmp_path, devnet_at):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, tmp_path], stdout=subprocess.PIPE, text=True, env=environment
    ) as program:
        pid, before = program.stdout.readline().split()
        os.kill(int(pid), signal.SIGSTOP)
        program.kill()
    async with devnet_at(tmp_path) as devnet:
        try:
            assert (await devnet.refresh()).state == "stopped"
            start = asyncio.create_task(devnet.up())
            await asyncio.sleep(0.3)
            assert not start.done()
        finally:
            os.kill(int(pid), signal.SIGCONT)
        status = await start
        assert status.pid != int(pid)
        assert await head(status.url) == before


async def test_a_node_that_stays_without_its_program_is_stopped_in_order(tmp_path, devnet_at, monkeypatch):
    """As where no system tells a process that its parent has ended."""
    monkeypatch.setattr("engine.chain.anvil.ORPHAN_DEADLINE", 0.0)
    async with devnet_at(tmp_path) as first:
        old = await first.up(detached=True)
        before = await mine(old.url, 3)
        record = json.loads((tmp_path / "node.json").read_text())
        orphan = {**record, "detached": False, "owner": 2**22 + 1}
        (tmp_path / "node.json").write_text(json.dumps(orphan))
        async with devnet_at(tmp_path) as second:
            status = await second.up()
            assert status.pid != old.pid
            assert not psutil.pid_exists(old.pid) or psutil.Process(old.pid).status() == psutil.STATUS_ZOMBIE
            assert await head(status.url) == before
