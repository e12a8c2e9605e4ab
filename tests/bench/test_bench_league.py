"""The benchmark runs, agrees with itself, and prints a table. How fast it was is not tested."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_league", Path(__file__).with_name("bench_league.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_measures_and_describes_every_row(bench: ModuleType) -> None:
    notes: list[str] = []
    value = json.loads(json.dumps(bench.measure(notes.append, seconds=0.02)))
    assert len(notes) == 12
    goals = [(row.get("goal_ratio"), row.get("goal_rate")) for row in value["rows"]]
    rates = [(1000, 20e6), (None, 400_000), (None, 15_000), (None, 3_500), (None, None), (None, 1_000_000), (1.8, None)]
    assert goals == rates
    for row in value["rows"]:
        assert row["ours"] > 0
        assert row["ratio"] == pytest.approx(row["ours"] / row["peer"])
    text = bench.describe(value)
    assert all(row["name"] in text and row["peer_name"] in text for row in value["rows"])


def test_a_missed_goal_is_called_missed(bench: ModuleType) -> None:
    missed = bench.row("a", "x/s", 999.0, "b", 1.0, goal_ratio=1000)
    met = bench.row("c", "x/s", 1000.0, "d", 1.0, goal_ratio=1000)
    assert (missed["met"], met["met"]) == (False, True)
    text = bench.describe({"system": "s", "agent": "a", "steps_a_match": 1, "processors": 2, "rows": [missed, met]})
    assert "missed" in text.splitlines()[3]
    assert text.splitlines()[4].endswith("met")


def test_inside_and_outside_play_the_same_number_of_steps(bench: ModuleType) -> None:
    with bench.arena() as found:
        assert bench.steps_inside(found.system, [found.agent], 3)() == 3 * bench.steps_outside()() == 900
        assert bench.matches_of_the_reference()() == 1
