"""When the next phase of a run may begin."""

from __future__ import annotations

import asyncio

from engine.learning.results import PHASES


class Pace:
    """Pause, single steps of a phase or a slot, and a limit of slots a second."""

    def __init__(self) -> None:
        self.paused = False
        self.slots_per_second = 0.0  # 0: as fast as it goes
        self._phases = 0
        self._until_slot: int | None = None
        self._last = 0.0
        self._changed = asyncio.Event()

    def pause(self) -> None:
        """Begin no further phase."""
        self.paused, self._phases, self._until_slot = True, 0, None
        self._changed.set()

    def resume(self) -> None:
        """Go on."""
        self.paused, self._phases, self._until_slot = False, 0, None
        self._changed.set()

    def step_phase(self, count: int = 1) -> None:
        """Let so many phases begin, and pause."""
        self.paused = True
        self._phases += max(0, count)
        self._changed.set()

    def step_slot(self, now: int) -> None:
        """Let phases begin until the slot after ``now`` has ended."""
        self.paused, self._until_slot = True, now + 1
        self._changed.set()

    def set_speed(self, slots_per_second: float) -> None:
        """Let at most so many slots pass in a second; 0 for no limit."""
        self.slots_per_second = max(0.0, slots_per_second)
        self._changed.set()

    async def wait(self, slot: int) -> None:
        """Wait until the next phase, which is of ``slot``, may begin."""
        loop = asyncio.get_running_loop()
        while True:
            self._changed.clear()
            if self.paused and not self._may_step(slot):
                await self._changed.wait()
                continue
            rate = self.slots_per_second * len(PHASES)
            left = self._last + 1 / rate - loop.time() if rate else 0.0
            if left <= 0:
                break
            try:
                async with asyncio.timeout(left):
                    await self._changed.wait()
            except TimeoutError:
                break
        self._phases -= 1 if self._phases else 0
        self._last = loop.time()

    def _may_step(self, slot: int) -> bool:
        return self._phases > 0 or (self._until_slot is not None and slot <= self._until_slot)
