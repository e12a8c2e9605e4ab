"""The chain's benchmark runs, agrees with itself, and prints a table. How fast it was is not tested; gas is."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.chain


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_chain", Path(__file__).with_name("bench_chain.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.timeout(180)
def test_it_measures_and_describes_every_row(bench: ModuleType) -> None:
    notes: list[str] = []
    value = json.loads(json.dumps(bench.measure(notes.append, bench.SMALL)))
    assert notes
    rows = {row["name"]: row for row in value["rows"]}
    assert len(rows) == len(value["rows"]) == 8
    assert [row.get("goal_rate") for row in value["rows"][:3]] == [1_500] * 3
    for row in value["rows"]:
        expected = row["peer"] / row["ours"] if row["unit"] == "gas" else row["ours"] / row["peer"]
        assert row["ours"] > 0 and row["ratio"] == pytest.approx(expected)
    # Gas does not depend on the machine: these goals hold everywhere.
    assert rows["position in a batch of 64, slots, d = 8"]["met"]
    assert rows["position in a batch of 64, accumulator, d = 8"]["met"]
    assert rows["certificate, 8 agents"]["met"]
    text = bench.describe(value)
    assert all(name in text and row["peer_name"] in text for name, row in rows.items())


def test_a_missed_goal_is_called_missed(bench: ModuleType) -> None:
    slow = bench.row("a", "tx/s", 1_499.0, "b", 1.0, goal_rate=1_500)
    fast = bench.row("c", "tx/s", 1_500.0, "b", 1.0, goal_rate=1_500)
    dear = bench.row("d", "gas", 161e3, "b", 1e6, goal_most=160e3)
    little = bench.row("e", "gas", 100.0, "b", 1_099.0, goal_ratio=11)
    assert [row["met"] for row in (slow, fast, dear, little)] == [False, True, False, False]
    text = bench.describe({"processors": 2, "rows": [slow, fast, dear, little]})
    assert text.count("missed") == 3
