"""One console a data directory."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from app.instance import SingleInstance


async def test_the_second_hands_its_files_over(tmp_path: Path, until: Any) -> None:
    first, second = SingleInstance(tmp_path), SingleInstance(tmp_path)
    got: list[list[Path]] = []
    assert first.acquire()
    first.listen(got.append)
    assert not second.acquire()
    file = tmp_path / "a b.nets"
    assert second.hand_over([file])
    await until(lambda: got)
    assert got == [[file]]
    assert SingleInstance(tmp_path).hand_over([])
    await until(lambda: len(got) == 2)
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


async def test_rubbish_on_the_socket_is_ignored(tmp_path: Path) -> None:
    from PySide6.QtNetwork import QLocalSocket

    first = SingleInstance(tmp_path)
    got: list[list[Path]] = []
    assert first.acquire()
    first.listen(got.append)
    socket = QLocalSocket()
    socket.connectToServer(first._name)
    assert socket.waitForConnected(2000)
    socket.write(b"\xff{not json")
    socket.waitForBytesWritten(2000)
    socket.disconnectFromServer()
    await asyncio.sleep(0.2)
    assert got == []
    first.release()
