"""A run as files: its trace as a table, its configuration and answer as JSON."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from app.viewmodels.consensus_runs import RunRecord, verdict_of
from engine.core.files import write_atomically
from engine.games.files.json_form import format_json_game
from engine.games.games import Game
from engine.games.trace import column_name, write_trace_csv

WHOLE = 20_000  # numbers of a profile, or of a game, that go into a result
VERSIONS = ("nashboard", "numpy", "numba")


def export_csv(path: Path, record: RunRecord) -> int:
    """Write the points of a run with all their digits and return how many. Raises OSError."""
    names = [column_name(record.game, *curve) for curve in record.watched]
    write_trace_csv(path, ("iteration", "nashconv", *names), _rows(record))
    return record.trace.count


def _rows(record: RunRecord) -> Iterator[list[Any]]:
    for iteration, numbers in zip(record.trace.x, record.trace.y, strict=True):
        yield [int(iteration), *map(float, numbers)]


def export_json(path: Path, record: RunRecord) -> None:
    """Write what a run was asked for and what it answered. Raises OSError."""
    text = json.dumps(result_of(record), indent=2, allow_nan=False)
    write_atomically(path, text.encode() + b"\n", mode=0o644)


def result_of(record: RunRecord) -> dict[str, Any]:
    """Return configuration, seed, versions, solution and trace hash as a JSON-ready object."""
    solution = record.solution.to_json() if record.solution is not None else None
    if solution is not None and sum(record.game.sizes) > WHOLE:
        for found in solution["equilibria"]:
            found["profile"] = None
    return {
        "title": record.title,
        "configuration": record.setup,
        "game": _game(record.game),
        "versions": {**{name: version_of(name) for name in VERSIONS}, "python": platform.python_version()},
        "verdict": verdict_of(record).text,
        "state": record.state,
        "iterations": record.iteration,
        "nashconv": record.gap,
        "seconds": record.seconds,
        "trace_hash": record.trace_hash,
        "marks": [{"iteration": mark.iteration, "text": mark.text} for mark in record.marks],
        "solution": solution,
    }


def _game(game: Game) -> Any:
    """Return a small game whole; a large one follows from the configuration."""
    sizes = [float(size) for size in game.sizes]
    numbers = sum(a * b for a in sizes for b in sizes)
    if game.kind == "tensor":
        numbers = float(len(sizes))
        for size in sizes:
            numbers *= size
    if numbers > WHOLE:
        return {"kind": game.kind, "title": game.title, "sizes": list(game.sizes)[:64]}
    return json.loads(format_json_game(game))


def version_of(name: str) -> str:
    """Return the version of a distribution, "" where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
