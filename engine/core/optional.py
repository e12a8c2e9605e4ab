"""Packages that a slim installation goes without: what needs one says so before it begins."""

from __future__ import annotations

import importlib.util

from engine.core.errors import DependencyError
from engine.core.paths import how_to_get


def is_there(package: str) -> bool:
    """Whether a package can be imported, without doing so."""
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def need_torch(what: str) -> None:
    """Raise DependencyError, which begins with ``what`` cannot be done, where torch is not installed."""
    if not is_there("torch"):
        raise DependencyError(what, "torch is not installed here", f"To get it, {how_to_get('torch')}.")
