"""The loop: timers do not fire early, and the pinned Qt does not lose references."""

from __future__ import annotations

import asyncio
import sys
import time

from PySide6.QtCore import QObject

from app.loop import ConsoleLoop


async def test_sleep_is_never_short() -> None:
    assert isinstance(asyncio.get_running_loop(), ConsoleLoop)
    for seconds in (0.004, 0.02, 0.11, 0.3):
        start = time.monotonic()
        await asyncio.sleep(seconds)
        assert time.monotonic() - start >= seconds


async def test_a_cancelled_timer_never_runs() -> None:
    ran: list[int] = []
    handle = asyncio.get_running_loop().call_later(0.02, ran.append, 1)
    handle.cancel()
    await asyncio.sleep(0.05)
    assert ran == []


async def test_children_and_threads_work() -> None:
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "print(6*7)", stdout=asyncio.subprocess.PIPE)
    out, _ = await child.communicate()
    assert out.strip() == b"42"
    assert await asyncio.to_thread(lambda: 6 * 7) == 42


def test_qt_does_not_drop_references_to_none() -> None:
    keeper = QObject()
    before = sys.getrefcount(None)
    for _ in range(60):
        keeper.killTimer(keeper.startTimer(1000))
    assert sys.getrefcount(None) > before - 30
