"""Whole runs: what a node, a validator and a trainer do together."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from engine.core.events import Event
from engine.learning import events
from engine.learning.ai.brain import ReplayBrain
from engine.learning.config import LearnConfig
from engine.learning.crypto import bls
from engine.learning.errors import LearnSettingError
from engine.learning.faults import Fault
from engine.learning.results import PHASES, SLOT_STATES, STAGES
from engine.learning.run.scheduler import SimScheduler
from engine.learning.run.world import World
from tests.engine.learning.run.worlds import SMALL, play


async def test_a_committee_certifies_merges_and_finalises(brain: ReplayBrain) -> None:
    told: list[Event] = []
    config = LearnConfig.read({**SMALL, "slots": 40})
    world = await play(config, brain, emit=told.append)
    result = await world.result()
    assert result.finalized_epoch >= 2
    assert [update.stage for update in result.updates[:3]] == ["merged"] * 3
    assert all(update.acks == update.committee == 4 for update in result.updates[:3])
    assert result.loss_last < result.loss_first
    assert not result.slashings
    assert {type(event) for event in told} >= {
        events.LearnStarted,
        events.LearnPhase,
        events.LearnSlot,
        events.LearnFinality,
        events.LearnUpdate,
        events.LearnAcks,
        events.LearnLoss,
        events.LearnValidators,
        events.LearnPeers,
        events.LearnHeads,
    }
    json.dumps(result.to_json())
    for event in told:
        json.dumps(dataclasses.asdict(event))  # type: ignore[call-overload]
    updates = [event for event in told if isinstance(event, events.LearnUpdate)]
    assert {event.update["stage"] for event in updates} <= set(STAGES)
    assert all(event.update["explanation"].endswith(".") for event in updates)
    slots = [event for event in told if isinstance(event, events.LearnSlot)]
    assert {event.state for event in slots} <= set(SLOT_STATES)
    assert any(event.attested == 1.0 for event in slots)
    phases = [event for event in told if isinstance(event, events.LearnPhase)]
    assert [event.phase for event in phases] == list(PHASES) * 40
    assert [event.time for event in phases] == sorted(event.time for event in phases)


async def test_no_piece_of_work_makes_more_than_a_few_signatures_or_checks(
    brain: ReplayBrain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One node holds all keys: as one piece, its votes alone would take sixteen signatures and more."""
    config = LearnConfig.read({**SMALL, "validators": 48, "nodes": 1, "slots_per_epoch": 3, "slots": 9})
    whole = await play(config, brain)
    done, pieces = [0], []

    def counted(work: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*given: Any) -> Any:
            done[0] += 1
            return work(*given)

        return counting

    async def breathe(scheduler: SimScheduler) -> None:
        pieces.append(done[0])
        done[0] = 0
        await asyncio.sleep(0)

    bls.forget()
    for name in ("sign", "_verify"):
        monkeypatch.setattr(bls, name, counted(getattr(bls, name)))
    monkeypatch.setattr(SimScheduler, "_breathe", breathe)
    world = await play(config, brain)
    assert sum(pieces) > 48 * 3
    assert max(pieces) <= 3
    assert world.kit.watch.trace == whole.kit.watch.trace


async def test_the_same_settings_take_the_same_course(brain: ReplayBrain) -> None:
    config = LearnConfig.read({**SMALL, "loss_rate": 0.1})
    first, second = await play(config, brain), await play(config, brain)
    assert first.kit.watch.trace == second.kit.watch.trace
    other = await play(config.changed(genesis_seed="ab" * 32), brain)
    assert other.kit.watch.trace != first.kit.watch.trace


async def test_no_keys_show_in_what_is_told(brain: ReplayBrain) -> None:
    told: list[Event] = []
    world = await play(LearnConfig.read(SMALL), brain, emit=told.append)
    text = repr(told) + repr(await world.result()) + repr(world.kit.keyring)
    registry = world.kit.watch.state(world.slot).registry
    for index in range(4):
        keys = world.kit.keyring.keys(registry, index)
        assert keys is not None
        assert bytes(keys.secret._key).hex() not in text


async def test_a_fault_of_the_operator_begins_at_once(brain: ReplayBrain) -> None:
    told: list[Event] = []

    def before(world: World, slot: int, phase: str) -> None:
        if (slot, phase) == (4, "propose"):
            world.inject(Fault(0, "equivocate_headers", count=1))

    world = await play(LearnConfig.read({**SMALL, "validators": 8}), brain, emit=told.append, before=before)
    [fault] = [event for event in told if isinstance(event, events.LearnFault)]
    [slashing] = (await world.result()).slashings
    assert fault.slot <= slashing.slot <= 7
    assert (slashing.validator,) == fault.targets
    assert slashing.reason == "proposer_equivocation"


@pytest.mark.parametrize(
    "fault",
    [
        Fault(0, "offline", (4,)),
        Fault(0, "trainer_nan", (4,)),
        Fault(0, "partition", (9,)),
        Fault(0, "dht_kill", (-1,)),
        Fault(0, "free_ride", count=5),
    ],
)
async def test_faults_on_what_does_not_exist_are_refused(brain: ReplayBrain, fault: Fault) -> None:
    with pytest.raises(LearnSettingError, match="cannot be put in"):
        await play(LearnConfig.read(SMALL), brain, faults=(fault,))


async def test_a_late_block_and_its_votes_still_come_in(brain: ReplayBrain) -> None:
    """A network slower than a third of a slot: votes come before the blocks that they are for."""
    config = LearnConfig.read({**SMALL, "latency": 5.0, "jitter": 3.0, "slots": 48})
    world = await play(config, brain)
    assert not world.kit.watch.slashings
    assert not world.kit.watch.conflicts
    assert world.kit.watch.main.choice.justified.epoch >= 1


async def test_what_gets_lost_is_sent_again(brain: ReplayBrain) -> None:
    world = await play(LearnConfig.read({**SMALL, "loss_rate": 0.4, "slots": 36}), brain)
    assert {node.head() for node in world.nodes} == {world.nodes[0].head()}
    assert world.kit.watch.main.choice.finalized.epoch >= 1
    assert not world.kit.watch.slashings


async def test_a_chain_without_validators_stands_still(brain: ReplayBrain) -> None:
    config = LearnConfig.read({**SMALL, "validators": 3, "slots_per_epoch": 2, "slots": 16})
    faults = (Fault(1, "equivocate_headers", (0, 1, 2)), Fault(15, "conflicting_updates"))
    world = await play(config, brain, faults=faults)
    slashed = (await world.result()).slashings
    assert [item.validator for item in slashed] == [0, 1, 2]
    assert world.kit.watch.slots[15][0] == "missed"


async def test_votes_are_told_by_validator_also_after_one_of_them_left(brain: ReplayBrain) -> None:
    told: list[Event] = []
    config = LearnConfig.read({**SMALL, "validators": 8, "slots": 36})
    world = await play(config, brain, faults=(Fault(1, "equivocate_votes", (3,)),), emit=told.append)
    assert set(world.kit.watch.slashings) == {3}
    last = [event for event in told if isinstance(event, events.LearnAcks)][-1]
    assert last.committee == 7  # without the one that was slashed
    assert last.votes == "aaa-aaaa"
    assert last.accepts == 7
