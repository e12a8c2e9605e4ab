"""How large the installed build is: read from ``dist/``, where ``make package`` puts it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

DIST = Path(__file__).parents[2] / "dist"
FOLDER_MB, ARCHIVE_MB = 300.0, 90.0
TORCH_MB = 850.0


def rows(note: Callable[[str], None], seconds: float, row: Callable[..., dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Give the rows; where nothing was built, one that says so."""
    folder = DIST / "nashboard"
    if not folder.is_dir():
        yield row("bundle", "MB", [], more="not built: make package")
        return
    yield row("bundle: folder", "MB", [_size(folder)], goal=("worst", FOLDER_MB))
    for path in sorted(DIST.glob("*.tar.*")):
        if path.name.endswith(("xz", "gz", "zst")):
            goal = None if path.name.startswith(("nashboard-torch", "nashboard-learn")) else ("worst", ARCHIVE_MB)
            yield row(f"bundle: {path.name}", "MB", [path.stat().st_size / 1e6], goal=goal)
    torch = DIST / "nashboard-torch"
    if torch.is_dir():
        both = _size(folder) + _size(torch)
        yield row("bundle: folder with torch", "MB", [both], goal=("worst", TORCH_MB))


def _size(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()) / 1e6
