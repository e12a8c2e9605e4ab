"""The pace of a run: paused, by single phases, by slots, slowed."""

from __future__ import annotations

import asyncio

from engine.learning.results import PHASES
from engine.learning.service.pace import Pace


class Walker:
    """Goes through slots and phases at a pace, and remembers how far it came."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self.done: list[tuple[int, str]] = []

    async def walk(self, slots: int) -> None:
        for slot in range(slots):
            for phase in PHASES:
                await self.pace.wait(slot)
                self.done.append((slot, phase))


async def settled(walker: Walker) -> int:
    """Return how many phases were done once nothing goes on."""
    for _ in range(200):
        await asyncio.sleep(0)
    return len(walker.done)


async def test_paused_nothing_begins_and_each_step_lets_one_phase_pass() -> None:
    walker = Walker(pace := Pace())
    pace.pause()
    task = asyncio.create_task(walker.walk(3))
    assert await settled(walker) == 0
    pace.step_phase()
    assert await settled(walker) == 1
    pace.step_phase(3)
    assert await settled(walker) == 4
    pace.resume()
    await task
    assert len(walker.done) == 3 * len(PHASES)


async def test_a_step_by_slot_ends_at_the_end_of_the_next_slot() -> None:
    walker = Walker(pace := Pace())
    pace.pause()
    task = asyncio.create_task(walker.walk(5))
    pace.step_slot(1)
    await settled(walker)
    assert walker.done[-1] == (2, PHASES[-1])
    pace.resume()
    await task


async def test_a_limit_of_slots_a_second_is_kept_and_lifted() -> None:
    walker = Walker(pace := Pace())
    pace.set_speed(0.001)
    task = asyncio.create_task(walker.walk(40))
    assert await settled(walker) <= 1
    pace.set_speed(0)
    await task
    assert len(walker.done) == 40 * len(PHASES)
