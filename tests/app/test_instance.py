"""One console a data directory."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QObject
from PySide6.QtNetwork import QLocalSocket
from PySide6.QtWidgets import QApplication, QMessageBox, QWidget

from app.instance import LONGEST, SingleInstance
from app.main import _no_answer
from engine.core.paths import DataDir

ROOT = Path(__file__).parents[2]


LATER = """
import sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication
from app.instance import SingleInstance
app = QCoreApplication([])
second = SingleInstance(Path(sys.argv[1]))
assert not second.acquire()
print(second.hand_over([Path(name) for name in sys.argv[2:]]), second.holder())
"""


async def later(folder: Path, *files: Path) -> str:
    """Start a second console in a process of its own; return whether the first took its files, and who that is."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LATER, str(folder), *map(str, files), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    return said.decode().strip()


async def test_the_second_hands_its_files_over(tmp_path: Path) -> None:
    first, second = SingleInstance(tmp_path), SingleInstance(tmp_path)
    got: list[list[Path]] = []
    assert first.acquire()
    first.listen(got.append)
    assert not second.acquire()
    file = tmp_path / "a b.nets"
    assert await later(tmp_path, file) == f"True {os.getpid()}"
    assert got == [[file]]
    assert await later(tmp_path) == f"True {os.getpid()}"
    assert got[1] == []
    first.release()
    assert second.acquire()
    second.release()
    await asyncio.sleep(0)


async def test_other_directories_do_not_mind(tmp_path: Path) -> None:
    one, two = SingleInstance(tmp_path / "one"), SingleInstance(tmp_path / "two")
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    assert one.acquire()
    assert two.acquire()
    one.release()
    two.release()


@pytest.mark.parametrize(
    "rubbish", [b"\xff{not json\n", b"no end", b"[" * 100_000 + b"\n", b"7\n", b"x" * (LONGEST + 9)]
)
async def test_rubbish_on_the_socket_is_ignored(tmp_path: Path, rubbish: bytes, until: Any) -> None:
    first = SingleInstance(tmp_path)
    got: list[list[Path]] = []
    assert first.acquire()
    first.listen(got.append)

    socket = QLocalSocket()
    socket.connectToServer(first._name)
    assert socket.waitForConnected(60_000)
    socket.write(rubbish)
    await until(lambda: not socket.bytesToWrite() or socket.state() == QLocalSocket.LocalSocketState.UnconnectedState)
    file = tmp_path / "a.nets"
    assert await later(tmp_path, file) == f"True {os.getpid()}"  # and others are heard
    assert got == [[file]]
    first.release()


STARTED = """
import sys, time
from pathlib import Path
from PySide6.QtCore import QCoreApplication
from app.instance import SingleInstance
app = QCoreApplication([])
one = SingleInstance(Path(sys.argv[1]))
assert one.acquire()
print("ready", flush=True)
time.sleep(600)  # nothing on its loop: it hangs
"""


@pytest.fixture
def hanging(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A console that holds the directory and answers nobody."""
    process = subprocess.Popen(
        [sys.executable, "-c", STARTED, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.communicate()


async def test_one_that_hangs_is_named_and_nothing_is_taken_from_it(
    tmp_path: Path, hanging: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.instance.DEADLINE_MS", 500)
    second = SingleInstance(tmp_path)
    assert not second.acquire()
    assert not second.hand_over([tmp_path / "a.nets"])  # the system takes the words, the console does not
    assert second.holder() == hanging.pid


async def test_one_that_was_killed_is_followed_though_its_lock_and_socket_lie_there(
    tmp_path: Path, hanging: subprocess.Popen[str]
) -> None:
    hanging.kill()
    hanging.wait()
    assert (tmp_path / "console.lock").exists()
    second = SingleInstance(tmp_path)
    got: list[list[Path]] = []
    assert second.acquire()
    second.listen(got.append)
    assert await later(tmp_path) == f"True {os.getpid()}"
    assert got == [[]]
    second.release()


async def test_a_second_start_says_who_does_not_answer(tmp_path: Path, hanging: subprocess.Popen[str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app", "--data-dir", str(tmp_path)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, wrong = await process.communicate()
    assert (process.returncode, said) == (1, b"")
    assert wrong.decode() == (
        f"Another Nashboard uses {tmp_path} and does not answer. "
        f"Close it (process {hanging.pid}), or choose another --data-dir.\n"
    )


async def test_where_nobody_reads_a_terminal_a_window_says_it(
    tmp_path: Path, hanging: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(QMessageBox, "exec", lambda box: shown.append(box.text()))
    second = SingleInstance(tmp_path)
    assert not second.acquire()
    assert _no_answer(DataDir.open(tmp_path), second) == 1
    assert shown == []  # without a screen the lines alone
    monkeypatch.setattr(QApplication, "platformName", lambda: "xcb")
    assert _no_answer(DataDir.open(tmp_path), second) == 1
    (text,) = shown
    assert text.split("\n\n") == [
        f"Another Nashboard uses {tmp_path} and does not answer.",
        f"Close it (process {hanging.pid}), or choose another --data-dir.",
    ]
    assert capsys.readouterr().err == f"{' '.join(text.split())}\n" * 2


class Raised(QObject):
    """Counts how often a window was put above the others."""

    times = 0

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        self.times += event.type() == QEvent.Type.ZOrderChange
        return False


@pytest.mark.parametrize("minimised", [False, True])
async def test_a_second_start_brings_the_first_window_to_the_front(
    opened: Any, data_dir: DataDir, until: Any, minimised: bool
) -> None:
    instance, raised = SingleInstance(data_dir.root), Raised()
    assert instance.acquire()
    try:
        async with opened(data_dir, instance=instance) as wiring:
            window, cover = wiring.window, QWidget()
            window.installEventFilter(raised)
            try:
                if minimised:
                    window.showMinimized()
                cover.setGeometry(window.frameGeometry())
                cover.show()
                cover.activateWindow()
                await until(cover.isActiveWindow)
                assert raised.times == 0
                assert await later(data_dir.root) == f"True {os.getpid()}"
                await until(window.isActiveWindow)
                assert raised.times == 1
                assert window.isVisible() and not window.isMinimized()
            finally:
                window.removeEventFilter(raised)
                cover.deleteLater()
    finally:
        instance.release()
