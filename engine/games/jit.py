"""Numba with types: the twins of the clear solvers are compiled once and kept on disk.

An installed build has them compiled already and no Numba: see :mod:`engine.games.ahead`.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import platformdirs

from engine.core.paths import is_frozen
from engine.games import ahead

if ahead.library() is None:
    import numba

P = ParamSpec("P")
R = TypeVar("R")
_KEPT_S = 30 * 86_400.0  # compiled code of other versions that was used in the last month is kept


def cache_folder(package: Path) -> Path:
    """Return where compiled code of just this version of a package is kept.

    By itself Numba compiles anew only when the file of a function changes. Code of other files that it calls, and
    constants of theirs, are inlined: after an update the old would go on inside the new. So the folder is named by all
    of the sources.
    """
    digest = sha256(numba.__version__.encode())
    sources = sorted(package.rglob("*.py"))
    for path in sources:
        digest.update(path.read_bytes())
    if is_frozen():
        # Numba takes the program for the source of all functions: each of the twins needs a folder of its own.
        digest.update(f"{_version()} {Path(sys.executable).name}".encode())
    beside = package / "__pycache__"
    # An installed build is left as it was installed, also by who may write there: it has to go without a trace.
    writable = not is_frozen() and os.access(beside if beside.is_dir() else package, os.W_OK)
    root = beside if writable else Path(platformdirs.user_cache_dir("nashboard", appauthor=False))
    return root / f"compiled-{digest.hexdigest()[:16]}"


def _version() -> str:
    try:
        return version("nashboard")
    except PackageNotFoundError:
        return "unknown"


def _use(folder: Path) -> None:
    """Let Numba keep its files there, and let go of folders that nobody used for a month."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        for other in folder.parent.glob("compiled-*"):
            if time.time() - other.stat().st_mtime > _KEPT_S:
                shutil.rmtree(other, ignore_errors=True)
    except OSError:
        return  # nothing is kept then, and compiled at each start
    config: Any = numba.config
    config.CACHE_DIR = str(folder)


if ahead.library() is None:
    _use(cache_folder(Path(__file__).parent))


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function of arrays and numbers without Python objects; it releases the interpreter lock."""
    return _made(function)


def compiled_ieee(function: Callable[P, R]) -> Callable[P, R]:
    """Compile like :func:`compiled`; division by zero gives infinity or NaN, as in NumPy: faster loops."""
    return _made(function, error_model="numpy")


def _made(function: Callable[P, R], **options: Any) -> Callable[P, R]:
    library = ahead.library()
    if library is not None:
        return cast("Callable[P, R]", ahead.find(function, library))
    made: Any = numba.njit(cache=True, nogil=True, **options)(function)
    return cast("Callable[P, R]", made)
