"""Turns: one piece of work a turn of the loop, in order, and nobody waits for who has left."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from engine.core.turns import beside, own_turn, turns


class Clock:
    """Counts the turns of the loop."""

    def __init__(self) -> None:
        self.turn = 0
        self._handle: asyncio.Handle | None = None
        self._tick()

    def _tick(self) -> None:
        self.turn += 1
        self._handle = asyncio.get_running_loop().call_soon(self._tick)

    def stop(self) -> None:
        assert self._handle is not None
        self._handle.cancel()


async def test_one_piece_a_turn_in_the_order_of_asking() -> None:
    clock = Clock()
    done: list[tuple[str, int]] = []

    async def work(name: str) -> None:
        for _ in range(5):
            await own_turn()
            done.append((name, clock.turn))

    await asyncio.gather(work("a"), work("b"), work("c"))
    clock.stop()
    assert [name for name, _ in done] == ["a", "b", "c"] * 5
    at = [turn for _, turn in done]
    assert len(set(at)) == len(at)
    assert at == sorted(at)


async def test_calls_take_turns_with_tasks() -> None:
    clock = Clock()
    done: list[tuple[str, int]] = []

    async def work() -> None:
        await own_turn()
        done.append(("task", clock.turn))

    task = asyncio.create_task(work())
    turns().call(lambda: done.append(("call", clock.turn)))
    await task
    await own_turn()
    clock.stop()
    assert sorted(name for name, _ in done) == ["call", "task"]
    assert done[0][1] < done[1][1]


async def test_who_is_cancelled_takes_no_turn_and_stops_nobody() -> None:
    done: list[str] = []

    async def work(name: str) -> None:
        await own_turn()
        done.append(name)

    first, second = asyncio.create_task(work("first")), asyncio.create_task(work("second"))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    assert first.cancelled()
    assert done == ["second"]


def test_every_loop_has_its_own_queue() -> None:
    async def ask() -> int:
        await own_turn()
        return id(turns())

    async def leave() -> None:
        turns().ask()  # nobody waits for it, and the loop ends

    asyncio.run(leave())
    assert asyncio.run(ask())


async def test_work_beside_the_loop_ends_when_nobody_waits_for_it() -> None:
    begun, ended = threading.Event(), threading.Event()

    def work(go_on: Callable[[], None]) -> None:
        try:
            while True:
                begun.set()
                go_on()
                time.sleep(0.001)
        finally:
            ended.set()

    waiting = asyncio.create_task(beside(work))
    while not begun.is_set():
        await asyncio.sleep(0.001)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await asyncio.to_thread(ended.wait, 60)


async def test_work_beside_the_loop_gives_its_result_or_its_error() -> None:
    assert await beside(lambda go_on: threading.get_ident()) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        await beside(lambda go_on: 1 // 0)
