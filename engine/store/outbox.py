"""The outbox: transactions that must reach the chain, written in the same SQLite transaction as what they stand for.

A row goes queued -> signed -> sent -> mined or failed. The signed bytes are kept before anything is sent, so that a
program killed at any point sends the same transaction again, never a second one.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass

from engine.store.errors import StoreError

OUTBOX_SCHEMA = """
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    book TEXT NOT NULL,
    account TEXT NOT NULL,
    receiver TEXT NOT NULL,
    data BLOB NOT NULL,
    wei TEXT NOT NULL,
    purpose TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'signed', 'sent', 'mined', 'failed')),
    nonce INTEGER,
    raw BLOB,
    hash TEXT,
    block INTEGER,
    block_hash TEXT,
    gas_used INTEGER,
    error TEXT NOT NULL DEFAULT '',
    created REAL NOT NULL
) STRICT;
CREATE INDEX outbox_open ON outbox (book, id) WHERE state IN ('queued', 'signed', 'sent');
CREATE INDEX outbox_placed ON outbox (book, block) WHERE block IS NOT NULL;
CREATE UNIQUE INDEX outbox_nonce ON outbox (book, account, nonce) WHERE nonce IS NOT NULL;
"""

# Hashes that a row was broadcast under with the same nonce before its fees were raised, separated by spaces: any of
# them may be the one that is mined.
OUTBOX_REPLACED = "ALTER TABLE outbox ADD COLUMN replaced TEXT NOT NULL DEFAULT '';"


@dataclass(frozen=True, slots=True)
class OutboxTx:
    """A transaction to send from ``account`` in ``book``: call ``data`` on the contract ``to`` with ``value`` wei.

    ``key`` makes it unique: enqueued twice it is sent once. ``purpose`` says to a person what it is for.
    """

    key: str
    book: str
    account: str
    to: str
    data: bytes
    value: int
    purpose: str


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A transaction with its fate. ``raw`` are the signed bytes, ``error`` the decoded reason of a failure.

    ``replaced`` are the hashes of bytes with the same nonce that were broadcast before, for lower fees. ``block`` of a
    row that is signed or sent is where it stood before the chain forgot that block.
    """

    tx: OutboxTx
    state: str
    nonce: int | None
    raw: bytes | None
    hash: str | None
    block: int | None
    block_hash: str | None
    gas_used: int | None
    error: str
    replaced: tuple[str, ...] = ()

    @property
    def hashes(self) -> tuple[str, ...]:
        """All hashes under which the transaction may be found on the chain."""
        return (*(() if self.hash is None else (self.hash,)), *self.replaced)


@dataclass(frozen=True, slots=True)
class Inclusion:
    """Where a transaction was mined."""

    block: int
    block_hash: str
    gas_used: int


