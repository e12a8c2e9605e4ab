"""The real DHT: hivemind nodes over libp2p, their rules, their deaths, and what is left when they end: nothing."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from engine.learning.config import LearnConfig
from engine.learning.errors import LearnExtraMissingError, LearnPortError, TransportError
from engine.learning.transport import attacks, open_dht
from engine.learning.transport.hivemind_dht import HivemindDht
from engine.learning.transport.identity import libp2p_id, peer_key
from engine.learning.transport.records import ack_key, delta_key
from tests.engine.learning.transport.writers import KEY, VALUE, Writer, register, writers

needs_hivemind = pytest.mark.skipif(
    importlib.util.find_spec("hivemind") is None, reason="needs the learn extra: hivemind"
)


def config(nodes: int, **settings: object) -> LearnConfig:
    return LearnConfig(transport="dht", clock="wall", dht_peers=nodes).changed(**settings)


@pytest.fixture(autouse=True)
def leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep the DHT's folders where they can be counted. The path of a Unix socket has to be short."""
    with tempfile.TemporaryDirectory(prefix="nb") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield
        deadline = time.monotonic() + 60.0
        while any(Path(folder).iterdir()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert list(Path(folder).iterdir()) == []


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    _, left = psutil.wait_procs(processes, timeout=30.0)
    return [process for process in left if process.status() != psutil.STATUS_ZOMBIE]


@needs_hivemind
@pytest.mark.learn
async def test_records_rules_and_losses_over_four_real_nodes(committee: list[Writer]) -> None:
    dht = await open_dht(config(4))
    assert isinstance(dht, HivemindDht)
    try:
        register(dht, committee)
        register(dht, writers(1, "trainer"), "trainer")
        await stores_and_finds(dht, committee)
        await refuses_at_the_receiver(dht, committee)
        await survives_losses(dht, committee)
        await splits_and_heals(dht, committee)
        await forgets_what_is_over(dht, committee)
    finally:
        await dht.close()
    with pytest.raises(TransportError):
        await dht.fetch(0, KEY)


async def stores_and_finds(dht: HivemindDht, committee: list[Writer]) -> None:
    peers = dht.peers()
    assert [peer.peer_id for peer in peers] == [libp2p_id(peer_key(config(4).genesis_seed, n).public) for n in range(4)]
    assert all(peer.address.startswith("/ip4/127.0.0.1/tcp/") and peer.address.endswith(peer.peer_id) for peer in peers)
    stored = await asyncio.gather(*(dht.store(n % 4, member.record()) for n, member in enumerate(committee[:20])))
    assert [(one.replicas, one.reason) for one in stored] == [(4, "")] * 20
    wanted = tuple(sorted((member.record() for member in committee[:20]), key=lambda record: record.subkey))
    for node in range(4):
        fetched = await dht.fetch(node, KEY)
        assert fetched.records == wanted
        assert fetched.seconds > 0 and fetched.messages > 0
    delta = writers(1, "trainer")[0].record(delta_key(3), os.urandom(150_032))
    assert (await dht.store(1, delta)).reason == ""
    assert (await dht.fetch(2, delta_key(3))).records == (delta,)
    assert (await dht.fetch(2, delta_key(4))).records == ()


async def refuses_at_the_receiver(dht: HivemindDht, committee: list[Writer]) -> None:
    liar, victim, absent = committee[0], committee[1], committee[30]
    old = (await dht.fetch(0, KEY)).records[:2]
    other = ack_key(bytes(32))
    bad = {
        "unregistered": list(attacks.sybil_acks(1, KEY, 3, 0.0)),
        "foreign_subkey": list(attacks.forged_acks(KEY, [absent.peer_id], liar.secret, 0.0)),
        "bad_signature": [
            *attacks.borrowed_acks(KEY, [(absent.peer_id, absent.secret.public)], liar.secret, 0.0),
            *attacks.replayed_acks(old, other),
        ],
        "far_expiry": list(attacks.squatting_acks(KEY, [committee[31].peer_id], committee[31].secret, 0.0)),
        "already_written": [victim.record(value=b"\x00" + VALUE[1:], expiry=3601.0)],
        "oversize": [writers(1, "trainer")[0].record(delta_key(9), bytes(150_033))],
    }
    for reason, records in bad.items():
        for record in records:
            stored = await dht.store(3, record)
            assert (stored.replicas, stored.reason) == (0, reason)
    assert dht.refused() == {reason: len(records) for reason, records in sorted(bad.items())}
    status = await dht.status()
    for node, (refused, evidence) in status.items():  # each node refused by itself, though asked by another
        assert (
            refused.items() >= {"unregistered": 3, "foreign_subkey": 1, "far_expiry": 1, "already_written": 1}.items()
        )
        assert [first.subkey for first, _ in evidence.pairs()] == [victim.peer_id], node
    assert (await dht.store(0, absent.record())).replicas == 4  # squatted, forged, and yet it lands
    assert len((await dht.fetch(1, KEY)).records) == 21
    assert (await dht.fetch(1, other)).records == ()


async def survives_losses(dht: HivemindDht, committee: list[Writer]) -> None:
    await dht.kill(0)
    await dht.kill(2)
    await dht.kill(2)
    assert [peer.up for peer in dht.peers()] == [False, True, False, True]
    assert len((await dht.fetch(1, KEY)).records) == 21
    assert (await dht.fetch(0, KEY)).records == ()
    assert (await dht.store(0, committee[33].record())).reason == "unreachable"
    late = writers(1, "late")[0]
    register(dht, [late])
    assert (await dht.store(3, late.record())).replicas == 2
    await dht.revive(0)
    await dht.revive(2)
    assert all(peer.up for peer in dht.peers())
    assert len((await dht.fetch(0, KEY)).records) == 22
    assert (await dht.store(0, committee[32].record())).replicas == 4


async def splits_and_heals(dht: HivemindDht, committee: list[Writer]) -> None:
    key = ack_key(b"split" * 7)
    dht.partition(((0, 1), (2, 3)))
    assert [peer.group for peer in dht.peers()] == [1, 1, 2, 2]
    assert (await dht.store(0, committee[0].record(key))).replicas == 2
    assert (await dht.store(3, committee[1].record(key))).replicas == 2
    assert [r.subkey for r in (await dht.fetch(1, key)).records] == [committee[0].peer_id]
    assert [r.subkey for r in (await dht.fetch(2, key)).records] == [committee[1].peer_id]
    dht.partition(())
    assert len((await dht.fetch(1, key)).records) == 2
    assert (await dht.store(2, committee[2].record(key))).replicas == 4


async def forgets_what_is_over(dht: HivemindDht, committee: list[Writer]) -> None:
    dht.advance(3599.0)
    assert len((await dht.fetch(0, KEY)).records) == 23
    assert (await dht.store(1, committee[35].record(expiry=7000.0))).replicas == 4
    dht.advance(3600.0)
    assert [r.subkey for r in (await dht.fetch(0, KEY)).records] == [committee[35].peer_id]
    await dht.status()
    assert {peer.records for peer in dht.peers()} == {1}
    assert (await dht.store(1, committee[36].record(expiry=3600.0))).reason == "expired"


@needs_hivemind
@pytest.mark.learn
@pytest.mark.slow
async def test_with_two_fifths_of_the_nodes_gone_99_of_100_acks_are_read(committee: list[Writer]) -> None:
    dht = await HivemindDht.start(config(10))
    try:
        register(dht, committee)
        await asyncio.gather(*(dht.store(n % 10, member.record()) for n, member in enumerate(committee)))
        lost = set(random.Random(4).sample(range(10), 4))
        for node in lost:
            await dht.kill(node)
        for node in set(range(10)) - lost:
            assert len((await dht.fetch(node, KEY)).records) >= 0.99 * len(committee)
    finally:
        await dht.close()


@needs_hivemind
@pytest.mark.learn
async def test_the_dht_says_when_its_process_is_gone_and_leaves_none_behind(committee: list[Writer]) -> None:
    dht = await HivemindDht.start(config(2))
    try:
        register(dht, committee)
        assert (await dht.store(0, committee[0].record())).replicas == 2
        assert dht.pid is not None
        processes = psutil.Process(dht.pid).children(recursive=True)
        assert len(processes) == 4  # two nodes and their daemons
        waiting = asyncio.ensure_future(dht.fetch(1, KEY))
        os.kill(dht.pid, signal.SIGKILL)
        with pytest.raises(TransportError) as error:
            while True:
                await waiting
                waiting = asyncio.ensure_future(dht.fetch(1, KEY))
        assert "status -9" in str(error.value) and "goes on from its journal" in str(error.value)
        with pytest.raises(TransportError):
            await dht.kill(0)
        assert not alive(processes)
    finally:
        await dht.close()


@needs_hivemind
@pytest.mark.learn
def test_no_process_outlives_a_killed_console() -> None:
    parent = subprocess.Popen(
        [sys.executable, str(Path(__file__).parent / "worker" / "parent.py")],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[4])},
    )
    assert parent.stdout is not None
    with parent, parent.stdout as output:
        host = psutil.Process(int(output.readline()))
        processes = [host, *host.children(recursive=True)]
        assert sorted(process.name() for process in processes).count("p2pd") == 2
        parent.kill()
    assert not alive(processes)


@needs_hivemind
@pytest.mark.learn
async def test_a_taken_port_is_named() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(LearnPortError, match=str(port)):
            await open_dht(config(2), port=port)


async def test_without_hivemind_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hivemind", None)  # what the import system takes for not installed
    with pytest.raises(LearnExtraMissingError, match=r"pip install 'nashboard\[learn\]'"):
        await open_dht(config(2))


def test_the_console_does_not_import_hivemind() -> None:
    code = "import sys, engine.learning.transport.hivemind_dht\nassert not {'hivemind', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[4])


@needs_hivemind
@pytest.mark.learn
@pytest.mark.parametrize("moment", [0.0, 0.01, 0.3, 1.5])
async def test_a_start_that_is_given_up_leaves_nothing(moment: float, caplog: pytest.LogCaptureFixture) -> None:
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    start = asyncio.create_task(open_dht(config(2)))
    await asyncio.sleep(moment)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    await asyncio.sleep(0.05)  # for what would still be called back
    left = [process for process in psutil.Process().children(recursive=True) if process.pid not in before]
    assert alive([process for process in left if "resource_tracker" not in " ".join(process.cmdline())]) == []
    assert not caplog.records
