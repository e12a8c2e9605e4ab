"""Ethereum's JSON-RPC: as web3 reads it, and JSON-RPC's own rules for calls, batches and errors."""

from __future__ import annotations

from typing import Any

import pytest
from web3 import AsyncHTTPProvider, AsyncWeb3
from web3.exceptions import BlockNotFound
from web3.middleware import ExtraDataToPOAMiddleware

from engine.learning.pow import leading_zeros
from tests.engine.learning.services.small_chain import Chain

NUMBER = {"jsonrpc": "2.0", "method": "eth_blockNumber", "params": [], "id": 1}


async def test_web3_reads_the_chain(long_chain, serving) -> None:
    async with serving(long_chain) as client:
        web3 = AsyncWeb3(AsyncHTTPProvider(client.services.addresses["eth"]))
        web3.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)  # web3 takes 32 bytes of it otherwise
        try:
            assert await web3.eth.chain_id == 4242
            assert await web3.net.version == "4242"
            assert await web3.eth.block_number == 40
            assert await web3.eth.syncing is False
            assert (await web3.client_version).startswith("nashboard/v")
            child = await web3.eth.get_block("latest")
            assert child.number == 40
            for number in range(39, -1, -1):
                block = await web3.eth.get_block(child.parentHash)
                assert block == await web3.eth.get_block(number)
                assert block.hash == child.parentHash
                assert child.timestamp - block.timestamp == 12
                assert child.proofOfAuthorityData[:32] == block.hash
                assert leading_zeros(bytes(child.hash)) >= 4
                assert child.difficulty == 16
                assert child.totalDifficulty == 16 * (number + 1)
                child = block
            assert child == await web3.eth.get_block("earliest")
            assert child.number == 0
            assert (await web3.eth.get_block("safe")).number == 32
            assert (await web3.eth.get_block("finalized")).number == 24
            assert (await web3.eth.get_block("pending")).number == 40
            with pytest.raises(BlockNotFound):
                await web3.eth.get_block(41)
        finally:
            await web3.provider.disconnect()


async def test_a_block_names_its_model_its_update_and_its_beacon_block(serving) -> None:
    chain = Chain()
    chain.extend(2, update=True)
    head = chain.view.head()
    async with serving(chain) as client:
        block = await client.call("eth", "eth_getBlockByNumber", "0x2", False)
        assert block["extraData"] == block["parentHash"] + block["updateId"][2:]
        assert int(block["updateId"], 16)
        assert block["beaconRoot"] == "0x" + head.root.hex()
        assert block["stateRoot"] == "0x" + bytes(head.execution.model_root).hex()
        assert (block["slot"], block["proposerIndex"]) == ("0x2", hex(int(head.header.proposer_index)))
        before = await client.call("eth", "eth_getBlockByNumber", "0x1", False)
        assert before["updateId"] == "0x" + "00" * 32
        assert before["stateRoot"] != block["stateRoot"]


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("eth_sendRawTransaction", ["0x00"], -32601),
        ("__init__", [], -32601),
        ("", [], -32601),
        ("eth_getBlockByNumber", [], -32602),
        ("eth_getBlockByNumber", ["0x1", False, 3], -32602),
        ("eth_getBlockByNumber", ["0x01", False], -32602),
        ("eth_getBlockByNumber", ["0x", False], -32602),
        ("eth_getBlockByNumber", ["1", False], -32602),
        ("eth_getBlockByNumber", [1, False], -32602),
        ("eth_getBlockByNumber", [["latest"], False], -32602),
        ("eth_getBlockByNumber", ["0x1", "false"], -32602),
        ("eth_getBlockByNumber", ["0x" + "f" * 17, False], -32602),
        ("eth_getBlockByNumber", ["newest", False], -32602),
        ("eth_getBlockByHash", ["0x" + "ab" * 31, False], -32602),
        ("eth_getBlockByHash", ["ab" * 32, False], -32602),
        ("eth_blockNumber", [1], -32602),
    ],
)
async def test_a_call_that_does_not_fit_is_told_why(chain, serving, method: str, params: Any, code: int) -> None:
    async with serving(chain) as client:
        found = await client.call("eth", method, *params)
    assert found[0] == code
    assert method in found[1]


async def test_blocks_that_are_not_there_are_null(chain, serving) -> None:
    async with serving(chain) as client:
        assert await client.call("eth", "eth_getBlockByHash", "0x" + "ab" * 32, False) is None
        assert await client.call("eth", "eth_getBlockByNumber", "0xffffffffffffffff", True) is None


async def test_a_batch_is_answered_in_order_and_notifications_are_not(chain, serving) -> None:
    quiet = {"jsonrpc": "2.0", "method": "eth_blockNumber"}
    unknown = {"jsonrpc": "2.0", "method": "nothing", "id": "b"}
    async with serving(chain) as client:
        status, answers = await client.post("eth", [NUMBER, quiet, unknown, 5, NUMBER | {"id": None}])
        assert status == 200
        assert [answer["id"] for answer in answers] == [1, "b", None, None]
        assert answers[0]["result"] == "0xa"
        assert [answer.get("error", {}).get("code") for answer in answers] == [None, -32601, -32600, None]
        assert await client.post("eth", quiet) == (204, None)
        assert await client.post("eth", [quiet, quiet]) == (204, None)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b'{"a": 1, "a": 2}', -32700),
        (b"[" * 50 + b"]" * 50, -32700),
        (b"NaN", -32700),
        (b'"text"', -32600),
        (b"[]", -32600),
        (b"{}", -32600),
        (b'{"jsonrpc": "1.0", "method": "eth_blockNumber", "id": 1}', -32600),
        (b'{"jsonrpc": "2.0", "method": 5, "id": 1}', -32600),
        (b'{"jsonrpc": "2.0", "method": "eth_blockNumber", "id": [1]}', -32600),
        (b'{"jsonrpc": "2.0", "method": "eth_blockNumber", "id": true}', -32600),
        (b'{"jsonrpc": "2.0", "method": "eth_blockNumber", "id": 1e999}', -32600),
        (b'{"jsonrpc": "2.0", "method": "eth_blockNumber", "id": 1, "params": {}}', -32602),
        (b'{"jsonrpc": "2.0", "method": "eth_blockNumber", "id": 1, "params": "x"}', -32602),
        (b"[" + b",".join([b"1"] * 101) + b"]", -32600),
        (b"\xff\xfe", -32700),
    ],
)
async def test_bodies_that_are_no_calls(chain, serving, body: bytes, code: int) -> None:
    async with serving(chain) as client:
        status, answer = await client.post("eth", body)
    assert status == 200
    assert answer["error"]["code"] == code
    assert answer["error"]["message"]