class Outbox:
    """The table; the caller holds the transaction for writes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def enqueue(self, tx: OutboxTx) -> bool:
        """Add a transaction. Returns False when its key is there already."""
        cursor = self._db.execute(
            "INSERT INTO outbox (key, book, account, receiver, data, wei, purpose, created) VALUES (?,?,?,?,?,?,?,?) "
            "ON CONFLICT (key) DO NOTHING",
            (tx.key, tx.book, tx.account, tx.to, tx.data, str(tx.value), tx.purpose, time.time()),
        )
        return cursor.rowcount > 0

    def open(self, book: str, limit: int = 1000) -> list[OutboxRow]:
        """Return what is not settled yet, in the order it was written."""
        return self._select("book = ? AND state IN ('queued', 'signed', 'sent') ORDER BY id LIMIT ?", book, limit)

    def queued(self, book: str, limit: int) -> list[OutboxRow]:
        """Return what is not signed yet, in the order it was written."""
        return self._select("book = ? AND state = 'queued' ORDER BY id LIMIT ?", book, limit)

    def flying(self, book: str) -> list[OutboxRow]:
        """Return what is signed and not settled, in the order it was written."""
        return self._select("book = ? AND state IN ('signed', 'sent') ORDER BY id", book)

    def recent(self, book: str, limit: int = 100) -> list[OutboxRow]:
        """Return the newest rows of a book, newest first."""
        return self._select("book = ? ORDER BY id DESC LIMIT ?", book, limit)

    def placed(self, book: str, limit: int, offset: int = 0) -> list[OutboxRow]:
        """Return rows that stand in a block, mined or reverted, newest block first.

        A chain that lost its last blocks has forgotten the first of these, reverted ones and their nonces too.
        """
        where = "book = ? AND block IS NOT NULL AND state IN ('mined', 'failed') "
        where += "ORDER BY block DESC, id DESC LIMIT ? OFFSET ?"
        return self._select(where, book, limit, offset)

    def get(self, key: str) -> OutboxRow | None:
        """Return the row of that key."""
        return next(iter(self._select("key = ?", key)), None)

    def failed(self, prefix: str) -> list[OutboxRow]:
        """Return the failed rows whose key begins with ``prefix``."""
        return self._select("substr(key, 1, ?) = ? AND state = 'failed' ORDER BY id", len(prefix), prefix)

    def under(self, prefix: str) -> list[OutboxRow]:
        """Return all rows whose key begins with ``prefix``, in the order they were written."""
        return self._select("substr(key, 1, ?) = ? ORDER BY id", len(prefix), prefix)

    def counts(self, book: str) -> dict[str, int]:
        """Return how many rows are in each state."""
        rows = self._db.execute("SELECT state, COUNT(*) FROM outbox WHERE book = ? GROUP BY state", (book,))
        return {row[0]: row[1] for row in rows}

    def state(self, key: str) -> str | None:
        """Return the state of the row of that key."""
        row = self._db.execute("SELECT state FROM outbox WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def in_flight(self, book: str) -> bool:
        """Return whether any row is signed and not settled."""
        sql = "SELECT 1 FROM outbox WHERE book = ? AND state IN ('signed', 'sent') LIMIT 1"
        return self._db.execute(sql, (book,)).fetchone() is not None

    def open_count(self, book: str) -> int:
        """Return how many rows are not settled yet."""
        sql = "SELECT COUNT(*) FROM outbox WHERE book = ? AND state IN ('queued', 'signed', 'sent')"
        return int(self._db.execute(sql, (book,)).fetchone()[0])

    def held_nonces(self, book: str) -> dict[str, set[int]]:
        """Return the nonces that signed, unmined rows hold, by account."""
        rows = self._db.execute(
            "SELECT account, nonce FROM outbox WHERE book = ? AND state IN ('signed', 'sent') AND nonce IS NOT NULL",
            (book,),
        )
        held: dict[str, set[int]] = {}
        for row in rows:
            held.setdefault(row["account"], set()).add(row["nonce"])
        return held

    def held_nonce(self, book: str, account: str) -> int:
        """Return the highest nonce that a signed, unsettled row of the account holds, -1 when there is none."""
        sql = (
            "SELECT MAX(nonce) FROM outbox WHERE book = ? AND account = ? AND nonce IS NOT NULL "
            "AND state IN ('signed', 'sent')"
        )
        highest = self._db.execute(sql, (book, account)).fetchone()[0]
        return -1 if highest is None else int(highest)

    def mark_signed(self, key: str, nonce: int, raw: bytes, tx_hash: str) -> None:
        """Keep the signed bytes of a queued row. Raises StoreError when it is signed already: never two of one."""
        sql = "UPDATE outbox SET state = 'signed', nonce = ?, raw = ?, hash = ?, error = '' WHERE key = ? "
        cursor = self._db.execute(sql + "AND state = 'queued'", (nonce, raw, tx_hash, key))
        if cursor.rowcount != 1:
            raise StoreError(f"The transaction {key} cannot be signed", "it is not queued: another program took it")

    def mark_replaced(self, row: OutboxRow, raw: bytes, tx_hash: str) -> None:
        """Keep bytes with the same nonce and higher fees; they are to be broadcast."""
        self._update(
            row.tx.key, "state = 'signed', raw = ?, hash = ?, replaced = ?", raw, tx_hash, " ".join(row.hashes)
        )

    def mark_found(self, row: OutboxRow, tx_hash: str) -> None:
        """Note which of the row's hashes is the one in the chain."""
        others = " ".join(digest for digest in row.hashes if digest != tx_hash)
        self._update(row.tx.key, "hash = ?, replaced = ?", tx_hash, others)

    def mark_sent(self, keys: Sequence[str]) -> None:
        """Note that the node has the transactions."""
        self._db.executemany(
            "UPDATE outbox SET state = 'sent' WHERE key = ? AND state = 'signed'", [(key,) for key in keys]
        )

    def mark_mined(self, key: str, where: Inclusion) -> None:
        """Note that the transaction did what it should."""
        place = (where.block, where.block_hash, where.gas_used)
        self._update(key, "state = 'mined', error = '', block = ?, block_hash = ?, gas_used = ?", *place)

    def mark_failed(self, key: str, error: str, where: Inclusion | None = None) -> None:
        """Note why the transaction has no effect; one that was never signed holds no nonce."""
        if where is None:
            self._update(key, "state = 'failed', error = ?, nonce = NULL, raw = NULL", error)
            return
        self._update(
            key,
            "state = 'failed', error = ?, block = ?, block_hash = ?, gas_used = ?",
            error,
            where.block,
            where.block_hash,
            where.gas_used,
        )

    def requeue(self, key: str) -> None:
        """Let the transaction be signed anew: its nonce was taken by another one, or the operator tries again."""
        self._update(
            key,
            "state = 'queued', nonce = NULL, raw = NULL, hash = NULL, block = NULL, block_hash = NULL, "
            "gas_used = NULL, error = '', replaced = ''",
        )

    def reopen(self, key: str) -> None:
        """Send the same signed bytes again: the chain forgot the block that held them, whose number is kept."""
        self._update(key, "state = 'signed', block_hash = NULL, gas_used = NULL, error = ''")

    def _update(self, key: str, assignments: str, *values: object) -> None:
        self._db.execute(f"UPDATE outbox SET {assignments} WHERE key = ?", (*values, key))

    def _select(self, where: str, *values: object) -> list[OutboxRow]:
        return [_row(row) for row in self._db.execute(f"SELECT * FROM outbox WHERE {where}", values)]


def _row(row: sqlite3.Row) -> OutboxRow:
    tx = OutboxTx(
        row["key"], row["book"], row["account"], row["receiver"], row["data"], int(row["wei"]), row["purpose"]
    )
    return OutboxRow(
        tx,
        row["state"],
        row["nonce"],
        row["raw"],
        row["hash"],
        row["block"],
        row["block_hash"],
        row["gas_used"],
        row["error"],
        tuple(row["replaced"].split()),
    )
