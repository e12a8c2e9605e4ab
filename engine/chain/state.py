"""The devnet's saved state: a JSON file that Anvil rewrites every second, so that a kill can leave half of it.

A damaged one is put aside, never overwritten, and the copy of the last good start takes its place: what the chain
forgets by that, the outbox sends again.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.chain.errors import DevnetError
from engine.core.files import write_atomically
from engine.core.hashing import parse_json

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StateNote:
    """What a saved state is: which Anvil wrote it, its head's number and hash, when (seconds since the epoch)."""

    version: str
    block: int
    hash: str
    saved: float


def write_note(path: Path, note: StateNote) -> None:
    """Write beside the state ``path`` what it is; a disk that refuses hinders no node."""
    try:
        write_atomically(_note(path), json.dumps(asdict(note)).encode())
    except OSError as error:
        _log.warning("what the saved devnet is could not be noted: %s", error)


def read_note(path: Path) -> StateNote | None:
    """Return what stands beside the state ``path``; None where nothing does, or nothing that can be read."""
    try:
        raw = parse_json(_note(path).read_text("utf-8"))
        return StateNote(str(raw["version"]), int(raw["block"]), str(raw["hash"]), float(raw["saved"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def check_state(path: Path) -> None:
    """Copy the state for ``keep_good``; put a damaged one aside and go on from the last good copy.

    Raises DevnetError when there is no copy; the next start begins a new chain then. Only the ends are looked at,
    since a hundred megabytes take seconds to parse: what else may be wrong Anvil finds, see ``put_aside``.
    """
    try:
        whole = _is_whole(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise DevnetError("The devnet's state cannot be read", f"{path}: {error.strerror}") from error
    if whole:
        shutil.copyfile(path, _candidate(path))
    else:
        put_aside(path)


def keep_good(path: Path) -> None:
    """Note that Anvil could load the state that ``check_state`` saw: it is the copy to go back to."""
    if _candidate(path).exists():
        os.replace(_candidate(path), _good(path))  # noqa: PTH105


def put_aside(path: Path) -> None:
    """Set a damaged state aside and put the last good copy in its place. Raises DevnetError when there is none."""
    size, good = path.stat().st_size, _good(path)
    aside = path.with_name(f"{path.stem}.damaged-{time.time_ns() // 1_000_000}{path.suffix}")
    os.replace(path, aside)  # noqa: PTH105
    _candidate(path).unlink(missing_ok=True)
    if good.exists():
        shutil.copyfile(good, path)
        _log.info("the devnet's state was damaged (kept as %s); going on from the last good copy", aside.name)
        return
    raise DevnetError(
        "The devnet's saved state is damaged",
        f"{path.name} has {size} bytes and is not the JSON that Anvil writes; it is kept as {aside.name}",
        "Start again for a new chain, or put a copy of the file back.",
        kept=str(aside),
    )


def _good(path: Path) -> Path:
    return path.with_name(f"{path.stem}.good{path.suffix}")


def _note(path: Path) -> Path:
    return path.with_name(f"{path.stem}.about{path.suffix}")


def _candidate(path: Path) -> Path:
    return path.with_name(f"{path.stem}.candidate{path.suffix}")


def _is_whole(path: Path) -> bool:
    with path.open("rb") as file:
        first = file.read(1)
        file.seek(-min(16, path.stat().st_size), os.SEEK_END)
        last = file.read().rstrip()
    return first == b"{" and last.endswith(b"}")
