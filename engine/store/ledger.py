"""The ledger: append-only double entry in integer wei, with an idempotency key an entry.

Accounts are named ``<kind>:<owner>``: ``world:x`` (outside), ``stake:<address>``, ``held:<address>`` (a penalty that
waits), ``pending:<address>`` (stake being unbonded), ``credit:<address>``, ``pot:<round>``, ``bond:<dispute>``. Only
``world`` may go below zero.
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass

from engine.store.errors import LedgerError

LOCAL_BOOK = "local"
OF_ADDRESSES = ("world", "stake", "held", "pending", "credit")  # kinds of accounts


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement of ``wei`` from the account ``debit`` to the account ``credit``."""

    key: str
    kind: str
    debit: str
    credit: str
    wei: int
    round_id: str | None = None


class Ledger:
    """Reads and appends; the caller holds the transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def append(self, book: str, entry: Entry) -> bool:
        """Write the entry and move the balances. Returns False when its key is there already: nothing is paid twice.

        Raises LedgerError for an amount that is not positive, an account overdrawn, or a key reused with other
        content.
        """
        if entry.wei <= 0:
            raise LedgerError(f"Ledger entry {entry.key} refused", f"the amount {entry.wei} is not positive")
        known = self._db.execute("SELECT * FROM ledger WHERE key = ?", (entry.key,)).fetchone()
        if known is not None:
            self._refuse_changed(book, entry, known)
            return False
        self._db.execute(
            "INSERT INTO ledger (key, book, kind, debit, credit, wei, round_id, created) VALUES (?,?,?,?,?,?,?,?)",
            (entry.key, book, entry.kind, entry.debit, entry.credit, str(entry.wei), entry.round_id, time.time()),
        )
        self._move(book, entry.debit, -entry.wei)
        self._move(book, entry.credit, entry.wei)
        return True

    def balance(self, book: str, account: str) -> int:
        """Return the balance in wei."""
        row = self._db.execute("SELECT wei FROM balances WHERE book = ? AND account = ?", (book, account)).fetchone()
        return int(row[0]) if row else 0

    def balances(self, book: str) -> dict[str, int]:
        """Return all balances of a book in wei."""
        rows = self._db.execute("SELECT account, wei FROM balances WHERE book = ?", (book,))
        return {row["account"]: int(row["wei"]) for row in rows}

    def owners(self, book: str) -> set[str]:
        """Return the addresses that ever had an account in a book."""
        rows = (
            self._db.execute(
                "SELECT substr(account, ?) FROM balances WHERE book = ? AND account > ? AND account < ?",
                (len(kind) + 2, book, f"{kind}:", f"{kind};"),  # a semicolon comes after the colon
            )
            for kind in OF_ADDRESSES
        )
        return {row[0] for found in rows for row in found}

    def moved(self, book: str, debit: str, kind: str) -> int:
        """Return the sum in wei of the entries of ``kind`` that left the account ``debit``."""
        rows = self._db.execute(
            "SELECT wei FROM ledger WHERE book = ? AND debit = ? AND kind = ?", (book, debit, kind)
        ).fetchall()
        return sum(int(row[0]) for row in rows)

    def entries(self, book: str, *, round_id: str | None = None) -> list[Entry]:
        """Return the entries of a book in the order they were written, all or those of one round."""
        of_round, values = ("", [book]) if round_id is None else (" AND round_id = ?", [book, round_id])
        rows = self._db.execute(f"SELECT * FROM ledger WHERE book = ?{of_round} ORDER BY id", values)
        return [_entry(row) for row in rows]

    def entries_after(self, book: str, number: int) -> tuple[list[Entry], int]:
        """Return the entries of a book after row ``number`` of the ledger, and the last one's row: nothing changes."""
        rows = self._db.execute("SELECT * FROM ledger WHERE book = ? AND id > ? ORDER BY id", (book, number)).fetchall()
        return [_entry(row) for row in rows], rows[-1]["id"] if rows else number

    def audit(self, book: str) -> dict[str, tuple[int, int]]:
        """Return the accounts whose balance is not the sum of their entries: account -> (balance, sum)."""
        sums: dict[str, int] = {}
        for entry in self.entries(book):
            sums[entry.debit] = sums.get(entry.debit, 0) - entry.wei
            sums[entry.credit] = sums.get(entry.credit, 0) + entry.wei
        held = self.balances(book)
        return {
            account: (held.get(account, 0), sums.get(account, 0))
            for account in sorted(sums.keys() | held.keys())
            if held.get(account, 0) != sums.get(account, 0)
        }

    def _move(self, book: str, account: str, wei: int) -> None:
        balance = self.balance(book, account) + wei
        if balance < 0 and not account.startswith("world:"):
            raise LedgerError(f"The account {account} would be overdrawn", f"its balance would be {balance} wei")
        self._db.execute(
            "INSERT INTO balances (book, account, wei) VALUES (?, ?, ?) "
            "ON CONFLICT (book, account) DO UPDATE SET wei = excluded.wei",
            (book, account, str(balance)),
        )

    def _refuse_changed(self, book: str, entry: Entry, known: sqlite3.Row) -> None:
        same = (book, entry.kind, entry.debit, entry.credit, str(entry.wei), entry.round_id)
        if same != tuple(known[name] for name in ("book", "kind", "debit", "credit", "wei", "round_id")):
            raise LedgerError(f"Ledger entry {entry.key} refused", "the key is taken by an entry with other content")


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(row["key"], row["kind"], row["debit"], row["credit"], int(row["wei"]), row["round_id"])
