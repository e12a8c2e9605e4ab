"""The benchmark runs, all ways come to one equilibrium, and it prints a table. How fast it was is not tested."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_consensus", Path(__file__).with_name("bench_consensus.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_measures_and_describes_every_row(bench: ModuleType) -> None:
    notes: list[str] = []
    value = json.loads(json.dumps(bench.measure(notes.append, seconds=0.01)))
    assert len(notes) == 3
    rows = value["rows"]
    whole, phases, peers = rows[0], rows[1:7], rows[7:]
    assert whole["goal_ms"] == 16.0 and whole["gap"] <= 1e-6 and whole["best_ms"] <= whole["ours_ms"]
    assert [line["name"].split()[-1] for line in phases] == list(bench.PHASES)
    assert all(line["ours_ms"] > 0 for line in rows)
    assert [line["peer_name"] for line in peers] == [
        "best responses",
        "numpy.linalg.solve",
        "scipy.linalg.solve",
        "numpy.linalg.solve",
    ]
    assert [line["apart"] < 1e-9 for line in peers] == [False, True, True, True]
    assert peers[0]["apart"] < 0.05  # best responses stop at the gap
    for line in (whole, *peers):
        assert line["ratio"] == pytest.approx(line["peer_ms"] / line["ours_ms"])
    text = bench.describe(value)
    assert all(line["name"].strip() in text and line["peer_name"] in text for line in rows)


def test_a_missed_goal_is_called_missed(bench: ModuleType) -> None:
    assert bench.row("a", 16.1, "b", 32.2, goal_ms=16)["met"] is False
    assert bench.row("a", 16.0, "b", 32.0, goal_ms=16)["met"] is True
