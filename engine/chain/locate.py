"""Where Anvil is: named by the operator, shipped with the program, or installed on the machine."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path

from engine.chain.errors import AnvilMissingError
from engine.core.paths import is_frozen, source_root

VARIABLE = "NASHBOARD_ANVIL"
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def find_anvil(explicit: Path | None = None) -> Path:
    """Return Anvil's executable. An explicit path, or the variable NASHBOARD_ANVIL, is the only one tried then.

    Raises AnvilMissingError with all paths tried.
    """
    chosen = explicit or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    candidates = [chosen] if chosen is not None else _candidates()
    for path in candidates:
        if path.is_file() and os.access(path, os.X_OK):
            return path
    tried = [str(path) for path in candidates]
    again = "Install Nashboard again" if is_frozen() else "Run `make run` once"
    raise AnvilMissingError(
        "Anvil was not found",
        f"tried {', '.join(tried)}",
        f"{again}, install Foundry, or set {VARIABLE} to the executable.",
        tried=tried,
    )


def _candidates() -> list[Path]:
    system = {"darwin": "darwin", "win32": "win32"}.get(sys.platform, "linux")
    machine = _MACHINES.get(platform.machine().lower(), platform.machine().lower())
    name = "anvil.exe" if system == "win32" else "anvil"
    found = shutil.which("anvil")
    return [
        source_root() / "bin" / name,
        source_root() / "contracts" / "node_modules" / "@foundry-rs" / f"anvil-{system}-{machine}" / "bin" / name,
        *([Path(found)] if found else []),
        Path.home() / ".foundry" / "bin" / name,
    ]
