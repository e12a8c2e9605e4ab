"""A damaged database: kept as it is under another name, and replaced by a backup or by an empty one."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from engine.core.files import atomic_file
from engine.store.backup import backups, taken_at
from engine.store.errors import StoreBusyError, StoreDamagedError, StoreError
from engine.store.schema import MIGRATIONS

# The bytes that SQLite locks, a waiting writer's to the last reader's: https://www.sqlite.org/fileformat.html
_LOCKED, _LOCKS = 0x40000000, 512
_NOTHING = "Nothing was changed."


@dataclass(frozen=True, slots=True)
class Mended:
    """A database that was replaced: ``kept`` is the damaged one, ``backup`` what is used now, None for an empty one."""

    kept: Path
    backup: Path | None

    @property
    def text(self) -> str:
        """What was done, in sentences."""
        used = f"The backup {self.backup.name} is used now" if self.backup else "An empty store is used now"
        return f"{used}. The damaged file was kept as {self.kept.name}."


def damaged(path: Path, why: str) -> StoreDamagedError:
    """Return the failure of a damaged database: what was kept of it, and the commands that go on."""
    copy, saved = set_damaged_aside(path), sound_backup(path)
    kept = f"; a copy of it as it is was kept as {copy.name}" if copy is not None else ""
    command = f"nashboard --data-dir {shlex.quote(str(path.parent))} doctor"
    back = (
        f"go back to the backup {saved.name} of {date_of(saved)} by `{command} --restore-store`, or " if saved else ""
    )
    return StoreDamagedError(
        f"The store {path} is damaged",
        f"{why}{kept}",
        f"Close Nashboard, then {back}begin with an empty store by `{command} --new-store`: the damaged file is kept.",
        kept=str(copy or ""),
        backup=str(saved or ""),
    )


def go_back(path: Path) -> Mended:
    """Put the newest sound backup in the place of a damaged database, which is kept.

    At any instant there is a whole file of that name, the old one or the new one. Raises StoreError, with nothing
    changed, where the database is not damaged, another program has it open, or there is no backup.
    """
    saved = sound_backup(path)
    if saved is None:
        raise StoreError(
            f"The store {path} has no backup",
            "one is made before a newer Nashboard changes the store's form, and there is none that can be read",
            "Begin with an empty store by `nashboard doctor --new-store`, or restore a copy of your own.",
        )
    return _replace(path, saved)


def begin_anew(path: Path) -> Mended:
    """Put an empty database in the place of a damaged one, which is kept; raises as ``go_back`` does."""
    return _replace(path, None)


def sound_backup(path: Path) -> Path | None:
    """Return the newest backup of a database that is whole, and not of a newer Nashboard."""
    return next((saved for saved in backups(path) if _usable(saved)), None)


def date_of(saved: Path) -> str:
    """Return when a backup was taken, in this machine's time."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(taken_at(saved)))


def set_damaged_aside(path: Path, held: BinaryIO | None = None) -> Path | None:
    """Copy a damaged database and its log as they are, once; None where there is no room or nothing to copy.

    ``held`` is the open file, where it is locked: to open it again and close it would end the lock.
    """
    try:
        copy = path.with_name(f"{path.name}.damaged.{path.stat().st_mtime_ns}")
        if not copy.exists():  # the log first: the copy is whole once it has its name
            with contextlib.suppress(FileNotFoundError), Path(f"{path}-wal").open("rb") as log:
                _copy(log, Path(f"{copy}-wal"))
            with contextlib.nullcontext(held) if held is not None else path.open("rb") as file:
                file.seek(0)
                _copy(file, copy)
    except OSError:
        return None
    return copy


def _replace(path: Path, saved: Path | None) -> Mended:
    try:
        seen = _mark(path)
        _require_damage(path)
        with _alone(path, seen) as held:
            kept = set_damaged_aside(path, held)
            if kept is None:
                raise StoreError(f"The damaged store {path} cannot be kept", "there is no room for a copy", _NOTHING)
            with atomic_file(path) as new:
                if saved is not None:
                    with saved.open("rb") as source:
                        shutil.copyfileobj(source, new)
                for suffix in ("-wal", "-shm"):  # of the damaged one: they would be read into the new one
                    Path(f"{path}{suffix}").unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"The store {path} cannot be replaced", error.strerror or repr(error), _NOTHING) from error
    return Mended(kept, saved)


@contextlib.contextmanager
def _alone(path: Path, seen: tuple[int, ...]) -> Iterator[BinaryIO]:
    """Hold the lock that shuts every other program out of the database. Raises StoreBusyError."""
    import fcntl

    with path.open("r+b") as held:
        try:
            fcntl.lockf(held, fcntl.LOCK_EX | fcntl.LOCK_NB, _LOCKS, _LOCKED)
        except OSError:
            raise _busy(path, "another program has it open") from None
        if _mark(path) != seen:
            raise _busy(path, "another program changed it meanwhile")
        yield held


def _mark(path: Path) -> tuple[int, ...]:
    facts = path.stat()
    return facts.st_dev, facts.st_ino, facts.st_mtime_ns, facts.st_size


def _require_damage(path: Path) -> None:
    try:
        _check(path)
    except sqlite3.OperationalError as error:
        raise _busy(path, str(error)) from error
    except sqlite3.DatabaseError:
        return
    raise StoreError(f"The store {path} is not damaged", "a full check found no fault in it", _NOTHING)


def _usable(saved: Path) -> bool:
    try:
        return 0 < _check(saved) <= len(MIGRATIONS)
    except sqlite3.Error:
        return False


def _check(path: Path) -> int:
    """Check all of a database and return its version. Raises sqlite3.DatabaseError where it is damaged."""
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2)) as db:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        fault = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if fault != "ok":
        raise sqlite3.DatabaseError(f"database disk image is malformed: {fault}")
    return int(version)


def _copy(source: BinaryIO, target: Path) -> None:
    with atomic_file(target) as file:
        shutil.copyfileobj(source, file)
    facts = os.fstat(source.fileno())
    os.utime(target, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def _busy(path: Path, why: str) -> StoreBusyError:
    return StoreBusyError(f"The store {path} is in use", why, f"Close every Nashboard on this folder. {_NOTHING}")
