"""The store: one SQLite file a data directory, opened with its migrations, written in transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from engine.store.backup import keep_backup
from engine.store.checkpoints import Checkpoints
from engine.store.damage import damaged
from engine.store.errors import StoreBusyError, StoreError
from engine.store.ledger import Ledger
from engine.store.outbox import Outbox
from engine.store.schema import MIGRATIONS


class Store:
    """The open database. Reads go to ``db``; writes happen inside ``transaction``.

    Write-ahead logging with full synchronisation: a committed transaction survives a kill of the program and a
    loss of power.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, checkpoints: Checkpoints | None = None) -> None:
        self.path = path
        self._checkpoints = checkpoints
        self.db = connection
        self.ledger = Ledger(connection)
        self.outbox = Outbox(connection)

    @classmethod
    def open(cls, path: Path) -> Store:
        """Open or create the database at ``path``; an earlier version's is backed up and carried over.

        Raises StoreError when it is unreadable, damaged, newer, or another program's; it is left as it is then.
        """
        try:
            connection = sqlite3.connect(path, isolation_level=None, timeout=10.0)
        except sqlite3.Error as error:
            raise _store_error(path, error) from error
        try:
            connection.row_factory = sqlite3.Row
            _require_ours(connection, path)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            _migrate(connection, path)
            connection.execute(
                "PRAGMA foreign_keys = ON"
            )  # after the steps: one that builds a table anew drops the old
            checkpoints = Checkpoints(path, connection)
        except sqlite3.Error as error:
            connection.close()
            raise _store_error(path, error) from error
        except StoreError:
            connection.close()
            raise
        return cls(path, connection, checkpoints)

    @classmethod
    def prepare(cls, path: Path) -> None:
        """Create the database or carry it over, and close it: what waits for the disk can so be done in a thread."""
        cls.open(path).close()

    @classmethod
    @contextmanager
    def reading(cls, path: Path) -> Iterator[Store]:
        """Open a database that is there for reading alone: for threads and processes beside the one that writes."""
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10.0)) as connection:
            connection.row_factory = sqlite3.Row
            yield cls(path, connection)

    def close(self) -> None:
        """Close the database."""
        if self._checkpoints is not None:
            self._checkpoints.close()
        self.db.close()

    @contextmanager
    def transaction(self, *, repeatable: bool = False) -> Iterator[sqlite3.Connection]:
        """Make all writes inside happen together or not at all; a transaction inside another joins it.

        ``repeatable`` is for what can be computed again with the same result: it survives a kill of the program as
        everything does, but a loss of power may take it until the next transaction is written. Nothing waits for the
        disk then.
        """
        if self.db.in_transaction:
            yield self.db
            return
        try:
            self.db.execute(f"PRAGMA synchronous = {'NORMAL' if repeatable else 'FULL'}")
            self.db.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise _store_error(self.path, error) from error
        try:
            yield self.db
            self.db.execute("COMMIT")
        except BaseException as error:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.IntegrityError):
                raise _store_error(self.path, error) from error
            raise
        if self._checkpoints is not None:
            self._checkpoints.look()

    @contextmanager
    def exclusive(self, purpose: str) -> Iterator[None]:
        """Keep other programs on the same data directory from doing the same work meanwhile.

        The lock is the kernel's: it goes with the process, however that ends. Raises StoreBusyError.
        """
        lock = FileLock(self.path.with_name(f"{purpose}.lock"), timeout=0.5)
        try:
            lock.acquire()
        except Timeout:
            raise StoreBusyError(
                f"Another Nashboard is busy with {purpose} in this data directory",
                str(self.path.parent),
                "Wait for it to end, or use another --data-dir.",
            ) from None
        try:
            yield
        finally:
            lock.release()


def _require_ours(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse what must not be touched: the file of a newer Nashboard, or of another program."""
    # One statement, so that both are of the same moment: another program may be making the tables.
    version, tables = connection.execute(
        "SELECT user_version, (SELECT COUNT(*) FROM sqlite_master) FROM pragma_user_version"
    ).fetchone()
    if version > len(MIGRATIONS):
        raise StoreError(
            f"The store {path} was written by a newer Nashboard",
            f"its schema is version {version}, this program knows {len(MIGRATIONS)}",
            "Update Nashboard, or use another --data-dir.",
        )
    if version < 0 or (version == 0 and tables):
        raise StoreError(
            f"The file {path} is no store of Nashboard's",
            f"it is a database of version {version} with {tables} tables and indices of something else",
            "Move it away, or use another --data-dir.",
        )


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if 0 < version < len(MIGRATIONS):
        keep_backup(connection, path)
    for number in range(version, len(MIGRATIONS)):
        script = f"BEGIN IMMEDIATE;\n{MIGRATIONS[number]}\nPRAGMA user_version = {number + 1};\nCOMMIT;"
        try:
            connection.executescript(script)
        except sqlite3.OperationalError:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            # Two programs may open a new directory at the same moment: the one that waited finds the work done.
            if connection.execute("PRAGMA user_version").fetchone()[0] <= number:
                raise


def _store_error(path: Path, error: sqlite3.Error) -> StoreError:
    text = str(error)
    if "full" in text:
        return StoreError(
            "The disk is full", f"the store {path} could not be written", "Free some space and resume: nothing is lost."
        )
    if "not a database" in text or "malformed" in text:
        return damaged(path, text)
    if "locked" in text or "busy" in text:
        return StoreError(f"The store {path} is in use", text, "Close the other Nashboard on this data directory.")
    return StoreError(f"The store {path} cannot be used", text, "Check the folder, or use another --data-dir.")
