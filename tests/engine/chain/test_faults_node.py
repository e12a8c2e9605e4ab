"""What can go wrong with a node: it restarts, forgets, reorganises, hangs, babbles, or swallows what it answered."""

import asyncio
import os
import signal
from contextlib import asynccontextmanager

import pytest

from engine.chain.control import MANUAL, NodeControl
from engine.chain.errors import RpcError, WrongChainError
from engine.chain.rpc import Rpc, hex_data
from tests.engine.chain.desk import BOOK, GATE, GATE_CODE, desk_at

pytestmark = pytest.mark.chain


@asynccontextmanager
async def line_to(url: str, fail_at: int, answer: bytes | None):
    """A line to the node that passes every request on; what request ``fail_at`` answers is lost, or ``answer``."""
    host, port = url.removeprefix("http://").split(":")
    seen, tasks = 0, set()

    async def serve(reader, writer):
        nonlocal seen
        tasks.add(asyncio.current_task())
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-l"))
        body = await reader.readexactly(length)
        number, seen = seen, seen + 1
        node_reader, node_writer = await asyncio.open_connection(host, int(port))
        node_writer.write(head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + body)
        await node_writer.drain()
        reply = await node_reader.read()
        node_writer.close()
        if number == fail_at:
            reply = b"" if answer is None else http(answer)
        writer.write(reply)
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    rpc = Rpc(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", deadline=5.0)
    try:
        yield rpc
    finally:
        await rpc.close()
        listening.close()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listening.wait_closed()


def http(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body


GARBAGE = [
    None,  # lost on the way
    b"",
    b"\xff\x00 no JSON",
    b'{"jsonrpc":"2.0","id":0}',
    b'{"jsonrpc":"2.0","id":0,"result":[]}',
    b'{"jsonrpc":"2.0","id":0,"error":{"code":-1,"message":"busy"}}',
    b'[{"jsonrpc":"2.0","id":9,"result":"0x1"}]',
    b'{"jsonrpc":"2.0","id":0,"result":{"number":5,"timestamp":"later"}}',
    b'{"jsonrpc":"2.0","id":0,"result":"0x"}',
    b"[" * 1_000_000,
    b'{"a":' * 200_000 + b"1" + b"}" * 200_000,
]


@pytest.mark.parametrize("shift", range(3))
async def test_any_one_answer_lost_or_garbled_costs_nothing(tmp_path, shift):
    """Whichever request it hits: an error says so, or nothing happens; the next drain brings all to its end, once."""
    async with desk_at(tmp_path) as desk:
        told, rounds = 0, 0
        for number in range(14):  # a drain has about a dozen requests
            for answer in GARBAGE[shift::3]:
                keys = [f"{rounds}:{place}" for place in range(2)]
                desk.pay(*keys)
                async with line_to(desk.devnet.status.url, number, answer) as rpc:
                    try:
                        await desk.sender_by(rpc, NodeControl(rpc)).drain()
                    except RpcError:
                        told += 1
                await desk.sender.drain()
                assert await desk.received(*keys) == [1, 1], (number, answer)
                rounds += 1
        assert told > rounds // 3
        assert await desk.nonce() == 2 * rounds
        assert set(desk.store.outbox.counts(BOOK)) == {"mined"}


async def test_a_node_that_hangs_is_told_and_goes_on_later(tmp_path):
    async with desk_at(tmp_path) as desk:
        await desk.control.set_mining(MANUAL)
        desk.pay("a", "b")
        rpc = Rpc(desk.devnet.status.url, deadline=0.7)
        draining = asyncio.ensure_future(desk.sender_by(rpc).drain())
        await desk.until("b", "sent")
        os.kill(desk.devnet.status.pid, signal.SIGSTOP)
        try:
            with pytest.raises(RpcError, match=r"did not answer eth_\w+: 0\.7 s passed"):
                await draining
        finally:
            os.kill(desk.devnet.status.pid, signal.SIGCONT)
            await rpc.close()
        desk.pay("c")
        await desk.sender.drain()
        assert await desk.received(*"abc") == [1, 1, 1]
        assert await desk.nonce() == 3


@pytest.mark.parametrize("kept", [True, False])
async def test_a_node_killed_while_transactions_wait_in_its_pool(tmp_path, kept):
    async with desk_at(tmp_path) as desk:
        desk.pay("before")
        await desk.sender.drain()
        await desk.control.set_mining(MANUAL)
        desk.pay("a", "b")
        draining = asyncio.ensure_future(desk.sender_by(desk.rpc).drain())
        await desk.until("b", "sent")
        await asyncio.sleep(1.5 if kept else 0)  # the state is saved every second
        port = desk.devnet.status.port
        os.kill(desk.devnet.status.pid, signal.SIGKILL)
        with pytest.raises(RpcError, match="cannot be reached"):
            await draining
        async with asyncio.timeout(60):
            while desk.devnet.status.state != "failed":
                await asyncio.sleep(0.01)
        if not kept:
            for file in desk.devnet.folder.glob("state*.json"):
                file.unlink()
        await desk.devnet.up(port=port)
        await desk.sender.drain()
        assert await desk.received("before", "a", "b") == [1, 1, 1]
        assert await desk.nonce() == 3


async def test_another_chain_on_the_same_port_gets_nothing(tmp_path):
    async with desk_at(tmp_path) as desk:
        port = desk.devnet.status.port
        desk.pay("a")
        await desk.devnet.down()
        await desk.devnet.up(port=port, chain_id=137)
        with pytest.raises(WrongChainError, match="its id is 137, expected 31337"):
            await desk.sender.drain()
        assert desk.row("a").state == "queued"
        await desk.devnet.down()
        await desk.devnet.up(port=port)
        await desk.sender.drain()
        assert await desk.received("a") == [1]


async def test_a_reorganisation_without_our_transactions_sends_them_again(tmp_path):
    async with desk_at(tmp_path) as desk:
        await desk.control.mine(3)
        desk.pay("a", "b", "c")
        await desk.sender.drain()
        depth = await desk.rpc.block_number() - desk.row("a").block + 1
        hashes = [desk.row(key).hash for key in "abc"]
        await desk.rpc.request("anvil_reorg", depth, [])
        assert await desk.received(*"abc") == [0, 0, 0]
        desk.pay("d")
        await desk.sender.drain()
        assert await desk.received(*"abcd") == [1, 1, 1, 1]
        assert [desk.row(key).hash for key in "abc"] == hashes
        assert await desk.nonce() == 4


async def test_what_stood_in_lost_blocks_goes_back_block_by_block(tmp_path):
    """A transaction may build on one of another account in a lower block; sent together, either may be first."""
    async with desk_at(tmp_path) as desk:
        start = await desk.rpc.block_number()
        for payer, key in enumerate("abc", start=5):
            desk.pay(key, payer=payer)
            await desk.sender.drain()
        await desk.rpc.request("anvil_reorg", await desk.rpc.block_number() - start, [])
        await desk.control.set_mining(MANUAL)  # what waits together is mined together
        desk.pay("d", payer=8)
        await desk.sender.drain()
        assert await desk.received(*"abcd") == [1, 1, 1, 1]
        assert desk.row("a").block < desk.row("b").block < desk.row("c").block < desk.row("d").block


async def test_a_reorganisation_that_moves_our_transactions_corrects_block_gas_and_outcome(tmp_path):
    async with desk_at(tmp_path) as desk:
        await desk.rpc.request("anvil_setCode", GATE, hex_data(GATE_CODE))
        await desk.control.mine(3)
        desk.pay("a")
        desk.pass_gate("gate", await desk.now() + 1000)
        await desk.sender.drain()
        before = {key: desk.row(key) for key in ("a", "gate")}
        assert {row.state for row in before.values()} == {"mined"}
        depth = await desk.rpc.block_number() - before["a"].block + 1
        # The same bytes, but in the second new block, and no gate opens any more.
        await desk.control.mine()
        pairs = [[hex_data(before[key].raw), 1] for key in ("a", "gate")]
        code = GATE_CODE.replace(b"\x5f\x35\x42\x11", b"\x60\x01\x60\x01")[: len(GATE_CODE)]
        await desk.rpc.request("anvil_setCode", GATE, hex_data(code))
        await desk.rpc.request("anvil_reorg", depth + 1, pairs)
        await desk.sender.drain()
        for key, row in before.items():
            receipt = await desk.rpc.request("eth_getTransactionReceipt", row.hash)
            now = desk.row(key)
            assert now.hash == row.hash and now.block_hash != row.block_hash
            assert (now.block, now.block_hash) == (int(receipt["blockNumber"], 16), receipt["blockHash"])
            assert now.gas_used == int(receipt["gasUsed"], 16)
            assert (now.state == "mined") == (receipt["status"] == "0x1")
        assert await desk.received("a") == [1]
        assert await desk.nonce() == 2
