"""Losses that were computed once, kept in memory and in a file: evaluation is the same whoever asks.

The file is a cache: it is checked by a hash a row, and one that cannot be read is dropped and made again.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import zlib
from collections import OrderedDict
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Losses = NDArray[np.int64]  # one a text, UNKNOWN where it was not asked for
UNKNOWN = -1
ROWS = 8192  # of the file, about five kilobytes each
KEPT = 512  # rows in memory, 32 kilobytes each
_log = logging.getLogger(__name__)


class LossMemo:
    """Losses by base root, hash of the delta on top, and text. ``scope`` names texts and precision: others differ."""

    def __init__(self, path: Path | None, scope: str, texts: int) -> None:
        self._texts = texts
        self._scope = scope
        self._path = path
        self._rows: OrderedDict[bytes, Losses] = OrderedDict()
        self._file = self._open()

    def get(self, base: bytes, delta: bytes | None) -> Losses:
        """Return what is known, one number a text; do not change it."""
        key = self._key(base, delta)
        if key not in self._rows:
            stored = self._read(key)
            self._rows[key] = np.full(self._texts, UNKNOWN, np.int64) if stored is None else stored
            while len(self._rows) > KEPT:
                self._rows.popitem(last=False)
        self._rows.move_to_end(key)
        return self._rows[key]

    def put(self, base: bytes, delta: bytes | None, numbers: NDArray[np.int64], losses: NDArray[np.int64]) -> None:
        """Keep the losses of some texts."""
        row = self.get(base, delta)
        row[numbers] = losses
        self._write(self._key(base, delta), row)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _key(self, base: bytes, delta: bytes | None) -> bytes:
        return sha256(self._scope.encode() + base + (b"" if delta is None else sha256(delta).digest())).digest()

    def _open(self) -> sqlite3.Connection | None:
        if self._path is None:
            return None
        for _ in range(2):
            file = None
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                file = sqlite3.connect(self._path, timeout=2.0, isolation_level=None)
                file.execute("PRAGMA synchronous = OFF")
                file.execute("CREATE TABLE IF NOT EXISTS losses (key BLOB PRIMARY KEY, row BLOB, hash BLOB)")
                file.execute("DELETE FROM losses WHERE rowid <= (SELECT max(rowid) FROM losses) - ?", (ROWS,))
                return file
            except (sqlite3.Error, OSError) as error:
                if file is not None:
                    file.close()
                if not _damaged(error):
                    _log.info("losses are kept in memory alone: %s", error)
                    return None
                self._drop(error)
        return None

    def _read(self, key: bytes) -> Losses | None:
        if self._file is None:
            return None
        try:
            found = self._file.execute("SELECT row, hash FROM losses WHERE key = ?", (key,)).fetchone()
            if found is None:
                return None
            if sha256(key + found[0]).digest() != found[1]:
                raise ValueError("a row has another hash")
            row = np.frombuffer(zlib.decompressobj().decompress(found[0], 8 * self._texts), np.int64).copy()
            if len(row) != self._texts:
                raise ValueError("a row has another length")
            return row
        except (sqlite3.Error, ValueError, TypeError, zlib.error) as error:
            if not _damaged(error):
                return None
            self.close()
            self._drop(error)
            self._file = self._open()
            return None

    def _write(self, key: bytes, row: Losses) -> None:
        if self._file is None:
            return
        data = zlib.compress(row.tobytes(), 1)
        try:
            self._file.execute(
                "INSERT OR REPLACE INTO losses VALUES (?, ?, ?)", (key, data, sha256(key + data).digest())
            )
        except sqlite3.Error as error:
            _log.info("a loss was not kept: %s", error)  # another run writes, or the disk is full: it is computed again

    def _drop(self, error: Exception) -> None:
        """Throw the file away; what is in memory stays."""
        assert self._path is not None
        _log.warning("the cache %s cannot be read and is made again: %s", self._path.name, error)
        for path in (self._path, self._path.with_name(self._path.name + "-journal")):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def _damaged(error: Exception) -> bool:
    """Return whether a file is broken, rather than locked by another run, or in a folder that cannot be written."""
    return not isinstance(error, sqlite3.OperationalError | OSError)
