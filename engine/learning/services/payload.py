"""Payloads of the engine API, and whether the chain would take them.

A payload has the names of Ethereum's ``ExecutionPayloadV1``. What this chain hashes stands under ``parentHash``,
``blockNumber``, ``timestamp``, ``stateRoot`` (the model's root), ``extraData`` (parent hash and update id) and three
names of its own: ``proposerIndex``, ``difficultyBits`` and ``nonce``. ``certificate`` is the SSZ form of the quorum's
ACKs, or null. What has no meaning here always has the same empty value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from engine.learning.errors import BlockRefusedError
from engine.learning.pow import hash_of
from engine.learning.services.hexes import data_of, quantity_of, read_data, read_quantity
from engine.learning.services.view import BlockView, ChainView
from engine.learning.types import AckCertificate, ExecutionHeader

EXTRA_DATA = 64  # bytes
MAX_CERTIFICATE = 2048  # bytes; the largest committee's takes 902
AHEAD = 1  # slots that a payload may lie in the future: clocks differ
BEHIND = 64  # slots that a payload may lie after its parent; a state of the chain knows no more
EMPTY: dict[str, Any] = {
    "feeRecipient": data_of(bytes(20)),
    "receiptsRoot": "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
    "logsBloom": data_of(bytes(256)),
    "prevRandao": data_of(bytes(32)),
    "gasLimit": "0x0",
    "gasUsed": "0x0",
    "baseFeePerGas": "0x0",
    "transactions": [],
}


@dataclass(frozen=True, slots=True)
class Payload:
    """A payload that was read. ``extra`` is its ExtraData as it came, of whatever length."""

    header: ExecutionHeader
    extra: bytes
    certificate: AckCertificate | None
    claimed: bytes  # the hash that it says it has
    strange: str  # a name whose value should be the empty one, or ""


def form_of(header: ExecutionHeader, certificate: AckCertificate | None) -> dict[str, Any]:
    """Return a payload's JSON form."""
    return {
        **EMPTY,
        "parentHash": data_of(header.parent_hash),
        "stateRoot": data_of(header.model_root),
        "blockNumber": quantity_of(int(header.number)),
        "timestamp": quantity_of(int(header.timestamp)),
        "extraData": data_of(header.extra_data),
        "blockHash": data_of(hash_of(header)),
        "proposerIndex": quantity_of(int(header.proposer_index)),
        "difficultyBits": quantity_of(int(header.difficulty_bits)),
        "nonce": data_of(int(header.nonce).to_bytes(8, "big")),
        "certificate": None if certificate is None else data_of(certificate.encode_bytes()),
    }


def read_payload(value: Any) -> Payload:
    """Return the payload in a JSON value. Raises ValueError that names what is missing or malformed."""
    if not isinstance(value, dict):
        raise ValueError("a payload is an object")
    extra = read_data(value.get("extraData"), "extraData")
    bits = read_quantity(value.get("difficultyBits"), "difficultyBits")
    if bits > 255:
        raise ValueError("difficultyBits is at most 0xff")
    header = ExecutionHeader(
        parent_hash=read_data(value.get("parentHash"), "parentHash", 32),
        number=read_quantity(value.get("blockNumber"), "blockNumber"),
        timestamp=read_quantity(value.get("timestamp"), "timestamp"),
        proposer_index=read_quantity(value.get("proposerIndex"), "proposerIndex"),
        model_root=read_data(value.get("stateRoot"), "stateRoot", 32),
        difficulty_bits=bits,
        extra_data=extra if len(extra) == EXTRA_DATA else bytes(EXTRA_DATA),
        nonce=int.from_bytes(read_data(value.get("nonce"), "nonce", 8), "big"),
    )
    strange = next((name for name, empty in EMPTY.items() if _same(value.get(name, empty)) != empty), "")
    claimed = read_data(value.get("blockHash"), "blockHash", 32)
    return Payload(header, extra, _certificate(value.get("certificate")), claimed, strange)


def fault_of(view: ChainView, parent: BlockView, payload: Payload) -> str:
    """Return why the chain would not take a payload after a block, in a sentence; "" where it would."""
    if fault := form_fault(payload):
        return fault
    slot, last = slot_of(view, int(payload.header.timestamp)), parent.slot
    if not last < slot <= min(view.slot() + AHEAD, last + BEHIND):
        return f"its time {int(payload.header.timestamp)} s is that of slot {slot}, its parent's slot is {last}"
    try:
        return view.payload_fault(parent.root, slot, payload.header, payload.certificate)
    except BlockRefusedError as error:
        return error.why


def form_fault(payload: Payload) -> str:
    """Return what is wrong with a payload wherever it stands; "" where nothing is."""
    if payload.strange:
        return f"{payload.strange} is not empty: blocks of this chain carry no transactions"
    if len(payload.extra) != EXTRA_DATA:
        return f"ExtraData has {len(payload.extra)} bytes, not {EXTRA_DATA}: parent hash and update id"
    if payload.claimed != (found := hash_of(payload.header)):
        return f"the block hash is {data_of(found)}, the payload says {data_of(payload.claimed)}"
    return ""


def slot_of(view: ChainView, timestamp: int) -> int:
    """Return the first slot that begins within a second from a time."""
    return math.ceil((timestamp - view.genesis_time) / view.config.seconds_per_slot)


def _same(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _certificate(value: Any) -> AckCertificate | None:
    """Return the certificate in SSZ bytes. Raises ValueError for anything else."""
    if value is None:
        return None
    data = read_data(value, "certificate")
    if len(data) > MAX_CERTIFICATE:
        raise ValueError(f"certificate has at most {MAX_CERTIFICATE} bytes")
    try:
        made = AckCertificate.decode_bytes(data)
    except Exception as error:  # the SSZ library raises errors of many kinds for bytes that are not its own
        raise ValueError("certificate is no SSZ form of a quorum's ACKs") from error
    if made.encode_bytes() != data:
        raise ValueError("certificate is no canonical SSZ")
    assert isinstance(made, AckCertificate)
    return made
