"""Carries what was committed over from the write-ahead log into the database file, beside the program's work."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

LOG_BYTES = 4 * 2**20  # of log after which it is carried over, as many as SQLite lets come together by itself
KEPT_BYTES = 2**20  # of its file that are kept afterwards: a file that shrinks tells how much was logged since


class Checkpoints:
    """Looks after each commit whether there is enough; then a thread carries it over by a connection of its own.

    SQLite would do so within the commit that fills the log, and make whoever commits wait for the disk.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path, self._log = path, path.with_name(f"{path.name}-wal")
        self._thread: threading.Thread | None = None
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute(f"PRAGMA journal_size_limit = {KEPT_BYTES}")

    def look(self) -> None:
        """Begin where there is enough and nothing is under way."""
        if self._thread is not None and self._thread.is_alive():
            return
        with contextlib.suppress(OSError, RuntimeError):  # no log yet; no thread any more: the program ends
            if self._log.stat().st_size > LOG_BYTES:
                self._thread = threading.Thread(target=self._carry_over, name="store", daemon=True)
                self._thread.start()

    def _carry_over(self) -> None:
        # What fails here, for a full disk say, is tried again after the next commit: the log holds all until then.
        with contextlib.suppress(sqlite3.Error), closing(sqlite3.connect(self._path, timeout=10.0)) as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Wait for what is under way."""
        if self._thread is not None:
            self._thread.join()
