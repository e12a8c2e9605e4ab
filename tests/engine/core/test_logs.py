"""The log: five files of five megabytes, whatever is written and by however many programs."""

from __future__ import annotations

import logging
import multiprocessing
from pathlib import Path

import pytest

from engine.core import logs
from engine.core.logs import FILES, LONGEST, SIZE, log_to_file


def record(text: str) -> logging.LogRecord:
    return logging.LogRecord("engine.test", logging.INFO, __file__, 1, text, None, None)


def sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir())}


def test_forty_megabytes_leave_five_files_of_five(tmp_path: Path) -> None:
    handler = log_to_file(tmp_path)
    for number in range(40_000):
        handler.emit(record(f"{number:06} " + "x" * 940))
    handler.close()
    found = sizes(tmp_path)
    assert list(found) == ["nashboard.log", *(f"nashboard.log.{number}" for number in range(1, FILES))]
    assert (SIZE, FILES) == (5_000_000, 5)
    assert max(found.values()) <= SIZE and min(list(found.values())[1:]) > SIZE - 2_000
    lines = [line.split()[4] for name in reversed(list(found)) for line in (tmp_path / name).read_text().splitlines()]
    assert lines == [f"{number:06}" for number in range(40_000 - len(lines), 40_000)]  # the newest, in order, all


def test_a_huge_record_is_cut_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = log_to_file(tmp_path)
    for _ in range(3):
        handler.emit(record("\N{SNOWMAN}" * 7_000_000))
    handler.close()
    text = (tmp_path / "nashboard.log").read_text("utf-8")
    assert list(sizes(tmp_path)) == ["nashboard.log"] and len(text) < 4 * LONGEST
    assert text.count("characters more)") == 3


def _write(folder: str, name: str, count: int) -> None:
    logs.SIZE = 20_000
    handler = log_to_file(Path(folder))
    for number in range(count):
        handler.emit(record(f"{name}-{number:05} " + "y" * 60))
    handler.close()


def test_two_programs_share_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The console and a command work on one data directory: what one rotates, the other must follow."""
    monkeypatch.setattr(logs, "SIZE", 20_000)
    one, two = log_to_file(tmp_path), log_to_file(tmp_path)
    for number in range(2_000):
        one.emit(record(f"one-{number:05} " + "y" * 60))
        two.emit(record(f"two-{number:05} " + "y" * 60))
    one.close()
    two.close()
    found = sizes(tmp_path)
    assert len(found) == FILES and max(found.values()) <= 20_000 and min(list(found.values())[1:]) > 19_000
    words = [line.split()[4] for line in (tmp_path / "nashboard.log").read_text().splitlines()]
    assert words[-2:] == ["one-01999", "two-01999"]


def test_two_processes_at_once_stay_within_the_bound(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_write, args=(str(tmp_path), name, 3_000)) for name in ("a", "b")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert len(sizes(tmp_path)) <= FILES and sum(sizes(tmp_path).values()) <= (FILES + 1) * 20_000


def test_a_log_that_is_removed_while_it_is_written_comes_back(tmp_path: Path) -> None:
    handler = log_to_file(tmp_path)
    handler.emit(record("before"))
    (tmp_path / "nashboard.log").unlink()
    handler.emit(record("after"))
    handler.close()
    assert "after" in (tmp_path / "nashboard.log").read_text()
