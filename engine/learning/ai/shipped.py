"""Checkpoints and recordings that ship with the program, each under its hash."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

from engine.core.files import write_atomically
from engine.core.paths import assets_dir
from engine.learning.errors import TrainingError

HASHES = "hashes.json"


def shipped_folder() -> Path:
    """Return where they lie."""
    return assets_dir() / "models" / "learning"


def shipped_bytes(name: str, folder: Path | None = None) -> bytes:
    """Return a file that ships. Raises TrainingError when it is missing or not the one that was shipped."""
    folder = folder or shipped_folder()
    try:
        wanted = json.loads((folder / HASHES).read_text("ascii"))[name]
        data = (folder / name).read_bytes()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(name, f"{type(error).__name__}: {error}") from error
    if sha256(data).hexdigest() != wanted:
        raise _unreadable(name, "its bytes have another hash than what ships")
    return data


def ship(path: Path, data: bytes) -> None:
    """Write a file and note its hash beside it."""
    listed = path.with_name(HASHES)
    hashes = json.loads(listed.read_text("ascii")) if listed.is_file() else {}
    hashes[path.name] = sha256(data).hexdigest()
    write_atomically(path, data, mode=0o644)
    write_atomically(listed, (json.dumps(hashes, indent=2, sort_keys=True) + "\n").encode(), mode=0o644)


def _unreadable(name: str, why: str) -> TrainingError:
    return TrainingError(f"The file {name} of the learning chain cannot be read", why, "Install the program again.")
