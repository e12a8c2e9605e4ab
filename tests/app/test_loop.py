"""The loop: timers do not fire early, and the pinned Qt does not lose references."""

from __future__ import annotations

import asyncio
import sys
import time
import weakref
from itertools import pairwise

import pytest
from PySide6.QtCore import QEventLoop, QObject

from app.loop import PATIENCE, ConsoleLoop
from engine.core.turns import turns


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


async def test_who_is_cancelled_after_its_time_ends_nobody_else_s_timer() -> None:
    """Qt gives the numbers of timers that are over to others; ``asyncio.sleep`` cancels its own in the end."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, ConsoleLoop)
    over = loop.call_later(0, int)
    await asyncio.sleep(0.01)
    other = loop.call_later(3600, int)
    over.timer = other.timer  # as it comes after 128 timers in the same place
    before = len(loop._timer)
    over.cancel()
    assert len(loop._timer) == before
    other.cancel()
    assert len(loop._timer) == before - 1


async def test_what_is_to_be_done_soon_is_done_in_its_order_and_leaves_room() -> None:
    loop, done = asyncio.get_running_loop(), []
    deadline = loop.time() + 0.003

    def long(number: int) -> None:
        done.append(number)
        time.sleep(0.002)

    loop.call_later(0.003, done.append, "deadline")
    handles = [loop.call_soon(long, number) for number in range(20)]
    handles[5].cancel()
    while len(done) < 20:
        await asyncio.sleep(0.001)
    assert [n for n in done if n != "deadline"] == [n for n in range(20) if n != 5]
    assert done.index("deadline") < 10 and loop.time() > deadline


async def test_what_can_wait_lets_others_go_first_but_not_for_long() -> None:
    loop, done = asyncio.get_running_loop(), []
    assert isinstance(loop, ConsoleLoop)
    for number in range(3):
        loop.call_last(done.append, f"last {number}")
    never = loop.call_last(done.append, "never")
    never.cancel()
    loop.call_soon(done.append, "soon")
    await asyncio.sleep(0.05)
    assert done == ["soon", "last 0", "last 1", "last 2"]
    done.clear()

    def busy() -> None:
        done.append("busy")
        time.sleep(0.0015)  # longer than a turn has
        if len(done) < 40:
            loop.call_soon(busy)

    busy()
    for number in range(3):
        loop.call_last(done.append, f"last {number}")
    while len(done) < 40:
        await asyncio.sleep(0.001)
    at = [done.index(f"last {number}") for number in range(3)]
    assert at[0] >= PATIENCE
    assert all(0 < later - sooner <= PATIENCE + 1 for sooner, later in pairwise([0, *at]))


async def test_work_in_pieces_waits_for_those_that_are_ready() -> None:
    loop, done = asyncio.get_running_loop(), []
    turns().call(lambda: done.append("piece"))
    loop.call_soon(lambda: loop.call_soon(done.append, "ready"))
    loop.call_soon(time.sleep, 0.002)
    await asyncio.sleep(0.05)
    assert done == ["ready", "piece"]


async def test_a_loop_within_a_call_goes_on_with_what_is_to_be_done_soon() -> None:
    loop, done = asyncio.get_running_loop(), []

    def nested() -> None:
        inner = QEventLoop()
        loop.call_soon(inner.quit)
        inner.exec()
        done.append("within")

    loop.call_soon(nested)
    loop.call_soon(done.append, "after")
    await asyncio.sleep(0.01)
    assert done == ["after", "within"]


async def test_a_deadline_that_was_not_met_leaves_no_timer() -> None:
    """Every request has a deadline: a thousand of them, kept until their time, would be a thousand running timers."""

    class Held:
        pass

    loop = asyncio.get_running_loop()
    assert isinstance(loop, ConsoleLoop)
    before, held = len(loop._timer), Held()
    gone = weakref.ref(held)
    for _ in range(1000):
        async with asyncio.timeout(3600):
            await asyncio.sleep(0)
    handle = loop.call_later(3600, print, held)
    handle.cancel()
    handle.cancel()
    del held
    assert len(loop._timer) <= before
    assert gone() is None and handle.cancelled()
    assert not loop.call_soon(int).cancelled()
    with pytest.raises(TypeError):
        loop.call_later(1, None)  # type: ignore[arg-type]


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
