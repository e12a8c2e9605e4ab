"""What a folder holds, looked at from outside: nothing in it is made, changed or locked."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

DATABASE = "nashboard.db"
SETTINGS = "settings.toml"
_KEPT = (("rounds", "league round"), ("agents", "agent"), ("consensus_rounds", "round of consensus"))
# What a console leaves that was only looked at.
_TRACES = {"cache", "logs", "devnet", "bundles", "console.lock", "window.ini", DATABASE}


@dataclass(frozen=True, slots=True)
class Survey:
    """``holds`` are its contents in words; ``ours``: it is a data directory; ``strange`` are entries of others."""

    root: Path
    ours: bool
    holds: tuple[str, ...]
    strange: int

    @property
    def fresh(self) -> bool:
        """Whether nobody has kept anything here yet."""
        return not self.holds and not self.strange


def survey(root: Path) -> Survey:
    """Return what lies in a folder, which need not exist. What cannot be read counts as there."""
    try:
        names = {entry.name for entry in root.iterdir()}
    except FileNotFoundError:
        return Survey(root, False, (), 0)
    except OSError as error:
        return Survey(root, False, (f"what cannot be read ({error.strerror or error!r})",), 0)
    ours = bool(names & {DATABASE, SETTINGS, "console.lock"})
    holds = [*_stored(root / DATABASE), *_lying(root)]
    holds += ["settings"] if SETTINGS in names else []
    return Survey(root, ours, tuple(holds), 0 if ours else len(names - _TRACES))


def _stored(path: Path) -> list[str]:
    """Return what the database keeps."""
    if not path.is_file():
        return []
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=1)) as db:
            known = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            found = [
                (db.execute(f"SELECT count(*) FROM {table}").fetchone()[0], word)
                for table, word in _KEPT
                if table in known
            ]
    except sqlite3.Error:
        return ["a database that cannot be read"]
    return [_plural(number, word) for number, word in found if number]


def _lying(root: Path) -> list[str]:
    """Return what lies beside the database."""
    with contextlib.suppress(OSError):
        runs = [run for run in (root / "learning").glob("*") if run.name.isdigit()]
        bundles = list((root / "bundles").glob("*.nets"))
        found = [(len(runs), "learning run"), (len(bundles), "match bundle")]
        chain = ["a devnet"] if (root / "devnet" / "state.json").is_file() else []
        return [*chain, *(_plural(number, word) for number, word in found if number)]
    return []


def _plural(number: int, word: str) -> str:
    if number == 1:
        return f"1 {word}"
    head, of, tail = word.partition(" of ")
    return f"{number:,} {head}s{of}{tail}"
