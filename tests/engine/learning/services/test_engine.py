"""The engine API: what is VALID, every reason for INVALID, and payloads that are built with proof of work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from engine.learning import pow as work
from engine.learning.beacon.committees import proposer_of
from engine.learning.services.payload import form_of
from engine.learning.types import AckCertificate, ExecutionHeader
from tests.engine.learning.services.small_chain import Chain, next_header

ZERO = "0x" + "00" * 32


def choice_of(head: bytes) -> dict[str, str]:
    return {"headBlockHash": "0x" + head.hex(), "safeBlockHash": ZERO, "finalizedBlockHash": ZERO}


async def test_the_chains_own_next_block_is_valid(chain, serving) -> None:
    payload = form_of(next_header(chain.view), None)
    async with serving(chain) as client:
        for version in ("V1", "V2"):
            answer = await client.call("engine", f"engine_newPayload{version}", payload)
            assert answer == {"status": "VALID", "latestValidHash": payload["blockHash"], "validationError": None}


async def test_every_block_of_the_chain_is_valid_again(chain, serving) -> None:
    async with serving(chain) as client:
        for number in range(1, 11):
            payload = form_of(chain.view.by_number(number).execution, None)
            answer = await client.call("engine", "engine_newPayloadV1", payload)
            assert (answer["status"], answer["latestValidHash"]) == ("VALID", payload["blockHash"])


def changed(**fields: Any) -> Callable[[Any], dict[str, Any]]:
    """Return a payload of a header with other fields, properly mined: nothing else is wrong with it."""
    return lambda chain: form_of(next_header(chain.view, **fields), None)


def said(**values: Any) -> Callable[[Any], dict[str, Any]]:
    """Return a proper payload that says something else."""
    return lambda chain: form_of(next_header(chain.view), None) | values


def unmined(chain: Any) -> dict[str, Any]:
    header = next_header(chain.view)
    while work.check(header, chain.config.pow_bits):
        header.nonce += 1
    return form_of(header, None)


def too_easy(chain: Any) -> dict[str, Any]:
    return form_of(work.mine(next_header(chain.view), chain.config.pow_bits - 1), None)


def another_proposer(chain: Any) -> dict[str, Any]:
    state = chain.tree.state_at(chain.choice.head(), chain.slot + 1)
    return changed(proposer_index=(proposer_of(state, chain.slot + 1) + 1) % 4)(chain)


INVALID = {
    "extra data of 32 bytes": (said(extraData="0x" + "ab" * 32), "ExtraData has 32 bytes, not 64"),
    "no extra data": (said(extraData="0x"), "ExtraData has 0 bytes, not 64"),
    "extra data of 65 bytes": (said(extraData="0x" + "ab" * 65), "ExtraData has 65 bytes, not 64"),
    "another block's extra data": (changed(extra_data=b"\x07" * 32 + bytes(32)), "ExtraData begins with 0707"),
    "no proof of work": (unmined, "zero bits"),
    "too little difficulty": (too_easy, "its difficulty is 3 bits, not 4"),
    "an update without a certificate": (
        lambda chain: changed(extra_data=chain.view.head().execution_hash + b"\x05" * 32)(chain),
        "without a certificate",
    ),
    "a wrong hash": (said(blockHash="0x" + "ab" * 32), "the payload says 0xabab"),
    "another number": (changed(number=5), "its number is 5, not 11"),
    "another time": (changed(timestamp=131), "its time is 131 s, slot 11 begins at 132 s"),
    "its parent's time": (changed(timestamp=120), "is that of slot 10"),
    "the future": (changed(timestamp=12 * 12), "is that of slot 12"),
    "the far future": (changed(timestamp=2**63), "is that of slot"),
    "another proposer": (another_proposer, "turn"),
    "another model": (changed(model_root=b"\x01" * 32), "the chain works on"),
    "transactions": (said(transactions=["0x00"]), "transactions is not empty"),
    "a recipient": (said(feeRecipient="0x" + "01" * 20), "feeRecipient is not empty"),
}


@pytest.mark.parametrize("name", INVALID)
async def test_what_the_chain_would_not_take_is_invalid_and_says_why(chain, serving, name: str) -> None:
    make, why = INVALID[name]
    async with serving(chain) as client:
        answer = await client.call("engine", "engine_newPayloadV1", make(chain))
    assert answer["status"] == "INVALID"
    assert why in answer["validationError"]
    assert answer["latestValidHash"] == "0x" + chain.view.head().execution_hash.hex()


async def test_a_wrong_parent_hash_is_invalid(chain, serving) -> None:
    payload = changed(parent_hash=b"\x09" * 32, extra_data=b"\x09" * 32 + bytes(32))(chain)
    async with serving(chain) as client:
        answer = await client.call("engine", "engine_newPayloadV1", payload)
    assert answer["status"] == "INVALID"
    assert answer["latestValidHash"] is None  # nothing of its branch is known
    assert "0x0909" in answer["validationError"]
    assert chain.view.head().execution_hash.hex() in answer["validationError"]


async def test_a_certified_update_is_valid_and_every_doubt_of_it_invalid(serving) -> None:
    chain = Chain()
    chain.extend(1, update=True)
    certificate = chain.certificate
    proposal = chain.view.proposal(chain.choice.head(), 2)
    assert proposal.certificate == certificate
    header = next_header(chain.view)
    assert bytes(header.extra_data)[32:] == proposal.update_id != bytes(32)

    def doubt(change: Callable[[AckCertificate], None]) -> dict[str, Any]:
        other = certificate.copy()
        change(other)
        return form_of(header, other)

    def fewer(made: AckCertificate) -> None:
        for index in range(3):
            made.bits[index] = False

    def others(made: AckCertificate) -> None:
        made.bits[0] = False

    def against(made: AckCertificate) -> None:
        made.vote.accept = False

    def forged(made: AckCertificate) -> None:
        made.signature = b"\xc0" + bytes(95)

    def stale(made: AckCertificate) -> None:
        made.vote.base_root = b"\x03" * 32

    def shorter(made: AckCertificate) -> None:
        made.bits = [True, True, True]

    async with serving(chain) as client:
        answer = await client.call("engine", "engine_newPayloadV1", form_of(header, certificate))
        assert answer["status"] == "VALID", answer
        for payload, why in (
            (form_of(header, None), "without a certificate"),
            (doubt(fewer), "1 of 4 accept, the quorum is 2"),
            (doubt(others), "not that of the 3 members"),
            (doubt(against), "votes against"),
            (doubt(forged), "not that of the 4 members"),
            (doubt(stale), "the chain works on"),
            (doubt(shorter), "committee of 3"),
            (form_of(work.mine(ExecutionHeader(**fields_of(header, bytes(32))), 4), certificate), "names no update"),
        ):
            answer = await client.call("engine", "engine_newPayloadV1", payload)
            assert answer["status"] == "INVALID"
            assert why in answer["validationError"], answer


def fields_of(header: ExecutionHeader, update_id: bytes) -> dict[str, Any]:
    fields = {name: getattr(header, name) for name in ExecutionHeader.fields()}
    return fields | {"extra_data": bytes(header.parent_hash) + update_id}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"parentHash": "0x12"}, "parentHash has 32 bytes, got 1"),
        ({"parentHash": 5}, "parentHash is data"),
        ({"extraData": "0xabc"}, "extraData is data"),
        ({"extraData": None}, "extraData is data"),
        ({"blockNumber": "0x00"}, "blockNumber is a quantity"),
        ({"blockNumber": 11}, "blockNumber is a quantity"),
        ({"timestamp": "0x" + "f" * 17}, "timestamp is a quantity"),
        ({"difficultyBits": "0x100"}, "difficultyBits is at most"),
        ({"nonce": "0x0"}, "nonce is data"),
        ({"certificate": "0x"}, "certificate is no SSZ"),
        ({"certificate": "0x" + "ff" * 300}, "certificate is no SSZ"),
        ({"certificate": "0x" + "00" * 3000}, "certificate has at most"),
        ({"certificate": {"bits": 1}}, "certificate is data"),
    ],
)
async def test_a_payload_that_cannot_be_read_is_no_call(chain, serving, change: dict[str, Any], why: str) -> None:
    payload = form_of(next_header(chain.view), None) | change
    async with serving(chain) as client:
        code, message = await client.call("engine", "engine_newPayloadV1", payload)
    assert code == -32602
    assert why in message


@pytest.mark.parametrize("payload", [None, [], "0x", 5])
async def test_what_is_no_object_is_no_payload(chain, serving, payload: Any) -> None:
    async with serving(chain) as client:
        assert (await client.call("engine", "engine_newPayloadV1", payload))[0] == -32602
        assert (await client.call("engine", "engine_forkchoiceUpdatedV1", payload))[0] == -32602


async def test_a_payload_is_built_mined_and_taken_by_the_chain(chain, serving) -> None:
    """forkchoiceUpdated starts it, getPayload hands it over, newPayload finds it valid."""
    chain = Chain()
    chain.extend(1, update=True)
    head = chain.view.head().execution_hash
    attributes = {"timestamp": "0x18", "prevRandao": ZERO, "suggestedFeeRecipient": "0x" + "00" * 20}
    async with serving(chain) as client:
        answer = await client.call("engine", "engine_forkchoiceUpdatedV1", choice_of(head), attributes)
        assert answer["payloadStatus"] == {
            "status": "VALID",
            "latestValidHash": "0x" + head.hex(),
            "validationError": None,
        }
        again = await client.call("engine", "engine_forkchoiceUpdatedV2", choice_of(head), attributes)
        assert again["payloadId"] == answer["payloadId"]
        payload = await client.call("engine", "engine_getPayloadV1", answer["payloadId"])
        wrapped = await client.call("engine", "engine_getPayloadV2", answer["payloadId"])
        assert wrapped == {"executionPayload": payload, "blockValue": "0x0"}
        assert payload["extraData"] == "0x" + head.hex() + bytes(chain.certificate.vote.update_id).hex()
        assert payload["parentHash"] == "0x" + head.hex()
        assert work.leading_zeros(bytes.fromhex(payload["blockHash"][2:])) >= 4
        assert (await client.call("engine", "engine_newPayloadV1", payload))["status"] == "VALID"
        chosen = await client.call(
            "engine", "engine_forkchoiceUpdatedV1", choice_of(bytes.fromhex(payload["blockHash"][2:])), None
        )
        assert chosen["payloadStatus"]["status"] == "VALID"
        child = form_of(next_header(chain.view, parent_hash=bytes.fromhex(payload["blockHash"][2:])), None)
        assert (await client.call("engine", "engine_newPayloadV1", child))["status"] == "SYNCING"
        chain.extend(1, update=True)  # the chain goes on by its own proposer, which makes the same block
        assert chain.view.head().execution_hash.hex() == payload["blockHash"][2:]


async def test_a_head_that_is_not_known_is_syncing_and_others_are_errors(chain, serving) -> None:
    head = chain.view.head().execution_hash
    async with serving(chain) as client:
        answer = await client.call("engine", "engine_forkchoiceUpdatedV1", choice_of(b"\x07" * 32))
        assert answer == {
            "payloadStatus": {"status": "SYNCING", "latestValidHash": None, "validationError": None},
            "payloadId": None,
        }
        bad = choice_of(head) | {"finalizedBlockHash": "0x" + "07" * 32}
        assert (await client.call("engine", "engine_forkchoiceUpdatedV1", bad))[0] == -38002
        for timestamp in ("0x78", "0x90", "0xffffffffffffffff"):
            attributes = {"timestamp": timestamp}
            found = await client.call("engine", "engine_forkchoiceUpdatedV1", choice_of(head), attributes)
            assert found[0] == -38003, timestamp
        assert (await client.call("engine", "engine_forkchoiceUpdatedV1", choice_of(head), {}))[0] == -32602
        assert (await client.call("engine", "engine_forkchoiceUpdatedV1", choice_of(head), []))[0] == -32602
        assert (await client.call("engine", "engine_getPayloadV1", "0x" + "00" * 8))[0] == -38001
        assert (await client.call("engine", "engine_getPayloadV1", "0x00"))[0] == -32602


async def test_mining_that_is_too_hard_holds_nothing_up_and_ends_with_the_services(chain, serving, monkeypatch) -> None:
    monkeypatch.setattr("engine.learning.services.engine.WAIT_S", 0.05)
    hard = Chain(pow_bits=28)
    async with serving(hard) as client:
        head = hard.view.head().execution_hash
        names = []
        for second in (1, 2, 3, 4, 5):
            hard.slot = second
            attributes = {"timestamp": hex(12 * second)}
            answer = await client.call("engine", "engine_forkchoiceUpdatedV1", choice_of(head), attributes)
            names.append(answer["payloadId"])
        assert len(set(names)) == 5
        code, message = await client.call("engine", "engine_getPayloadV1", names[-1])
        assert (code, "ask again" in message) == (-32000, True)
        assert (await client.call("engine", "engine_getPayloadV1", names[0]))[0] == -38001  # only four are kept
        assert await client.call("eth", "eth_blockNumber") == "0x0"
        mining = [task for task in asyncio.all_tasks() if task.get_name() == "mining a payload"]
        assert len([task for task in mining if not task.done()]) == 4
    assert all(task.done() for task in mining)


async def test_what_the_engine_can_do_is_told(chain, serving) -> None:
    async with serving(chain) as client:
        names = await client.call("engine", "engine_exchangeCapabilities", ["engine_newPayloadV1"])
        assert {"engine_newPayloadV1", "engine_forkchoiceUpdatedV1", "engine_getPayloadV1"} <= set(names)
        assert "engine_exchangeCapabilities" not in names
        assert (await client.call("engine", "engine_exchangeCapabilities", "all"))[0] == -32602
        assert await client.call("engine", "eth_blockNumber") == "0xa"
        assert (await client.call("eth", "engine_newPayloadV1", {}))[0] == -32601  # not without a token
