"""Runs for the tests: in this process, and in one of its own that can be killed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from engine.core.events import Event
from engine.learning.brain import Brain
from engine.learning.config import LearnConfig
from engine.learning.faults import Fault
from engine.learning.run.journal import Journal
from engine.learning.run.scheduler import open_scheduler
from engine.learning.run.world import World
from engine.learning.transport import open_dht

SMALL = {"validators": 4, "trainers": 4, "gate_texts": 8, "round_every": 4, "slots": 10, "pow_bits": 4}
FAULTS = (Fault(2, "equivocate_headers", count=1), Fault(5, "free_ride", (3,)))


async def play(
    config: LearnConfig,
    brain: Brain,
    *,
    faults: tuple[Fault, ...] = (),
    journal: Journal | None = None,
    emit: Callable[[Event], None] = lambda event: None,
    before: Callable[[World, int, str], None] = lambda world, slot, phase: None,
    slots: int | None = None,
) -> World:
    """Run a world to its end."""
    scheduler = open_scheduler(config, journal)
    dht = await open_dht(config)
    try:
        world = await World.open(config, brain, dht, scheduler, faults=faults, emit=emit)

        async def before_phase(slot: int, phase: str) -> None:
            before(world, slot, phase)

        await world.run(slots, before_phase)
        return world
    finally:
        await scheduler.close()
        await dht.close()


async def main(journal_path: str, cache: str, slots: int) -> None:
    """Play a run with a journal, told by a command line; print the trace hash of each slot as it ends."""
    from engine.learning.ai.brain import open_brain

    config = LearnConfig.read({**SMALL, "slots": slots, "loss_rate": 0.05})
    brain = open_brain(config, Path(cache), 1)
    try:
        with Journal.open(Path(journal_path), config) as journal:

            def before(world: World, slot: int, phase: str) -> None:
                if phase == "propose" and slot:
                    print(slot - 1, world.kit.watch.trace, flush=True)
                acts = {act.name for act in journal.acts}
                if (slot, phase) == (3, "vote") and "fault" not in acts:
                    world.inject(Fault(0, "equivocate_votes", count=1))

            world = await play(config, brain, faults=FAULTS, journal=journal, before=before)
            print("end", world.kit.watch.trace, flush=True)
    finally:
        await brain.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
