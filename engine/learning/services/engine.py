"""The engine API: payloads are judged by the chain's rules, and built with proof of work and the pending update.

Source: Ethereum's Engine API (Paris and Shanghai), with payloads as in :mod:`engine.learning.services.payload`. A node
follows its own fork choice: ``forkchoiceUpdated`` says what it thinks of a head and starts to build on it, and does not
move the chain.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from engine.learning.pow import mine_beside
from engine.learning.services import eth
from engine.learning.services.hexes import data_of, read_data, read_quantity
from engine.learning.services.jsonrpc import INVALID_PARAMS, CallError, Method
from engine.learning.services.payload import AHEAD, BEHIND, fault_of, form_fault, form_of, read_payload, slot_of
from engine.learning.services.view import BlockView, ChainView, Proposal
from engine.learning.types import ExecutionHeader

UNKNOWN_PAYLOAD = -38001
INVALID_FORKCHOICE = -38002
INVALID_ATTRIBUTES = -38003
STILL_MINING = -32000
MAX_BUILDS = 4
MAX_TAKEN = 256  # hashes of payloads that were valid and are in no block
WAIT_S = 10.0  # for a payload's proof of work, in one call
ZERO_HASH = bytes(32)


class EngineApi:
    """Answers the engine's methods for one view; ``close`` ends the mining that is still going on."""

    def __init__(self, view: ChainView) -> None:
        self._view = view
        self._builds: OrderedDict[str, tuple[Proposal, asyncio.Task[ExecutionHeader]]] = OrderedDict()
        self._taken: OrderedDict[bytes, None] = OrderedDict()

    def methods(self) -> Mapping[str, Method]:
        """Return the methods by their names: the engine's, and those of ``eth_`` that belong to its port."""
        known = eth.methods_of(self._view)
        shared = {name: method for name, method in known.items() if name.startswith(("eth_", "web3_"))}
        own: dict[str, Method] = {
            "engine_newPayloadV1": self.new_payload,
            "engine_newPayloadV2": self.new_payload,
            "engine_forkchoiceUpdatedV1": self.forkchoice_updated,
            "engine_forkchoiceUpdatedV2": self.forkchoice_updated,
            "engine_getPayloadV1": self.get_payload,
            "engine_getPayloadV2": self._get_payload_2,
        }

        def capabilities(offered: Any) -> list[str]:
            if not isinstance(offered, list) or not all(isinstance(name, str) for name in offered):
                raise ValueError("capabilities are a list of names")
            return sorted(own)

        return {**shared, **own, "engine_exchangeCapabilities": capabilities}

    def new_payload(self, value: Any) -> dict[str, Any]:
        """Return whether the chain would take a payload: VALID, INVALID with the reason, or SYNCING."""
        payload = read_payload(value)
        if self._view.by_hash(payload.claimed) is not None and not form_fault(payload):
            return _status("VALID", payload.claimed)
        parent_hash = bytes(payload.header.parent_hash)
        parent = self._view.by_hash(parent_hash)
        if parent is None:
            if parent_hash in self._taken:  # its beacon block has not come yet
                return _status("SYNCING", None)
            head = self._view.head().execution_hash
            why = f"the parent hash {data_of(parent_hash)} is of no block of this chain, whose head is {data_of(head)}"
            return _status("INVALID", None, why)
        fault = fault_of(self._view, parent, payload)
        if fault:
            return _status("INVALID", parent.execution_hash, fault)
        self._remember(payload.claimed)
        return _status("VALID", payload.claimed)

    def forkchoice_updated(self, state: Any, attributes: Any = None) -> dict[str, Any]:
        """Return what the node thinks of a head; with attributes, start to build a payload on it."""
        if not isinstance(state, dict):
            raise ValueError("a forkchoice state is an object")
        names = ("headBlockHash", "safeBlockHash", "finalizedBlockHash")
        head, safe, final = (read_data(state.get(name), name, 32) for name in names)
        block = self._view.by_hash(head)
        if block is None:
            known = head in self._taken
            return _choice(_status("VALID" if known else "SYNCING", head if known else None), None)
        for name, ancestor in (("safeBlockHash", safe), ("finalizedBlockHash", final)):
            if ancestor != ZERO_HASH and self._view.by_hash(ancestor) is None:
                raise CallError(INVALID_FORKCHOICE, f"{name} is of no block of this chain")
        started = None if attributes is None else self._build(block, attributes)
        return _choice(_status("VALID", head), started)

    async def get_payload(self, payload_id: Any) -> dict[str, Any]:
        """Return a payload that was asked for, once its proof of work is found."""
        found = self._builds.get(data_of(read_data(payload_id, "the payload id", 8)))
        if found is None:
            raise CallError(UNKNOWN_PAYLOAD, "Unknown payload")
        proposal, task = found
        done, _ = await asyncio.wait((task,), timeout=WAIT_S)
        if not done:
            raise CallError(STILL_MINING, f"its proof of work is not found after {WAIT_S:.0f} s: ask again")
        if task.cancelled():
            raise CallError(UNKNOWN_PAYLOAD, "Unknown payload")
        return form_of(task.result(), proposal.certificate)

    async def close(self) -> None:
        """End all mining."""
        tasks = [task for _, task in self._builds.values()]
        self._builds.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _get_payload_2(self, payload_id: Any) -> dict[str, Any]:
        return {"executionPayload": await self.get_payload(payload_id), "blockValue": "0x0"}

    def _build(self, parent: BlockView, attributes: Any) -> str:
        if not isinstance(attributes, dict):
            raise CallError(INVALID_PARAMS, "payload attributes are an object")
        timestamp = read_quantity(attributes.get("timestamp"), "timestamp")
        slot, last = slot_of(self._view, timestamp), parent.slot
        if not last < slot <= min(self._view.slot() + AHEAD, last + BEHIND):
            raise CallError(INVALID_ATTRIBUTES, f"{timestamp} s is slot {slot}: its parent's slot is {last}")
        proposal = self._view.proposal(parent.root, slot)
        header = ExecutionHeader(
            parent_hash=parent.execution_hash,
            number=int(parent.execution.number) + 1,
            timestamp=timestamp,
            proposer_index=proposal.proposer_index,
            model_root=proposal.model_root,
            extra_data=parent.execution_hash + proposal.update_id,
        )
        name = data_of(sha256(header.encode_bytes()).digest()[:8])
        if name not in self._builds:
            work = mine_beside(header, self._view.config.pow_bits)
            self._builds[name] = (proposal, asyncio.get_running_loop().create_task(work, name="mining a payload"))
            if len(self._builds) > MAX_BUILDS:
                self._builds.popitem(last=False)[1][1].cancel()
        return name

    def _remember(self, block_hash: bytes) -> None:
        self._taken[block_hash] = None
        if len(self._taken) > MAX_TAKEN:
            self._taken.popitem(last=False)


def _status(status: str, valid: bytes | None, why: str | None = None) -> dict[str, Any]:
    latest = None if valid is None else data_of(valid)
    return {"status": status, "latestValidHash": latest, "validationError": why}


def _choice(status: dict[str, Any], payload_id: str | None) -> dict[str, Any]:
    return {"payloadStatus": status, "payloadId": payload_id}
