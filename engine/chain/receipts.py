"""Receipts of many transactions: a block's all at once where that is less to ask, else one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from engine.chain.abi import explain_revert
from engine.chain.errors import RpcError
from engine.chain.explorer import why_reverted
from engine.chain.rpc import Request, Rpc, hex_data, is_hex, revert_data
from engine.store.outbox import OutboxRow

Receipt = dict[str, Any]
_ROWS_A_BLOCK = 4  # waiting rows that make it worth while to read all receipts of a block
_BATCH = 500
_FIELDS = ("transactionHash", "blockHash", "blockNumber", "gasUsed", "status")


class Receipts:
    """Looks for the receipts of what waits. ``begin`` notes the head: what is broadcast later is mined above it."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc
        self._seen = 0
        self._whole_blocks = True

    async def begin(self) -> None:
        """Note the head."""
        self._seen = await self._rpc.block_number()

    async def new(self, rows: Sequence[OutboxRow]) -> list[tuple[OutboxRow, Receipt]]:
        """Return which of ``rows``, all broadcast after ``begin``, stand in a block, with their receipts."""
        head = await self._rpc.block_number()
        blocks = range(self._seen + 1, head + 1)
        if not self._whole_blocks or len(blocks) * _ROWS_A_BLOCK > len(rows):
            return [] if head == self._seen else await self.of(rows)
        found = await self._of_blocks(blocks)
        if found is None:
            self._whole_blocks = False
            return await self.of(rows)
        self._seen = head
        return [(row, found[digest]) for row in rows for digest in row.hashes if digest in found]

    async def of(self, rows: Sequence[OutboxRow]) -> list[tuple[OutboxRow, Receipt]]:
        """Return which of ``rows`` stand in a block, with their receipts; a row is asked for by each of its hashes."""
        pairs = [(row, digest) for row in rows for digest in row.hashes]
        requests: list[Request] = [("eth_getTransactionReceipt", [digest]) for _, digest in pairs]
        answers = [answer for part in _parts(requests) for answer in await self._rpc.batch(part)]
        receipts = (answer.get("result") for answer in answers)
        return [(row, _checked(receipt)) for (row, _), receipt in zip(pairs, receipts, strict=True) if receipt]

    async def why(self, row: OutboxRow, receipt: Receipt) -> str:
        """Return why a mined transaction reverted: from its trace, or by calling it again on the block before."""
        try:
            return await why_reverted(self._rpc, receipt["transactionHash"])
        except RpcError:  # a node without the debug methods
            block = hex(int(receipt["blockNumber"], 16) - 1)
            (answer,) = await self._rpc.batch([("eth_call", [call_of(row), block])])
            data = revert_data(answer.get("error"))
            return explain_revert(data)[0] if data is not None else "reverted; the call alone does not revert"

    async def _of_blocks(self, blocks: Iterable[int]) -> dict[str, Receipt] | None:
        """Return all receipts of the blocks by hash, None where the node does not give them by block."""
        answers = await self._rpc.batch([("eth_getBlockReceipts", [hex(number)]) for number in blocks])
        if any(answer.get("error") for answer in answers):
            return None
        return {_checked(receipt)["transactionHash"]: receipt for answer in answers for receipt in _listed(answer)}


def call_of(row: OutboxRow) -> dict[str, Any]:
    """Return the row as what ``eth_call`` and ``eth_estimateGas`` take."""
    request = {"from": row.tx.account, "data": hex_data(row.tx.data), "value": hex(row.tx.value)}
    return {**request, "to": row.tx.to} if row.tx.to else request


def _listed(answer: dict[str, Any]) -> list[Any]:
    found = answer.get("result") or []
    if not isinstance(found, list):
        raise RpcError("The node answered eth_getBlockReceipts with no receipts", f"{found!r:.100}")
    return found


def _checked(receipt: Any) -> Receipt:
    if not isinstance(receipt, dict) or not all(is_hex(receipt.get(name)) for name in _FIELDS):
        raise RpcError("The node answered with no receipt of a transaction", f"{receipt!r:.100}")
    return receipt


def _parts(requests: Sequence[Request]) -> Iterable[Sequence[Request]]:
    return (requests[at : at + _BATCH] for at in range(0, len(requests), _BATCH))
