"""Backups of the database: whole copies, made before its schema changes."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import time
from pathlib import Path

from engine.store.errors import StoreError

KEPT = 3  # backups of a database; the oldest go
_NAME = re.compile(r"\.v(\d+)\.(\d+)(?:-(\d+))?\.backup")


def keep_backup(source: sqlite3.Connection, path: Path) -> Path:
    """Copy the database open in ``source`` to a file beside ``path`` and return it; old ones go.

    SQLite makes the copy: it is whole although other programs write meanwhile. It has its name only once it is on the
    disk and was found sound. Raises StoreError, and nothing must be changed then.
    """
    unfinished = path.with_name(f".{path.name}.{time.time_ns()}.unfinished")
    try:
        copy = sqlite3.connect(unfinished)
        try:
            unfinished.chmod(0o600)
            source.backup(copy)
            fault = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
            version = copy.execute("PRAGMA user_version").fetchone()[0]
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
        finally:
            copy.close()
        if fault != "ok":
            raise sqlite3.DatabaseError(f"database disk image is malformed: {fault}")
        made = _free_name(path, version)
        unfinished.rename(made)
    except OSError as error:
        raise _no_backup(path, error.strerror or repr(error)) from error
    except sqlite3.OperationalError as error:
        raise _no_backup(path, str(error)) from error
    finally:
        for leftover in path.parent.glob(f"{unfinished.name}*"):
            leftover.unlink(missing_ok=True)
    for old in backups(path)[KEPT:]:
        with contextlib.suppress(OSError):
            old.unlink()
    return made


def backups(path: Path) -> list[Path]:
    """Return the backups of a database, newest first."""
    found = []
    for candidate in path.parent.glob(f"{path.name}.v*.backup"):
        matched = _NAME.fullmatch(candidate.name.removeprefix(path.name))
        if matched:
            version, second, number = matched.groups()
            found.append(((int(second), int(version), int(number or 0)), candidate))
    return [candidate for _, candidate in sorted(found, reverse=True)]


def taken_at(saved: Path) -> int:
    """Return when a backup was taken, in Unix seconds; 0 for what is none."""
    matched = _NAME.search(saved.name)
    return int(matched[2]) if matched else 0


def _free_name(path: Path, version: int) -> Path:
    second = int(time.time())
    made, number = path.with_name(f"{path.name}.v{version}.{second}.backup"), 1
    while made.exists():
        number += 1
        made = path.with_name(f"{path.name}.v{version}.{second}-{number}.backup")
    return made


def _no_backup(path: Path, why: str) -> StoreError:
    return StoreError(
        f"The store {path} must be carried over, and cannot be backed up before",
        why,
        "Free some space in the data directory, or make it writable: nothing was changed.",
    )
