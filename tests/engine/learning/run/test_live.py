"""Runs by a clock that passes: the same code, and the same course when they are played again from their record."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.events import Event
from engine.learning import events
from engine.learning.ai.brain import ReplayBrain
from engine.learning.config import LearnConfig
from engine.learning.faults import Fault
from engine.learning.run.journal import Journal
from engine.learning.run.world import World
from tests.engine.learning.run.worlds import SMALL, play

LIVE = LearnConfig.read({**SMALL, "clock": "scaled", "speed": 30.0, "slots": 7})


async def test_a_chain_runs_by_a_clock(brain: ReplayBrain) -> None:
    told: list[Event] = []
    world = await play(LIVE, brain, emit=told.append)
    proposed = [event for event in told if isinstance(event, events.LearnSlot) and event.state == "proposed"]
    assert len({event.slot for event in proposed}) >= 3
    assert not world.kit.watch.slashings
    assert not world.kit.watch.conflicts


class KilledError(Exception):
    """Ends a run where it stands."""


async def test_a_live_run_goes_on_where_it_was_killed(brain: ReplayBrain, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    first: dict[int, str] = {}
    second: dict[int, str] = {}

    def kill(world: World, slot: int, phase: str) -> None:
        if phase == "propose":
            first[slot] = world.kit.watch.trace
        if (slot, phase) == (2, "vote"):
            world.inject(Fault(0, "equivocate_votes", count=1))
        if (slot, phase) == (5, "aggregate"):
            raise KilledError

    def watch(world: World, slot: int, phase: str) -> None:
        if phase == "propose":
            second[slot] = world.kit.watch.trace

    with Journal.open(path, LIVE) as journal, pytest.raises(KilledError):
        await play(LIVE, brain, journal=journal, before=kill)
    with Journal.open(path, LIVE) as journal:
        world = await play(LIVE, brain, journal=journal, before=watch)
        assert journal.unused == 0
    assert {slot: second[slot] for slot in first} == first
    assert max(second) == LIVE.slots - 1
    assert world.kit.faults.has("equivocate_votes", max(world.kit.faults.guilty))
    assert set(world.kit.watch.slashings) <= world.kit.faults.guilty
