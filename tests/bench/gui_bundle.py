"""How large the installed build is: read from ``dist/``, where ``make package`` puts it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

DIST = Path(__file__).parents[2] / "dist"
FOLDER_MB, ARCHIVE_MB = 300.0, 90.0
LEARN_MB = 850.0


def rows(note: Callable[[str], None], seconds: float, row: Callable[..., dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Give the rows; where nothing was built, one that says so."""
    folder = DIST / "nashboard"
    if not folder.is_dir():
        yield row("bundle", "MB", [], more="not built: make package")
        return
    yield row("bundle: folder", "MB", [_size(folder)], goal=("worst", FOLDER_MB))
    for path in sorted(DIST.glob("*.tar.*")):
        if path.name.endswith(("xz", "gz", "zst")):
            goal = ("worst", ARCHIVE_MB) if "learn" not in path.name else None
            yield row(f"bundle: {path.name}", "MB", [path.stat().st_size / 1e6], goal=goal)
    learn = DIST / "nashboard-learn"
    if learn.is_dir():
        yield row("bundle: folder with the learning add-on", "MB", [_size(folder) + _size(learn)],
                  goal=("worst", LEARN_MB))  # fmt: skip


def _size(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()) / 1e6
