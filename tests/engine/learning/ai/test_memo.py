from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from engine.learning.ai import memo
from engine.learning.ai.memo import UNKNOWN, LossMemo

BASE, DELTA = b"b" * 32, b"delta"


def put(kept: LossMemo, *numbers: int) -> None:
    kept.put(BASE, DELTA, np.array(numbers), np.array(numbers, np.int64) * 10)


def known(kept: LossMemo) -> list[int]:
    return [number for number in range(100) if kept.get(BASE, DELTA)[number] != UNKNOWN]


def test_losses_come_back_from_the_file(tmp_path: Path) -> None:
    first = LossMemo(tmp_path / "losses.db", "a", 100)
    put(first, 3, 7)
    put(first, 8)
    first.close()
    again = LossMemo(tmp_path / "losses.db", "a", 100)
    assert again.get(BASE, DELTA)[[3, 7, 8, 9]].tolist() == [30, 70, 80, UNKNOWN]
    assert (again.get(BASE, None) == UNKNOWN).all() and (again.get(b"c" * 32, DELTA) == UNKNOWN).all()
    again.close()
    other = LossMemo(tmp_path / "losses.db", "other texts", 100)
    assert known(other) == []
    other.close()


@pytest.mark.expects_log
@pytest.mark.parametrize("how", ["noise", "truncated", "row", "schema"])
def test_a_corrupt_file_is_told_dropped_and_made_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    path = tmp_path / "losses.db"
    first = LossMemo(path, "a", 100)
    put(first, 3)
    first.close()
    if how == "noise":
        path.write_bytes(b"no database at all" * 500)
    elif how == "truncated":
        path.write_bytes(path.read_bytes()[:5000])
    else:
        with sqlite3.connect(path) as file:
            file.execute("UPDATE losses SET row = x'00'" if how == "row" else "UPDATE losses SET hash = NULL")
        file.close()
    with caplog.at_level(logging.WARNING):
        again = LossMemo(path, "a", 100)
        assert known(again) == []
    assert "made again" in caplog.text
    put(again, 5)
    again.close()
    third = LossMemo(path, "a", 100)
    assert known(third) == [5]
    third.close()


def test_a_file_that_another_run_holds_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "losses.db"
    first = LossMemo(path, "a", 100)
    put(first, 3)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    assert first._file is not None
    first._file.execute("PRAGMA busy_timeout = 10")
    put(first, 4)
    assert known(first) == [3, 4]  # in memory
    holder.execute("ROLLBACK")
    holder.close()
    first.close()
    again = LossMemo(path, "a", 100)
    assert known(again) == [3]
    again.close()


def test_a_folder_that_cannot_be_used_costs_no_losses(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    kept = LossMemo(tmp_path / "file" / "losses.db", "a", 100)
    put(kept, 1)
    assert known(kept) == [1]
    kept.close()


def test_memory_and_file_stay_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memo, "KEPT", 4)
    monkeypatch.setattr(memo, "ROWS", 6)
    kept = LossMemo(tmp_path / "losses.db", "a", 10)
    for number in range(12):
        kept.put(bytes([number]), None, np.array([1]), np.array([number]))
    assert len(kept._rows) == 4
    kept.close()
    again = LossMemo(tmp_path / "losses.db", "a", 10)
    assert again._file is not None
    assert again._file.execute("SELECT count(*) FROM losses").fetchone()[0] == 6
    assert again.get(bytes([11]), None)[1] == 11
    again.close()
