"""Copies of the database: a whole one before its schema changes, and of a damaged one as it was found."""

from __future__ import annotations

import contextlib
import re
import shutil
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


def set_damaged_aside(path: Path) -> Path | None:
    """Copy a damaged database and its log as they are, once; None where there is no room or nothing to copy."""
    try:
        copy = path.with_name(f"{path.name}.damaged.{path.stat().st_mtime_ns}")
        if not copy.exists():
            for suffix in ("-wal", ""):
                with contextlib.suppress(FileNotFoundError):
                    shutil.copy2(f"{path}{suffix}", f"{copy}{suffix}")
    except OSError:
        return None
    return copy


def damaged(path: Path, why: str) -> StoreError:
    """Return the failure of a damaged database: what was kept of it, and how to go on."""
    copy = set_damaged_aside(path)
    kept = f"; a copy of it as it is was kept as {copy.name}" if copy is not None else ""
    saved = next(iter(backups(path)), None)
    go_back = f"Copy {saved.name} over {path.name} to go back to that backup, or move" if saved else "Move"
    return StoreError(
        f"The store {path} is damaged",
        f"{why}{kept}",
        f"{go_back} {path.name} away to begin anew.",
        kept=str(copy or ""),
        backup=str(saved or ""),
    )


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
