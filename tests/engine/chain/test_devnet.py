"""The devnet against a real Anvil: ports, kills, saved state."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

from engine.chain.anvil import Devnet
from engine.chain.errors import AnvilMissingError, DevnetError, PortBusyError
from engine.chain.events import DevnetChanged
from engine.chain.locate import VARIABLE
from engine.chain.rpc import Rpc
from engine.core.bus import EventBus

pytestmark = pytest.mark.chain


async def head(url: str) -> str:
    rpc = Rpc(url)
    try:
        return (await rpc.request("eth_getBlockByNumber", "latest", False))["hash"]
    finally:
        await rpc.close()


async def mine(url: str, blocks: int = 1) -> None:
    rpc = Rpc(url)
    try:
        for _ in range(blocks):
            await rpc.request("evm_mine")
    finally:
        await rpc.close()


async def test_a_double_click_starts_one_node(tmp_path, devnet_at):
    async with devnet_at(tmp_path) as devnet:
        first, second = await asyncio.gather(devnet.up(), devnet.up())
        assert first.state == second.state == "running"
        assert first.pid == second.pid
        assert first.chain_id == 31337


async def test_stop_saves_and_start_restores_the_same_head(tmp_path, devnet_at):
    async with devnet_at(tmp_path) as devnet:
        status = await devnet.up()
        await mine(status.url, 3)
        before = await head(status.url)
        await devnet.down()
        assert not psutil.pid_exists(status.pid)
        assert await head((await devnet.up()).url) == before


async def test_a_saved_state_says_which_anvil_wrote_it(tmp_path, devnet_at):
    async with devnet_at(tmp_path) as devnet:
        assert devnet.saved is None
        status = await devnet.up()
        await mine(status.url, 3)
        before = await head(status.url)
        await devnet.down()
        note = devnet.saved
        assert status.version.startswith("anvil/")
        assert (note.version, note.block, note.hash) == (status.version, 3, before)
        assert abs(note.saved - time.time()) < 60
        (tmp_path / "state.about.json").write_text("[]")
        assert devnet.saved is None
        await devnet.up()  # the note is only a note
        assert devnet.saved.block == 3


async def test_each_chain_id_keeps_its_own_chain(tmp_path, devnet_at):
    async with devnet_at(tmp_path) as devnet:
        await mine((await devnet.up()).url, 3)
        await devnet.down()
        assert (await devnet.up(chain_id=5)).block == 0
        await devnet.down()
        assert (await devnet.up()).block == 3


async def test_time_does_not_go_back_after_a_warp_and_a_restart(tmp_path, devnet_at):
    async with devnet_at(tmp_path) as devnet:
        rpc = Rpc((await devnet.up()).url)
        await rpc.request("evm_increaseTime", 100_000)
        await rpc.request("evm_mine")
        warped = int((await rpc.request("eth_getBlockByNumber", "latest", False))["timestamp"], 16)
        await rpc.close()
        await devnet.down()
        status = await devnet.up()
        await mine(status.url)
        rpc = Rpc(status.url)
        assert int((await rpc.request("eth_getBlockByNumber", "latest", False))["timestamp"], 16) >= warped
        await rpc.close()


async def test_a_killed_node_is_told_within_two_seconds(tmp_path):
    bus, seen = EventBus(), []
    bus.subscribe(seen.append, DevnetChanged)
    devnet = Devnet(tmp_path, bus)
    status = await devnet.up()
    os.kill(status.pid, signal.SIGKILL)
    began = time.monotonic()
    async with asyncio.timeout(2):
        while devnet.status.state != "failed":
            await asyncio.sleep(0.01)
    assert time.monotonic() - began < 2
    assert "unexpectedly" in seen[-1].cause
    assert (await devnet.up()).state == "running"
    await devnet.close()


async def test_a_busy_port_is_told_with_its_occupant_and_alternatives(tmp_path, devnet_at):
    async with devnet_at(tmp_path / "a") as first, devnet_at(tmp_path / "b") as second:
        status = await first.up()
        with pytest.raises(PortBusyError) as caught:
            await second.up(port=status.port)
        assert "anvil" in caught.value.data["occupant"]
        assert caught.value.data["alternatives"]
        assert await head(status.url), "the foreign node is left alone"
        assert second.status.state == "failed"


async def test_a_port_taken_by_another_program(tmp_path, devnet_at):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        async with devnet_at(tmp_path) as devnet:
            with pytest.raises(PortBusyError, match="another program"):
                await devnet.up(port=taken.getsockname()[1])


async def test_another_port_or_chain_than_the_running_one_is_refused(tmp_path, devnet_at):
    async with devnet_at(tmp_path) as devnet:
        status = await devnet.up(chain_id=4242)
        with pytest.raises(DevnetError, match="4242"):
            await devnet.up(chain_id=31337)
        with pytest.raises(DevnetError, match="runs already"):
            await devnet.up(port=status.port + 1, chain_id=4242)


async def test_missing_anvil_lists_the_paths_tried(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    devnet = Devnet(tmp_path, EventBus())
    with pytest.raises(AnvilMissingError) as caught:
        await devnet.up()
    assert caught.value.data["tried"] == [str(tmp_path / "nowhere")]
    assert caught.value.exit_code == 4


async def test_something_that_is_no_anvil_is_told(tmp_path):
    fake = tmp_path / "anvil"
    fake.write_text("#!/bin/sh\necho I am no node\nexit 7\n")
    fake.chmod(0o755)
    devnet = Devnet(tmp_path, EventBus(), binary=fake)
    with pytest.raises(DevnetError, match="I am no node"):
        await devnet.up()
    await devnet.close()


@pytest.mark.parametrize("content", [b"", b'{"block": ', b"\x00\xff garbage", b"[]"])
async def test_a_damaged_state_is_kept_aside(tmp_path, content, devnet_at):
    (tmp_path / "state.json").write_bytes(content)
    async with devnet_at(tmp_path) as devnet:
        with pytest.raises(DevnetError, match="damaged"):
            await devnet.up()
        (kept,) = tmp_path.glob("state.damaged-*.json")
        assert kept.read_bytes() == content
        assert (await devnet.up()).block == 0


async def test_a_damaged_state_gives_way_to_the_last_good_copy(tmp_path, devnet_at):
    async with devnet_at(tmp_path) as devnet:
        status = await devnet.up()
        await mine(status.url, 2)
        before = await head(status.url)
        await devnet.down()
        await devnet.up()
        await devnet.down()
        (tmp_path / "state.json").write_bytes(b'{"half')
        assert await head((await devnet.up()).url) == before


async def test_a_detached_node_outlives_its_starter_and_is_stopped_from_elsewhere(tmp_path):
    starter = Devnet(tmp_path, EventBus())
    status = await starter.up(detached=True)
    await starter.close()
    other = Devnet(tmp_path, EventBus())
    found = await other.refresh()
    assert (found.state, found.pid, found.detached) == ("running", status.pid, True)
    await mine(found.url)
    before = await head(found.url)
    await other.down()
    assert (await other.refresh()).state == "stopped"
    assert await head((await other.up()).url) == before
    await other.close()


async def test_a_stale_record_is_recognised(tmp_path):
    record = f'{{"pid": {os.getpid()}, "started": 1.0, "port": 1, "chain_id": 1, "version": "", "detached": false}}'
    (tmp_path / "node.json").write_text(record)
    devnet = Devnet(tmp_path, EventBus())
    assert (await devnet.refresh()).state == "stopped"
    (tmp_path / "node.json").write_text("{")
    assert (await devnet.refresh()).state == "stopped"
    assert not (tmp_path / "node.json").exists()


OWNER = """
import asyncio, sys
from pathlib import Path
from engine.chain.anvil import Devnet
from engine.core.bus import EventBus

async def main():
    status = await Devnet(Path(sys.argv[1]), EventBus()).up()
    print(status.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def test_no_node_outlives_a_killed_program(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    program = subprocess.Popen(
        [sys.executable, "-c", OWNER, tmp_path], stdout=subprocess.PIPE, text=True, env=environment
    )
    pid = int(program.stdout.readline())
    program.kill()
    program.wait()
    program.stdout.close()
    deadline = time.monotonic() + 5
    while psutil.pid_exists(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not psutil.pid_exists(pid)
