"""The support bundle: what helps to find a fault, in one file of bounded size, without any secret."""

from __future__ import annotations

import json
import os
import platform
import re
import sqlite3
import stat
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.core.errors import EngineError
from engine.core.files import atomic_file
from engine.core.redact import Redactor

if TYPE_CHECKING:
    from app.doctor import Check

PART = 2_000_000  # bytes of one file, its end
TOTAL = 16_000_000  # bytes of all, before they are packed
CRASHES = 10
RUNS = 5
LISTED = 5_000  # files of the data directory that are named
LOOK_S = 10.0  # for the look into the store
_CUT = 4096  # bytes at the beginning of an end that hold half a line, and maybe half a key
# Files that hold secrets: their words are taken out of all others. Nothing of them is in the bundle.
_SECRET_FILES = ("learning/*/jwt.hex", "*token*", "*secret*")
_SEEDS = re.compile(r'"genesis_seed"\s*:\s*"([0-9a-fA-F]{8,128})"')


@dataclass(frozen=True, slots=True)
class Bundle:
    """A written bundle: where, how large, what is inside, and what was left out with the reason."""

    path: Path
    size: int
    files: tuple[str, ...]
    left_out: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON-ready object."""
        return {"path": str(self.path), "bytes": self.size, "files": list(self.files), "left_out": list(self.left_out)}


def write_bundle(
    path: Path, data_root: Path, checks: list[Check], given_up: Callable[[], bool] = lambda: False
) -> Bundle:
    """Write the bundle of a data directory to ``path``. Raises EngineError where it cannot be written.

    ``given_up`` is asked before each part and at the end: no file is left then. Keys, tokens, a devnet's state,
    modules, journals and the store itself are never looked at for it; what is taken is cleaned of what may be a secret.
    """
    redactor = Redactor(tuple(_known(data_root)), Path.home())
    names: list[str] = []
    left_out: list[str] = []
    room = TOTAL
    try:
        with atomic_file(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as packed:
            for name, text in _parts(data_root, checks, left_out):
                _go_on(given_up)
                content = redactor.clean(text).encode("utf-8", "replace")
                if len(content) > room:
                    left_out.append(f"{name}: the bundle is full")
                    continue
                room -= len(content)
                packed.writestr(name, content)
                names.append(name)
            packed.writestr("MANIFEST.txt", redactor.clean(_manifest(names, left_out)))
            _go_on(given_up)
        size = path.stat().st_size
    except OSError as error:
        raise EngineError(
            f"The support bundle {path.name} cannot be written", error.strerror or repr(error), "Choose another place."
        ) from error
    return Bundle(path, size, (*names, "MANIFEST.txt"), tuple(left_out))


def _go_on(given_up: Callable[[], bool]) -> None:
    if given_up():
        raise EngineError("The support bundle was given up", "", "Write it again.")


def _parts(root: Path, checks: list[Check], left_out: list[str]) -> Iterator[tuple[str, str]]:
    """Give name and text of each part, the most telling first."""
    yield "about.json", _json(_about(root))
    yield "doctor.json", _json([check.to_json() for check in checks])
    yield "store.json", _json(_store(root / "nashboard.db"))
    crashes = sorted((root / "logs").glob("crash-*.txt"), reverse=True)
    logs = sorted((root / "logs").glob("*.log*"))
    settings = sorted(root.glob("settings*.toml"))
    for path in (*settings, *crashes[:CRASHES], *logs, root / "devnet" / "anvil.log", *_runs(root)):
        try:
            text = _end_of(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            left_out.append(f"{path.relative_to(root)}: {error.strerror or error}")
            continue
        yield path.relative_to(root).as_posix(), text
    yield "files.txt", "\n".join(_listing(root))


def _about(root: Path) -> dict[str, Any]:
    from engine.learning.run.journal import program_version

    return {
        "nashboard": program_version(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "sqlite": sqlite3.sqlite_version,
        "written": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "data_directory": str(root),
    }


def _store(path: Path) -> dict[str, Any]:
    """Look at the store without changing it: version, soundness, how much is in it, what lies beside it."""
    beside = {entry.name: entry.stat().st_size for entry in path.parent.glob(f"{path.name}*") if entry.is_file()}
    found: dict[str, Any] = {"files": beside}
    if not path.is_file():
        return found
    deadline = time.monotonic() + LOOK_S
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2.0)) as db:
            db.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
            found["version"] = db.execute("PRAGMA user_version").fetchone()[0]
            tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            found["rows"] = {name: db.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0] for name in tables}
            found["check"] = db.execute("PRAGMA quick_check(5)").fetchall()
    except sqlite3.Error as error:
        found["failed"] = str(error)
    return found


def _runs(root: Path) -> list[Path]:
    """Return what is kept of the newest runs of the learning chain: their settings and results, not their journals."""
    found = [path for path in (root / "learning").glob("*/run.json") if path.parent.name.isdigit()]
    return sorted(found, key=lambda path: int(path.parent.name), reverse=True)[:RUNS]


def _known(root: Path) -> Iterator[str]:
    """Give secrets that lie in the data directory."""
    for pattern in _SECRET_FILES:
        for path in root.glob(pattern):
            try:
                yield from _end_of(path, _CUT).split()
            except OSError:
                continue
    for path in (root / "learning").glob("*/run.json"):
        try:
            yield from _SEEDS.findall(_end_of(path))
        except OSError:
            continue


def _end_of(path: Path, limit: int = PART) -> str:
    """Return the end of a file as text; a link, a pipe or a device is not read. Raises OSError."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with open(path, "rb", opener=lambda name, _: os.open(name, flags)) as file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise OSError("not a file")
        begin = max(0, facts.st_size - limit)
        file.seek(begin)
        content = file.read(limit)
    if not begin:
        return content.decode("utf-8", "replace")
    line = content.find(b"\n", 0, _CUT)
    return f"(its first {begin} bytes are left out)\n" + content[line + 1 if line >= 0 else _CUT :].decode(
        "utf-8", "replace"
    )


def _listing(root: Path) -> Iterator[str]:
    """Name the files of the data directory with their sizes and times."""
    number = 0
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in sorted(files):
            number += 1
            if number > LISTED:
                yield "... and more"
                return
            path = Path(folder, name)
            try:
                facts = path.lstat()
            except OSError:
                continue
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(facts.st_mtime))
            yield f"{stat.filemode(facts.st_mode)} {facts.st_size:>12} {when} {path.relative_to(root).as_posix()}"


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, default=str)


def _manifest(names: list[str], left_out: list[str]) -> str:
    lines = [
        "A support bundle of Nashboard. Look through it before you send it.",
        "",
        "Taken out of all texts: passwords, tokens, seeds, phrases, and whatever has the form of a key; hashes have",
        "that form too, so each is a number, the same one wherever it stands. The name of the home folder is ~.",
        "Not in it: the keystore, tokens, the store, the devnet's state, match bundles, modules, journals of runs.",
        "",
        "Inside:",
        *(f"  {name}" for name in names),
    ]
    if left_out:
        lines += ["", "Left out:", *(f"  {reason}" for reason in left_out)]
    return "\n".join(lines) + "\n"
