"""What the operator waits for: the first frame, frames, trees, lists, the loop under load, memory, the end.

``nashboard bench gui`` loads this file from the source tree and calls :func:`measure` and :func:`describe`. The parts
are in the files ``gui_*.py`` beside it; a peer (pyqtgraph, Qt's own views) does the same in the same run. Beside the
time that passed stands the processor time of the thread that draws: on a busy machine it says what the work costs.
Nothing here asserts a time: the table says which goals this machine meets.
"""

from __future__ import annotations

import importlib.util
import os
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from app.commands.output import table

PARTS = ("plots", "tree", "lists", "console", "bundle")
Row = dict[str, Any]


def measure(
    note: Callable[[str], None] = lambda _: None, seconds: float = 2.5, parts: Sequence[str] = PARTS
) -> dict[str, Any]:
    """Return rows of what was measured, ready for JSON; each of the repeated ones takes about ``seconds``."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ.setdefault("DBUS_SESSION_BUS_ADDRESS", "disabled:")
    rows: list[Row] = []
    for part in parts:
        note(f"measuring: {part}")
        rows += [{"part": part, **found} for found in _load(part).rows(note, seconds, row)]
    return plain({"processors": os.cpu_count(), "machine": platform.machine(), "rows": rows})


def plain(value: dict[str, Any]) -> dict[str, Any]:
    """Return the value as JSON takes it: what is no number is nothing."""
    rows = [{k: None if isinstance(v, float) and v != v else v for k, v in one.items()} for one in value["rows"]]
    return {**value, "rows": rows}


def row(
    name: str,
    unit: str,
    values: Sequence[float],
    *,
    cpu: Sequence[float] = (),
    goal: tuple[str, float] | None = None,
    peer: tuple[str, Sequence[float]] | None = None,
    more: str = "",
) -> Row:
    """Return a row of samples. ``goal`` names a statistic (median, p95, p99, worst, least) and its bound.

    A goal of ``least`` is one to be reached, the others are not to be passed. ``peer``'s ratio is of its medians.
    """
    ours = statistics(values)
    met = None
    if goal is not None:
        met = ours[goal[0]] >= goal[1] if goal[0] == "least" else ours[goal[0]] <= goal[1]
    theirs = statistics(peer[1])["median"] if peer is not None else None
    return {
        "name": name, "unit": unit, **ours, "cpu": statistics(cpu)["median"] if len(cpu) else None,
        "peer_name": peer[0] if peer is not None else "", "peer": theirs,
        "ratio": None if theirs is None or not ours["median"] else theirs / ours["median"],
        "goal_of": goal[0] if goal is not None else "", "goal": goal[1] if goal is not None else None,
        "met": met, "more": more,
    }  # fmt: skip


def statistics(values: Sequence[float]) -> dict[str, Any]:
    """Return how many there are, and what is usual and what is worst among them."""
    if not len(values):
        return {"count": 0, **dict.fromkeys(("median", "p95", "p99", "worst", "least"), float("nan"))}
    found = np.asarray(values, dtype=float)
    p50, p95, p99 = (float(value) for value in np.percentile(found, (50, 95, 99)))
    return {"count": len(found), "median": p50, "p95": p95, "p99": p99, "worst": float(found.max()),
            "least": float(found.min())}  # fmt: skip


def describe(value: dict[str, Any]) -> str:
    """Return the rows as a text table."""
    heads = ("", "median", "p95", "p99", "worst", "CPU", "peer", "", "ratio", "goal", "", "")
    cells = [_cells(one) for one in value["rows"]]
    return f"{value['processors']} processors\n\n" + table(heads, cells)


def _cells(one: Row) -> tuple[str, ...]:
    unit = one["unit"]
    single = one["count"] == 1
    goal = "" if one["goal"] is None else f"{'' if single else one['goal_of'] + ' '}{one['goal']:,.4g} {unit}"
    return (
        one["name"],
        "" if one["median"] is None else f"{one['median']:,.4g} {unit}",
        *("" if single or one[name] is None else f"{one[name]:,.3g}" for name in ("p95", "p99", "worst")),
        "" if one["cpu"] is None else f"{one['cpu']:,.3g}",
        one["peer_name"],
        "" if one["peer"] is None else f"{one['peer']:,.3g} {unit}",
        "" if one["ratio"] is None else f"{one['ratio']:,.3g}x",
        goal,
        "" if one["met"] is None else "met" if one["met"] else "missed",
        one["more"],
    )


def _load(part: str) -> ModuleType:
    path = Path(__file__).with_name(f"gui_{part}.py")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
