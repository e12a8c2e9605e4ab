"""The learning chain beside plain ways, libraries and the specification's own code, measured in the same run.

``nashboard bench learning`` loads this file from the source tree and calls :func:`measure` and :func:`describe`. The
parts are in the files ``learning_*.py`` beside it. Nothing here asserts a time.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from app.commands.output import table

PARTS = ("crypto", "beacon", "updates", "ai", "dht", "world")


def measure(note: Callable[[str], None], seconds: float = 1.0, parts: tuple[str, ...] = PARTS) -> dict[str, Any]:
    """Return rows of what was measured; each of about ``seconds``, the long runs as long as they take."""
    rows: list[dict[str, Any]] = []
    for part in parts:
        note(f"measuring: {part}")
        rows += [{"part": part, **row} for row in _load(part).rows(note, seconds)]
    return {"processors": os.cpu_count(), "rows": rows}


def describe(value: dict[str, Any]) -> str:
    """Return the rows as a text table."""
    cells = [
        (
            row["name"],
            _shown(row["ours"], row["unit"]),
            row["peer_name"],
            "" if row["peer"] is None else _shown(row["peer"], row["unit"]),
            "" if row["ratio"] is None else f"{row['ratio']:,.3g}x",
            "" if row["goal"] is None else _shown(row["goal"], row["unit"]),
            "" if row["met"] is None else "met" if row["met"] else "missed",
        )
        for row in value["rows"]
    ]
    heads = ("", "ours", "peer", "", "ratio", "goal", "")
    return f"{value['processors']} processors, medians\n\n" + table(heads, cells)


def _shown(number: float, unit: str) -> str:
    return f"{number:,.3g}{unit}" if unit.startswith("/") else f"{number:,.3g} {unit}"


def _load(part: str) -> ModuleType:
    path = Path(__file__).with_name(f"learning_{part}.py")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
