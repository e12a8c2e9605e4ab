"""What the client says about nodes that are not there, are no nodes, hang up, hang, or refuse."""

import asyncio
import gc
import json
from contextlib import asynccontextmanager

import pytest
from web3._utils.http_session_manager import HTTPSessionManager

from engine.chain.errors import ContractRevertError, RpcError
from engine.chain.rpc import Rpc

pytestmark = pytest.mark.chain


@asynccontextmanager
async def server(*answers: bytes | None):
    """Answer one connection after another with raw bytes; None, and a bytearray once it is sent, hang until the end."""
    waiting, seen, tasks = list(answers), [], set()

    async def serve(reader, writer):
        tasks.add(asyncio.current_task())
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if b"ength" in line)
            seen.append(json.loads(await reader.readexactly(length)))
            answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            writer.write(answer or b"")
            await writer.drain()
            if answer is None or isinstance(answer, bytearray):
                await asyncio.sleep(60)
        except (asyncio.CancelledError, asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    rpc = Rpc(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", deadline=1.0)
    try:
        yield rpc, seen
    finally:
        await rpc.close()
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listening.wait_closed()


def http(body: bytes, status: str = "200 OK", kind: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    return head.encode() + body


GOOD = http(b'{"jsonrpc":"2.0","id":0,"result":"0x7a69"}')


async def test_nobody_listens():
    rpc = Rpc("http://127.0.0.1:9", deadline=1.0)
    with pytest.raises(RpcError, match=r"cannot be reached.*Start the devnet"):
        await rpc.chain_id()
    assert not await rpc.alive()
    await rpc.close()


@pytest.mark.parametrize(
    "answer",
    [
        http(b"<html>a router</html>", kind="text/html"),
        http(b"not found", "404 Not Found"),
        http(b"[1, 2"),
        http(b"42"),
        http(b"{}"),
        http(b'{"jsonrpc":"2.0","id":0,"result":"what?"}'),
        http(b'{"jsonrpc":"2.0","id":0,"result":null}'),
        http(b"\xff\xfe\x00"),
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
    ],
    ids=["html", "404", "half", "number", "empty", "no-number", "null", "bytes", "ssh", "hang-up"],
)
async def test_something_that_is_no_node(answer):
    async with server(answer) as (rpc, _):
        with pytest.raises(RpcError):
            await rpc.chain_id()
        assert not await rpc.alive()
        with pytest.raises(RpcError):
            await rpc.batch([("eth_chainId", []), ("eth_blockNumber", [])])


async def test_a_node_that_does_not_answer_in_time():
    async with server(None) as (rpc, _):
        with pytest.raises(RpcError, match="did not answer eth_chainId: 1 s passed"):
            await rpc.chain_id()


async def test_a_dropped_connection_is_tried_again_where_that_is_harmless():
    async with server(b"", GOOD) as (rpc, seen):
        assert await rpc.chain_id() == 31337
        assert [request["method"] for request in seen] == ["eth_chainId"] * 2
    async with server(b"", GOOD) as (rpc, seen):
        with pytest.raises(RpcError):
            await rpc.request("evm_increaseTime", 60)
        assert len(seen) == 1


@pytest.mark.parametrize("answer", [None, bytearray(http(b" " * 200_000)[:-1])], ids=["before the answer", "amid it"])
async def test_closing_ends_what_is_being_asked(answer):
    """The node is taken down while somebody waits for it: who waits is told at once, not after the deadline."""
    async with server(answer) as (rpc, seen):
        rpc._deadline = 3600.0
        asking = asyncio.create_task(rpc.chain_id())
        while not seen:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)  # what was sent arrives
        await rpc.close()
        with pytest.raises(RpcError, match="closed meanwhile"):
            await asyncio.wait_for(asking, 60)


async def test_answers_of_a_batch_come_in_the_order_of_the_requests():
    body = b'[{"jsonrpc":"2.0","id":1,"result":"second"},{"jsonrpc":"2.0","id":0,"result":"first"}]'
    async with server(http(body)) as (rpc, _):
        answers = await rpc.batch([("a_b", []), ("c_d", [])])
        assert [answer["result"] for answer in answers] == ["first", "second"]


async def test_refusals_are_told_apart(tmp_path, chain_at):
    async with chain_at(tmp_path) as (_, chain, _parts):
        with pytest.raises(RpcError, match=r"refused no_suchMethod.*ot found"):
            await chain.rpc.request("no_suchMethod")
        call = chain.vault.request_unbond(5)
        with pytest.raises(ContractRevertError, match="InsufficientStake") as caught:
            await chain.rpc.call(call.to, call.data)
        assert caught.value.data["error"] == "InsufficientStake"
        assert caught.value.data["arguments"] == {"available": 0, "needed": 5}


async def test_a_lock_that_a_cancelled_request_left_taken_holds_nothing_up(tmp_path, devnet_at):
    """web3 guards the sessions of a process by one lock; a request cancelled at a bad moment leaves it taken."""
    async with devnet_at(tmp_path) as devnet:
        rpc = Rpc((await devnet.up()).url)
        with HTTPSessionManager._lock:
            async with asyncio.timeout(60):
                assert await rpc.block_number() == 0
        await rpc.close()


async def test_who_asks_after_the_end_leaves_nothing_open():
    """Somebody still held the connection when it was closed: the session of that request goes with its holder."""
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    async with server(GOOD) as (rpc, _):
        await rpc.close()
        assert await rpc.chain_id() == 31337
        late = Rpc(rpc.url)
        assert await late.chain_id() == 31337
    del late
    gc.collect()
    await asyncio.sleep(0)
    assert told == []
