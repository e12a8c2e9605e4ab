"""Where things lie: shipped assets, the data directory, its files."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from engine.core.errors import EngineError


def source_root() -> Path:
    """Return the folder that holds ``engine/`` and ``assets/``: the checkout, the wheel's root or the frozen bundle."""
    bundle = getattr(sys, "_MEIPASS", None)
    return Path(bundle) if bundle else Path(__file__).resolve().parents[2]


def is_frozen() -> bool:
    """Whether this is an installed build, without a Python of its own and without sources."""
    return bool(getattr(sys, "frozen", False))


def add_ons() -> list[Path]:
    """Return the folders with further packages that lie beside an installed build's program."""
    if not is_frozen():
        return []
    return sorted(path for path in (Path(sys.executable).resolve().parent / "addons").glob("*") if path.is_dir())


def how_to_get(extra: str) -> str:
    """Return what brings one of the project's extras, in this kind of installation."""
    if is_frozen():
        return f"install the add-on nashboard-{extra} of the same version"
    if extra == "torch":  # everything but a build installs it with the program
        return "install Nashboard again"
    return f"pip install 'nashboard[{extra}]'"


def assets_dir() -> Path:
    """Return the folder of the shipped assets."""
    return source_root() / "assets"


@dataclass(frozen=True, slots=True)
class DataDir:
    """The operator's data: one folder, so that a copy of it is a backup and ``--data-dir`` moves all of it."""

    root: Path

    @classmethod
    def open(cls, root: Path | None = None) -> DataDir:
        """Create the folder where missing. ``root`` None: the platform's own place. Raises EngineError."""
        if root is None:
            import platformdirs

            root = Path(platformdirs.user_data_dir("nashboard", appauthor=False))
        data = cls(root.expanduser().resolve())
        try:
            for folder in (data.root, data.logs, data.cache, data.devnet, data.bundles):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise EngineError(
                f"The data directory {data.root} cannot be used",
                os.strerror(error.errno) if error.errno else repr(error),
                "Choose another one with --data-dir.",
            ) from error
        return data

    @property
    def database(self) -> Path:
        """The SQLite store."""
        return self.root / "nashboard.db"

    @property
    def logs(self) -> Path:
        """Rotating logs and crash reports."""
        return self.root / "logs"

    @property
    def cache(self) -> Path:
        """Compiled modules; safe to delete."""
        return self.root / "cache"

    @property
    def devnet(self) -> Path:
        """Anvil's state, process record and snapshots."""
        return self.root / "devnet"

    @property
    def bundles(self) -> Path:
        """Match bundles (.nets)."""
        return self.root / "bundles"
