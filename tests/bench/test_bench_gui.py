"""The window's benchmark runs, small, and prints a table. How fast it was is not tested."""

from __future__ import annotations

import importlib.util
import json
import math
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


@pytest.mark.parametrize("part", ["plots", "tree", "lists"])
def test_it_measures_and_describes_what_is_drawn(bench: ModuleType, qapp: QApplication, part: str) -> None:
    value = bench.measure(seconds=0.02, parts=(part,))
    assert json.loads(json.dumps(value)) == value
    assert value["rows"]
    for row in value["rows"]:
        assert row["part"] == part
        assert row["count"] >= 1
        assert 0 <= row["least"] <= row["median"] <= row["worst"]
        assert row["met"] in (None, True, False)
        if row["peer"] is not None:
            assert row["ratio"] > 0
    assert any(row["peer"] for row in value["rows"])
    text = bench.describe(value)
    assert all(row["name"] in text for row in value["rows"])


def test_it_measures_a_console_of_its_own(bench: ModuleType) -> None:
    value = bench.measure(seconds=0.02, parts=("console",))
    rows = {row["name"]: row for row in value["rows"]}
    paint = rows["first paint, a new process, offscreen"]
    assert paint["peer_name"] == "a bare QLabel"
    assert paint["peer"] > 0
    assert paint["median"] < rows["all pages stand, offscreen"]["median"]
    assert "torch not imported" in rows["memory when every page and tab was opened"]["more"]
    assert rows["memory when every page and tab was opened"]["median"] > 50
    assert rows["shutdown with devnet and jobs at work"]["median"] > 0


def test_the_bundle_is_read_where_it_was_built(
    bench: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = bench._load("bundle")
    monkeypatch.setattr(bundle, "DIST", tmp_path)
    (absent,) = bundle.rows(print, 1.0, bench.row)
    assert math.isnan(absent["median"])
    assert "not built" in absent["more"]
    assert json.loads(json.dumps(bench.plain({"rows": [absent]})))["rows"][0]["median"] is None
    (tmp_path / "nashboard").mkdir()
    (tmp_path / "nashboard" / "a").write_bytes(bytes(3_000_000))
    (tmp_path / "nashboard.tar.xz").write_bytes(bytes(95_000_000))
    folder, archive = bundle.rows(print, 1.0, bench.row)
    assert (folder["median"], folder["met"]) == (3.0, True)
    assert (archive["median"], archive["met"]) == (95.0, False)


def test_a_missed_goal_is_called_missed(bench: ModuleType) -> None:
    rows = [
        bench.row("a", "ms", [60.0, 60.0], goal=("p95", 10.0)),
        bench.row("b", "ms", [6.0, 6.0], goal=("p95", 10.0), peer=("plain", [60.0])),
        bench.row("c", "/s", [19.0, 30.0], goal=("least", 20.0)),
        bench.row("d", "ms", [1.0] * 99 + [30.0], goal=("worst", 20.0)),
        bench.row("e", "ms", [1.0]),
    ]
    assert [row["met"] for row in rows] == [False, True, False, False, None]
    assert rows[1]["ratio"] == pytest.approx(10)
    lines = bench.describe({"processors": 2, "rows": rows}).splitlines()
    assert [line.split()[-1] for line in lines[-5:-1]] == ["missed", "met", "missed", "missed"]
