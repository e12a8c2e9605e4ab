"""How fast the solvers are, beside the best library for the same work, measured in the same run.

``nashboard bench games`` loads this file from the source tree and calls :func:`measure` and :func:`describe`. Every
``games_<field>.py`` beside it has ``rows(note, seconds)``, which returns a list of :func:`row`: the same game to the
same accuracy, medians, both sides warmed up. Nothing here asserts a time.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.commands.output import table
from engine.core.arrays import cuda_devices

FIELDS = {
    "cpu": ("zero_sum", "bimatrix", "vertices", "tensor", "learning"),
    "cuda": ("cuda",),
}


def row(
    name: str,
    ours_ms: float,
    peer_name: str,
    peer_ms: float | None,
    *,
    goal: float | None = None,
    note: str = "",
    **facts: Any,
) -> dict[str, Any]:
    """One line: milliseconds for the same work. ``ratio`` above 1: ours is faster; ``goal`` is held against it.

    ``peer_ms`` is None where the peer is not installed; ``met`` is None where there is nothing to hold the goal
    against. More ``facts`` (a rate, the share of a bound) stay in the row as they are; where ``rate`` and ``goal_rate``
    are among them, ``unit`` names theirs and the goal is held against the rate.
    """
    ratio = None if peer_ms is None else peer_ms / ours_ms
    met = None if goal is None or ratio is None else ratio >= goal
    if "goal_rate" in facts:
        met = facts["rate"] >= facts["goal_rate"]
    line = {"name": name, "ours_ms": ours_ms, "peer_name": peer_name, "peer_ms": peer_ms, "ratio": ratio}
    return {**line, "goal": goal, "met": met, "note": note, **facts}


def measure(
    note: Callable[[str], None] = lambda _: None,
    *,
    device: str = "cpu",
    seconds: float = 1.5,
    fields: Sequence[str] = (),
) -> dict[str, Any]:
    """Return all rows, ready for JSON; each of the measurements takes about ``seconds``.

    Below 0.1 s the instances are small too, under the same names. Raises DependencyError without a CUDA device where
    one is asked for.
    """
    if device == "cuda":
        cuda_devices()
    rows: list[dict[str, Any]] = []
    with _siblings():
        for field in fields or FIELDS[device]:
            if not Path(__file__).with_name(f"games_{field}.py").is_file():
                note(f"not here: games_{field}.py")
                continue
            rows += importlib.import_module(f"games_{field}").rows(note, seconds)
    return {"device": device, "processors": os.cpu_count(), "rows": rows}


def describe(value: dict[str, Any]) -> str:
    """Return the rows as a text table."""
    rows = table(("", "ours", "peer", "ratio", "goal", ""), [_cells(line) for line in value["rows"]])
    about = f"{value['device']}, {value['processors']} processors, medians; ratio: the peer's time through ours"
    peers = "\n".join(
        f"“{line['name']}” against {line['peer_name']}" + (f": {line['note']}" if line["note"] else "")
        for line in value["rows"]
    )
    return f"{about}\n\n{rows}\n\n{peers}"


def _cells(line: dict[str, Any]) -> tuple[str, ...]:
    goal = "" if line["goal"] is None else f"{line['goal']:g}x"
    ours = _duration(line["ours_ms"])
    if "rate" in line:
        unit = line.get("unit", "/s")
        ours = f"{line['rate']:.3g} {unit}"
        goal = f"{line['goal_rate']:.3g} {unit}" if "goal_rate" in line else goal
    peer = "not installed" if line["peer_ms"] is None else _duration(line["peer_ms"])
    if line["peer_ms"] is None and not line["peer_name"]:
        peer = ""
    ratio = (
        "" if line["ratio"] is None else f"{line['ratio']:,.3g}x" if line["ratio"] < 100 else f"{line['ratio']:,.0f}x"
    )
    mark = "" if line["met"] is None else "met" if line["met"] else "missed"
    return (line["name"], ours, peer, ratio, goal, mark)


def _duration(milliseconds: float) -> str:
    if milliseconds >= 1000:
        return f"{milliseconds / 1000:.3g} s" if milliseconds < 1e5 else f"{milliseconds / 1000:,.0f} s"
    return f"{milliseconds:.3g} ms" if milliseconds >= 0.1 else f"{milliseconds * 1000:.3g} us"


@contextmanager
def _siblings() -> Iterator[None]:
    """Let the files beside this one import each other, and ``row`` from here, by their plain names."""
    folder = str(Path(__file__).parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
