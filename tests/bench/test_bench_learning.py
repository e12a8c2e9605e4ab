"""The benchmark runs and prints a table. How fast it was is not tested."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

PARTS = ("crypto", "beacon", "updates", "ai", "dht", "world")


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_learning", Path(__file__).with_name("bench_learning.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_part_is_measured(bench: ModuleType) -> None:
    assert bench.PARTS == PARTS


@pytest.mark.parametrize("part", PARTS)
def test_it_measures_and_describes_every_row(bench: ModuleType, part: str) -> None:
    value = json.loads(json.dumps(bench.measure(lambda text: None, 0.01, (part,))))
    rows = value["rows"]
    assert rows
    for row in rows:
        assert row["ours"] > 0
        assert (row["peer"] is None) == (row["ratio"] is None)
        assert (row["goal"] is None) == (row["met"] is None)
    text = bench.describe(value)
    assert all(row["name"] in text for row in rows)
