"""Slashed equivocators in the books: what the contract took is moved in the ledger too, once."""

from __future__ import annotations

from engine.chain.session import Chain
from engine.consensus.onchain.logs import decode
from engine.store.database import Store
from engine.store.ledger import Entry
from engine.store.outbox import OutboxRow

PURPOSE = "prove an equivocation"


class Slashes:
    """The slashings that this data directory sent to a chain."""

    def __init__(self, chain: Chain, store: Store) -> None:
        self._chain = chain
        self._store = store

    async def catch_up(self) -> None:
        """Book what was mined when nobody waited for it any more. Raises RpcError."""
        sql = "SELECT key FROM outbox WHERE book = ? AND purpose = ? AND state = 'mined'"
        for (key,) in self._store.db.execute(sql, (self._chain.book, PURPOSE)).fetchall():
            row = self._store.outbox.get(key)
            if row is not None and not self._booked(row):
                await self.book(row)

    async def book(self, row: OutboxRow) -> int:
        """Return what a conviction took, in wei, and see to it that the ledger says so. Raises RpcError."""
        address = row.tx.key.rsplit(":", 1)[1]
        wei = await self._taken(row, address)
        book, ledger = self._chain.book, self._store.ledger
        share = wei * self._chain.deployment.rules.reporter_bps // 10_000
        with self._store.transaction():
            if self._booked(row) or not wei:
                return wei
            # A stake that came another way than through this store is not in its books.
            debit = f"stake:{address}" if ledger.balance(book, f"stake:{address}") >= wei else f"world:{address}"
            for part, receiver, amount in (
                ("reporter", row.tx.account, share),
                ("treasury", self._chain.deployment.treasury or "treasury", wei - share),
            ):
                if amount:
                    ledger.append(book, Entry(f"{row.tx.key}:{part}", "slash", debit, f"credit:{receiver}", amount))
        return wei

    def _booked(self, row: OutboxRow) -> bool:
        sql = "SELECT 1 FROM ledger WHERE key IN (?, ?)"
        keys = (f"{row.tx.key}:reporter", f"{row.tx.key}:treasury")
        return self._store.db.execute(sql, keys).fetchone() is not None

    async def _taken(self, row: OutboxRow, address: str) -> int:
        receipt = await self._chain.rpc.request("eth_getTransactionReceipt", row.hash)
        events = [decode(self._chain.consensus.abi, log) for log in (receipt or {}).get("logs", ())]
        return sum(
            int(event.arguments["slashed"])
            for event in events
            if event is not None and event.name == "EquivocationProven" and event.arguments["agent"] == address
        )
