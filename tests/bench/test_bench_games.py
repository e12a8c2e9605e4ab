"""The games' benchmarks run, agree with themselves, hold every target of the design, and print a table.

How fast anything was is not tested: the instances are small and the time short here.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from engine.core.errors import DependencyError

TARGETS: dict[str, tuple[tuple[str, float], ...]] = {
    # What the row's name says, and how many times faster than the best peer.
    "zero_sum": (("1000x1000 to 1e-06", 20), ("1000x1000 to 1e-09", 8), ("Blotto(12, 4)", 4)),
    "bimatrix": (("1000 random 8x8", 10), ("8x8", 1), ("64x64", 1)),
    "vertices": (("8x8", 1),),
    "tensor": (("3 players x 10 actions", 10), ("3 players x 10 actions", 3), ("5 players x 10 actions", 50)),
    "learning": (),
}


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_games", Path(__file__).with_name("bench_games.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_field_is_held_to_its_targets(bench: ModuleType) -> None:
    assert set(TARGETS) == set(bench.FIELDS["cpu"])


@pytest.mark.parametrize("field", TARGETS)
@pytest.mark.timeout(180)
def test_every_target_has_a_row_with_its_goal(bench: ModuleType, field: str) -> None:
    notes: list[str] = []
    value: dict[str, Any] = json.loads(json.dumps(bench.measure(notes.append, seconds=0.01, fields=(field,))))
    assert notes
    assert value["rows"]
    goals = [(row["name"], row["goal"]) for row in value["rows"]]
    for fragment, goal in TARGETS[field]:
        assert any(fragment in name and found == goal for name, found in goals), f"{fragment}, {goal}: {goals}"
    for row in value["rows"]:
        assert row["ours_ms"] > 0
        assert row["note"], f"{row['name']} does not say how exact both were"
        if row["peer_ms"] is not None:
            assert row["ratio"] == pytest.approx(row["peer_ms"] / row["ours_ms"])
    text = bench.describe(value)
    assert all(row["name"] in text and row["peer_name"] in text for row in value["rows"])


def test_goals_are_held_against_the_ratio_or_the_rate(bench: ModuleType) -> None:
    rows = [
        bench.row("as fast", 1.0, "p", 4.0, goal=4),
        bench.row("too slow", 1.0, "p", 3.9, goal=4),
        bench.row("no goal", 1.0, "p", 4.0),
        bench.row("no peer", 1.0, "p", None, goal=4),
        bench.row("a rate", 1.0, "", None, rate=5e10, goal_rate=4e10, unit="games/s"),
        bench.row("a low rate", 1.0, "", None, rate=3e10, goal_rate=4e10, unit="games/s"),
    ]
    assert [row["met"] for row in rows] == [True, False, None, None, True, False]
    lines = bench.describe({"device": "cpu", "processors": 2, "rows": rows}).splitlines()
    table = {line[:10].strip(): line for line in lines[3:9]}
    assert table["as fast"].endswith("met")
    assert table["too slow"].endswith("missed")
    assert "not installed" in table["no peer"]
    assert "5e+10 games/s" in table["a rate"]
    assert "1 ms" in table["no goal"]


def test_a_missing_field_is_said_and_left_out(bench: ModuleType) -> None:
    notes: list[str] = []
    assert bench.measure(notes.append, fields=("no_such_field",))["rows"] == []
    assert notes == ["not here: games_no_such_field.py"]


def test_the_gpu_rows_need_a_gpu(bench: ModuleType) -> None:
    from engine.core.arrays import cuda_devices

    try:
        cuda_devices()
    except DependencyError:
        with pytest.raises(DependencyError):
            bench.measure(device="cuda", seconds=0.01)
    else:
        pytest.skip("there is one; the suite for CUDA runs the rows")
