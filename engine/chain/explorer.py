"""What happened on the chain, readable: blocks, transactions, calls, events and errors decoded by ABI."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_utils.address import to_checksum_address

from engine.chain.abi import decode_call, decode_log, explain_revert
from engine.chain.events import BlockMined
from engine.chain.rpc import Request, Rpc
from engine.core.bus import EventBus
from engine.core.errors import EngineError

PAGE = 100
_POLL = 0.25


@dataclass(frozen=True, slots=True)
class BlockInfo:
    """A block; ``timestamp`` in seconds since the epoch, gas in units."""

    number: int
    hash: str
    timestamp: int
    transactions: tuple[str, ...]
    gas_used: int
    gas_limit: int


@dataclass(frozen=True, slots=True)
class TransactionInfo:
    """A mined transaction. ``call`` and ``events`` are decoded text, ``error`` why it failed, ``value`` in wei."""

    hash: str
    block: int
    sender: str
    receiver: str | None
    value: int
    gas_used: int
    ok: bool
    call: str
    events: tuple[str, ...]
    error: str


class Explorer:
    """Reads a node page by page; keeps nothing."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    async def blocks(self, count: int = PAGE, *, before: int | None = None) -> list[BlockInfo]:
        """Return ``count`` blocks below ``before`` (None: from the head), newest first."""
        top = (await self._rpc.block_number()) if before is None else before - 1
        numbers = range(top, max(top - count, -1), -1)
        answers = await self._rpc.batch([("eth_getBlockByNumber", [hex(number), False]) for number in numbers])
        return [_block(answer["result"]) for answer in answers if answer.get("result")]

    async def transactions(self, hashes: Sequence[str]) -> list[TransactionInfo]:
        """Return the transactions of those hashes, in their order; unknown ones are left out."""
        requests: list[Request] = []
        for digest in hashes:
            requests += [("eth_getTransactionByHash", [digest]), ("eth_getTransactionReceipt", [digest])]
        answers = [answer.get("result") for answer in await self._rpc.batch(requests)]
        pairs = zip(answers[::2], answers[1::2], strict=True)
        return [_transaction(tx, receipt, "") for tx, receipt in pairs if tx and receipt]

    async def transaction(self, digest: str) -> TransactionInfo | None:
        """Return one transaction; of a failed one, the call that reverted and why."""
        tx = await self._rpc.request("eth_getTransactionByHash", digest)
        receipt = await self._rpc.request("eth_getTransactionReceipt", digest)
        if not tx or not receipt:
            return None
        error = "" if int(receipt["status"], 16) else await why_reverted(self._rpc, digest)
        return _transaction(tx, receipt, error)


class BlockWatcher:
    """Publishes every new block, polling four times a second; ``close`` ends it."""

    def __init__(self, url: str, bus: EventBus) -> None:
        self.url = url
        self._bus = bus
        self._task = asyncio.get_running_loop().create_task(self._run(), name="block watcher")

    def cancel(self) -> None:
        """Ask it to stop."""
        self._task.cancel()

    async def close(self) -> None:
        """Stop, and wait for it."""
        self.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        rpc = Rpc(self.url, deadline=5.0)
        explorer, seen = Explorer(rpc), -1
        try:
            while True:
                # A node that does not answer is the devnet's to tell; here the next block is simply later.
                with contextlib.suppress(EngineError):
                    seen = await self._publish(explorer, await rpc.block_number(), seen)
                await asyncio.sleep(_POLL)
        finally:
            await rpc.close()

    async def _publish(self, explorer: Explorer, head: int, seen: int) -> int:
        """Publish the blocks after ``seen``, at most a page of them. A head below it is another history: start over."""
        if head == seen:
            return seen
        count = 1 if seen < 0 or head < seen else min(head - seen, PAGE)
        for b in reversed(await explorer.blocks(count, before=head + 1)):
            self._bus.publish(BlockMined(b.number, b.hash, b.timestamp, len(b.transactions), b.gas_used, b.gas_limit))
        return head


async def why_reverted(rpc: Rpc, digest: str) -> str:
    """Return the decoded reason of a mined transaction that failed, and the inner call it comes from."""
    trace = await rpc.request("debug_traceTransaction", digest, {"tracer": "callTracer"})
    inner = _deepest(trace)
    call = decode_call(_bytes(inner.get("input"))) or f"a call to {inner.get('to')}"
    output = _bytes(inner.get("output"))
    reason = explain_revert(output)[0] if output or inner.get("error") == "execution reverted" else inner.get("error")
    return f"{reason} in {call}"


def _block(raw: dict[str, Any]) -> BlockInfo:
    return BlockInfo(
        int(raw["number"], 16),
        raw["hash"],
        int(raw["timestamp"], 16),
        tuple(raw["transactions"]),
        int(raw["gasUsed"], 16),
        int(raw["gasLimit"], 16),
    )


def _transaction(tx: dict[str, Any], receipt: dict[str, Any], error: str) -> TransactionInfo:
    data = _bytes(tx["input"])
    call = decode_call(data)
    if call is not None:
        text = str(call)
    elif tx["to"] is None:
        text = "create contract"
    else:
        text = f"0x{data[:4].hex()}" if data else "transfer"
    logs = (decode_log([_bytes(topic) for topic in log["topics"]], _bytes(log["data"])) for log in receipt["logs"])
    ok = int(receipt["status"], 16) == 1
    return TransactionInfo(
        hash=tx["hash"],
        block=int(tx["blockNumber"], 16),
        sender=to_checksum_address(tx["from"]),
        receiver=to_checksum_address(tx["to"]) if tx["to"] else None,
        value=int(tx["value"], 16),
        gas_used=int(receipt["gasUsed"], 16),
        ok=ok,
        call=text,
        events=tuple(str(event) for event in logs if event is not None),
        error=error if error or ok else "reverted",
    )


def _deepest(trace: dict[str, Any]) -> dict[str, Any]:
    """Return the innermost call that failed: the one whose own callees all went well, or that failed by itself."""
    failed = [call for call in trace.get("calls", []) if call.get("error")]
    return _deepest(failed[-1]) if failed else trace


def _bytes(text: str | None) -> bytes:
    return bytes.fromhex((text or "0x")[2:])
