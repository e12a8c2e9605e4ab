"""A round's transactions in the outbox: each has a key, so that it is sent once, whenever the program is killed."""

from __future__ import annotations

from collections.abc import Sequence

from engine.chain.bindings import Call
from engine.chain.session import Chain
from engine.consensus.results import ChainStep
from engine.store.database import Store
from engine.store.outbox import OutboxRow, OutboxTx

MINED, REFUSED = "mined", "failed"


class ChainTxs:
    """The transactions whose keys begin with ``name``, in the book of a chain."""

    def __init__(self, chain: Chain, store: Store, name: str) -> None:
        self._chain = chain
        self._store = store
        self._prefix = f"{chain.book}:consensus:{name}:"

    def add(self, key: str, account: str, call: Call, purpose: str, value: int = 0) -> bool:
        """Write a transaction to be sent; the caller may hold the store's transaction. False when it is there."""
        tx = OutboxTx(self._prefix + key, self._chain.book, account, call.to, call.data, value, purpose)
        with self._store.transaction():
            return self._store.outbox.enqueue(tx)

    def again(self, key: str) -> None:
        """Let what the chain refused under keys that begin with ``key`` be sent once more."""
        with self._store.transaction():
            for row in self.rows(key):
                if row.state == REFUSED:
                    self._store.outbox.requeue(row.tx.key)

    def next_key(self, key: str = "") -> str | None:
        """Return the key of one more transaction of a kind, None where one is under way or was just tried again.

        What is done more than once in the life of an agent or a task (to stake after a slashing, say) is numbered.
        """
        rows = self.rows(key)
        if rows and rows[-1].state == REFUSED:
            self.again(rows[-1].tx.key.removeprefix(self._prefix))
            return None
        return None if rows and rows[-1].state != MINED else f"{key}{len(rows):04}"

    def rows(self, key: str) -> list[OutboxRow]:
        """Return the rows whose keys begin with ``key``."""
        return self._store.outbox.under(self._prefix + key)

    async def settle(self, key: str) -> list[OutboxRow]:
        """Bring the outbox to the chain, and return what became of the rows whose keys begin with ``key``.

        Raises RpcError or WrongChainError; then nothing is lost.
        """
        await self._chain.drain()
        return self.rows(key)


def step_of(phase: str, rows: Sequence[OutboxRow], text: str = "") -> ChainStep:
    """Return that a phase is done by the transactions that were mined."""
    mined = [row for row in rows if row.state == MINED]
    gas = sum(row.gas_used or 0 for row in mined)
    block = max((row.block for row in mined if row.block is not None), default=None)
    return ChainStep(phase, "done", tuple(row.hash or "" for row in mined), gas, block, text)


def why_refused(rows: Sequence[OutboxRow]) -> str:
    """Return the first reason why the chain refused one of the rows, "" when it refused none."""
    return next((row.error or "it reverted" for row in rows if row.state == REFUSED), "")
