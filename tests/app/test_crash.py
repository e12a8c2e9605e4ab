"""Crash reports: whatever fails is shown, once a fault; a session that ended at once is told of at the next start."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QDialog, QLabel, QPushButton

from app.console import Console
from app.crash import FAULTS, KEPT, CrashHandler
from engine.core.paths import DataDir

ROOT = Path(__file__).parents[2]


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


@pytest.mark.expects_log
async def test_what_fails_in_a_slot_a_task_and_a_thread_is_shown(tmp_path: Path, until: Any) -> None:
    shown: list[str] = []
    handler = CrashHandler(tmp_path, lambda summary, *_: shown.append(summary))
    loop = asyncio.get_running_loop()

    def in_a_slot() -> None:
        raise ValueError("in a slot")

    def in_a_thread() -> None:
        raise ValueError("in a thread")

    async def in_a_task() -> None:
        raise ValueError("in a task")

    handler.install()
    handler.attach(loop)
    try:
        QTimer.singleShot(0, in_a_slot)
        threading.Thread(target=in_a_thread, name="worker").start()
        task = loop.create_task(in_a_task())
        await asyncio.wait([task])
        del task
        gc.collect()
        await until(lambda: len(shown) == 3)
    finally:
        handler.uninstall()
    assert {text.rpartition(": ")[2] for text in shown} == {"in a slot", "in a task", "in a thread"}
    told = "".join(path.read_text() for path in tmp_path.glob("crash-*.txt"))
    assert all(f"ValueError: {text}" in told for text in ("in a slot", "in a task", "in a thread"))


HARD = """
import faulthandler, sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QWidget
from app.crash import CrashHandler
app = QCoreApplication([])
CrashHandler(Path(sys.argv[1]), lambda *_: None).install()
def in_the_middle():
    QWidget() if sys.argv[2] == "fatal" else faulthandler._sigsegv()
in_the_middle()
"""


@pytest.mark.parametrize(
    ("how", "says"),
    [("fatal", "Qt: QWidget: Cannot create a QWidget without QApplication"), ("signal", "Segmentation fault")],
)
def test_a_session_that_ends_at_once_is_told_at_the_next_start(tmp_path: Path, how: str, says: str) -> None:
    done = subprocess.run([sys.executable, "-c", HARD, tmp_path, how], cwd=ROOT, capture_output=True, timeout=120)
    assert done.returncode < 0
    handler = CrashHandler(tmp_path, lambda *_: None)
    told = handler.take_last()
    assert told is not None
    summary, report, path = told
    assert summary.startswith("The last session ended at once, by a fault: ") and says in summary
    assert "in in_the_middle" in report and path.read_text() == report and path.name.startswith("crash-")
    assert handler.take_last() is None  # once


def test_a_session_that_ended_in_order_leaves_nothing_to_tell(tmp_path: Path) -> None:
    handler = CrashHandler(tmp_path, lambda *_: None)
    handler.install()
    handler.uninstall()
    assert handler.take_last() is None and not list(tmp_path.iterdir())


async def test_the_console_shows_how_the_last_session_ended(data_dir: DataDir, until: Any) -> None:
    (data_dir.logs / FAULTS).write_text("Fatal Python error: Segmentation fault\n\nThread 0x1:\n")
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    console = Console(app, data_dir)
    running = asyncio.create_task(console.run([]))
    try:
        dialog = await until(lambda: console.window.findChild(QDialog))
        texts = " ".join(label.text() for label in dialog.findChildren(QLabel))
        assert "Segmentation fault" in texts and "crash-" in texts
        assert {"Copy", "Open log", "Continue"} <= {button.text() for button in dialog.findChildren(QPushButton)}
        dialog.reject()
        await console.wait_ready()  # and the program starts
    finally:
        console.close()
        assert await asyncio.wait_for(running, 60) == 0
