"""The console as a program of its own: it starts, hands files over, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.display import display_problem
from app.instance import SingleInstance
from engine.core.paths import DataDir

ROOT = Path(__file__).parents[2]


def test_no_display_is_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert "DISPLAY" in (display_problem() or "")
    monkeypatch.setenv("DISPLAY", ":0")
    assert display_problem() is None


def test_asking_for_a_display_needs_no_qt() -> None:
    code = "import sys, app.main; from app.display import display_problem as p; p(); print('PySide6' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def start(data: DataDir, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "app", "--data-dir", str(data.root), *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def answers(data: DataDir, seconds: float = 30) -> bool:
    """Whether a console of this directory takes files, and has come as far as opening its store."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if data.database.exists() and SingleInstance(data.root).hand_over([]):
            return True
        time.sleep(0.1)
    return False


def end_of(process: subprocess.Popen[str], seconds: float = 10) -> tuple[int, str]:
    _, errors = process.communicate(timeout=seconds)
    return process.returncode, errors


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_an_orderly_end(data_dir: DataDir, how: signal.Signals) -> None:
    process = start(data_dir)
    assert answers(data_dir)
    time.sleep(2)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(how)
    status, errors = end_of(process)
    assert status == 0, errors
    assert "Traceback" not in errors
    assert _ended(children)


def test_a_second_start_hands_over_and_ends(data_dir: DataDir, samples: Path) -> None:
    first = start(data_dir)
    try:
        assert answers(data_dir)
        status, errors = end_of(start(data_dir, str(samples / "greedy.wasm")), 20)
        assert status == 0, errors
        assert first.poll() is None
        end = time.monotonic() + 20
        while not _agents(data_dir) and time.monotonic() < end:
            time.sleep(0.1)
        assert _agents(data_dir) == ["greedy"]
    finally:
        first.terminate()
        assert end_of(first)[0] == 0


def test_a_killed_console_leaves_no_child_and_no_lock(data_dir: DataDir) -> None:
    first = start(data_dir)
    assert answers(data_dir)
    time.sleep(2)
    children = psutil.Process(first.pid).children(recursive=True)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    assert _ended(children)
    second = start(data_dir)
    assert answers(data_dir)
    time.sleep(2)
    second.terminate()
    assert end_of(second)[0] == 0


def test_a_data_directory_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    command = [sys.executable, "-m", "app", "--data-dir", str(blocked)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


def _ended(children: list[psutil.Process]) -> bool:
    """Whether all of them end within the five seconds that a child may take."""
    end = time.monotonic() + 5
    while any(_alive(child) for child in children):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _agents(data: DataDir) -> list[Any]:
    if not data.database.exists():
        return []
    with contextlib.closing(sqlite3.connect(f"file:{data.database}?mode=ro", uri=True)) as db:
        try:
            return [row[0] for row in db.execute("SELECT name FROM agents")]
        except sqlite3.OperationalError:  # the tables are being made
            return []
