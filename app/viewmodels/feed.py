"""Blocks and transactions of the devnet, read in pieces that never hold the loop up."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from engine.chain.abi import decode_call
from engine.chain.explorer import Explorer, TransactionInfo
from engine.chain.rpc import Rpc
from engine.core.errors import EngineError

KEPT = 100_000
FEW, MANY = 150, 400  # transactions an answer: grow the next piece below, shrink it above
BREATH = 100  # transactions decoded without a pause: the window has other work too


class BlockRow(NamedTuple):
    """A block in the order of the table's columns; ``time`` in Unix seconds."""

    number: int
    hash: str
    time: int
    transactions: int
    gas_used: int
    gas_limit: int


class TxRow(NamedTuple):
    """A transaction in the order of the table's columns, then its decoded call.

    ``result`` is Success or Reverted; ``error`` names the reverting call and why, '' when it went through. Made once,
    when it is read: a table of 50,000 of them takes no time to fill.
    """

    hash: str
    block: int
    call: str
    sender: str
    to: str | None
    value: int
    gas: int
    result: str
    detail: str
    error: str

    @property
    def ok(self) -> bool:
        """Whether it went through."""
        return self.result == "Success"


class ChainFeed:
    """Follows one node. ``blocks`` and ``transactions`` are newest first; ``revision`` counts changes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.blocks: deque[BlockRow] = deque(maxlen=KEPT)
        self.transactions: deque[TxRow] = deque(maxlen=KEPT)
        self.revision = 0
        self.rpc = Rpc(url)
        self._explorer = Explorer(self.rpc)
        self._next = 0
        self._piece = 8

    async def close(self) -> None:
        """End the connection."""
        await self.rpc.close()

    async def sync(self) -> bool:
        """Read what is new; True when anything was. A head that went back (another chain) starts over."""
        head = await self.rpc.block_number()
        if head + 1 < self._next:
            self.blocks.clear()
            self.transactions.clear()
            self._next = 0
        changed = False
        while self._next <= head:
            last = min(head, self._next + self._piece - 1)
            await self._read(range(self._next, last + 1))
            self._next = last + 1
            self.revision += 1
            changed = True
        return changed

    async def inspect(self, digest: str) -> TransactionInfo | None:
        """Return a transaction with its call and events decoded; of a failed one the inner call that reverted."""
        return await self._explorer.transaction(digest)

    async def balances(self, addresses: list[str]) -> list[int | None]:
        """Return the balances in wei."""
        answers = await self.rpc.batch([("eth_getBalance", (address, "latest")) for address in addresses])
        return [int(answer["result"], 16) if "result" in answer else None for answer in answers]

    async def _read(self, numbers: range) -> None:
        blocks = await self.rpc.batch([("eth_getBlockByNumber", (hex(n), True)) for n in numbers])
        receipts = await self.rpc.batch([("eth_getBlockReceipts", (hex(n),)) for n in numbers])
        count = 0
        for block, receipt in zip(blocks, receipts, strict=True):
            if block.get("result") is None:
                continue
            self._add_block(block["result"])
            by_hash = {item["transactionHash"]: item for item in receipt.get("result") or ()}
            for transaction in block["result"]["transactions"]:
                row = _transaction(transaction, by_hash.get(transaction["hash"], {}))
                self.transactions.appendleft(row if row.ok else await self._explained(row))
                count += 1
                if count % BREATH == 0:
                    await asyncio.sleep(0.001)  # not 0: painting would wait behind it
        if count < FEW:
            self._piece = min(self._piece * 2, 200)
        elif count > MANY:
            self._piece = max(self._piece // 2, 1)

    def _add_block(self, block: Mapping[str, Any]) -> None:
        self.blocks.appendleft(
            BlockRow(
                int(block["number"], 16),
                block["hash"],
                int(block["timestamp"], 16),
                len(block["transactions"]),
                int(block["gasUsed"], 16),
                int(block["gasLimit"], 16),
            )
        )

    async def _explained(self, row: TxRow) -> TxRow:
        """Return the row with the innermost call that reverted and its decoded reason."""
        found = None
        with contextlib.suppress(EngineError):
            found = await self._explorer.transaction(row.hash)
        return row._replace(error=found.error if found is not None and found.error else "reverted")


def _transaction(raw: Mapping[str, Any], receipt: Mapping[str, Any]) -> TxRow:
    to = raw.get("to") or ""
    data = _bytes(raw.get("input"))
    decoded = decode_call(data) if to else None
    if decoded is not None:
        call, detail = f"{decoded.contract}.{decoded.name}", str(decoded)
    elif not to:
        call, detail = "Contract creation", f"created {receipt.get('contractAddress', '')}"
    else:
        call = "Transfer" if not data else f"0x{data[:4].hex()}"
        detail = call
    return TxRow(
        hash=raw["hash"],
        block=int(raw["blockNumber"], 16),
        call=call,
        sender=raw["from"],
        to=to or receipt.get("contractAddress") or None,
        value=int(raw["value"], 16),
        gas=int(receipt.get("gasUsed", "0x0"), 16),
        result="Success" if receipt.get("status", "0x1") == "0x1" else "Reverted",
        detail=detail,
        error="",
    )


def _bytes(text: str | None) -> bytes:
    return bytes.fromhex((text or "0x")[2:])
