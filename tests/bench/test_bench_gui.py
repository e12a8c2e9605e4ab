"""The window's benchmark runs, counts its points and prints a table. How fast it was is not tested."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
from PySide6.QtWidgets import QApplication


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_gui", Path(__file__).with_name("bench_gui.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_measures_and_describes_every_row(bench: ModuleType, qapp: QApplication) -> None:
    notes: list[str] = []
    value = json.loads(json.dumps(bench.measure(notes.append, seconds=0.02)))
    assert len(notes) == len(value["rows"]) == 4
    for row in value["rows"]:
        assert row["fps"] == pytest.approx(1000 / row["median_ms"])
        assert row["frames"] >= 3
    assert 0 < value["rows"][0]["points"] <= bench.CURVES * bench.SIZE[0]
    text = bench.describe(value)
    assert all(row["name"] in text for row in value["rows"])


def test_a_missed_goal_is_called_missed(bench: ModuleType) -> None:
    slow = bench._row("a", [60.0, 60.0], 10, 20, 10.0)
    fast = bench._row("b", [6.0, 6.0], 10, 20, 10.0)
    late = bench._row("c", [30.0, 30.0], 10, 20, 10.0)
    assert [slow["met"], fast["met"], late["met"]] == [False, True, False]
    lines = bench.describe({"size": [1, 1], "processors": 2, "rows": [slow, fast]}).splitlines()
    assert lines[-2].endswith("missed")
    assert lines[-1].endswith(" met")
