"""Crash reports: written once a fault, and only the newest are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.crash import KEPT, CrashHandler


def fail(text: str) -> Exception:
    try:
        raise ValueError(text)
    except ValueError as error:
        return error


@pytest.mark.expects_log
def test_a_fault_that_comes_again_and_again_fills_no_disk(tmp_path: Path) -> None:
    for number in range(KEPT + 10):
        (tmp_path / f"crash-20200101-{number:06}.txt").write_text("old")
    shown: list[tuple[str, str, Path]] = []
    handler = CrashHandler(tmp_path, lambda *what: shown.append(what))
    error = fail("the first")
    for _ in range(100):
        handler.report(error, "A test")
    ((summary, text, path),) = shown
    assert summary == "A test: ValueError: the first" and path.read_text() == text + "\n"
    reports = sorted(tmp_path.glob("crash-*.txt"))
    assert len(reports) == KEPT and reports[-1] == path and reports[0].name == "crash-20200101-000011.txt"
