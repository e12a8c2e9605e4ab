"""Small chains under random faults: whoever was told to break a rule may be slashed, nobody else ever is.

The ordinary number of runs is small. A thousand: ``python tests/engine/learning/run/test_fault_runs.py 1000``, which
ends with 1 at the first honest validator that was slashed and names its seed.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from pathlib import Path

import pytest

from engine.learning.ai.brain import ReplayBrain
from engine.learning.config import LearnConfig
from engine.learning.faults import Fault
from engine.learning.run.world import World

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[4]))

from tests.engine.learning.run.worlds import play

ORDINARY = 12
GUILTY = ("equivocate_headers", "equivocate_votes", "surround_votes", "uncertified_update", "free_ride")
UNLUCKY = ("offline", "late_acks", "silent_proposer", "bad_aggregator")
TRAINERS = ("trainer_silent", "trainer_scale", "trainer_sign_flip", "trainer_nan", "trainer_stale", "trainer_noise")
NETWORK = ("partition", "dht_kill", "forge_acks", "squat_acks", "replay_acks", "conflicting_updates")


def drawn(seed: int) -> tuple[LearnConfig, tuple[Fault, ...]]:
    """Return the settings and the faults of a seed."""
    draw = random.Random(seed)
    validators = draw.randint(3, 9)
    slots = draw.choice((18, 26, 34))
    config = LearnConfig.read(
        {
            "validators": validators,
            "slots": slots,
            "trainers": 4,
            "gate_texts": 4,
            "round_every": draw.choice((3, 6)),
            "pow_bits": 2,
            "seed": seed,
            "latency": draw.choice((0.05, 0.5, 2.5)),
            "jitter": draw.choice((0.0, 0.5, 3.0)),
            "loss_rate": draw.choice((0.0, 0.1, 0.3)),
            "canary_rate": draw.choice((0.0, 0.5)),
            "quorum": draw.choice(("spec", "bft")),
        }
    )
    faults = tuple(_fault(draw, validators, slots) for _ in range(draw.randint(1, 5)))
    return config, faults


def _fault(draw: random.Random, validators: int, slots: int) -> Fault:
    kind = draw.choice((*GUILTY, *UNLUCKY, *TRAINERS, *NETWORK, "partition", "offline"))
    slot = draw.randrange(slots - 4)
    until = draw.choice((None, slot + draw.randint(1, 12)))
    if kind in ("dht_kill", "forge_acks", "squat_acks", "replay_acks"):
        return Fault(slot, kind, until=until)
    if kind in TRAINERS:
        return Fault(slot, kind, tuple(draw.sample(range(4), draw.randint(1, 2))), until)
    if kind in ("offline", "late_acks", "free_ride", "partition") and draw.random() < 0.7:
        return Fault(slot, kind, tuple(draw.sample(range(validators), draw.randint(1, validators - 1))), until)
    return Fault(slot, kind, until=until, count=draw.randint(1, 2))


async def innocent(seed: int, brain: ReplayBrain) -> World:
    """Run a seed; fail where somebody was slashed who broke no rule."""
    config, faults = drawn(seed)
    world = await play(config, brain, faults=faults)
    slashed = {item.validator for node in world.nodes for item in node.state(config.slots).slashings}
    slashed |= set(world.kit.watch.slashings)
    wrong = slashed - world.kit.faults.guilty
    assert not wrong, f"seed {seed}: validators {sorted(wrong)} were slashed; {faults}"
    return world


@pytest.mark.parametrize("seed", range(ORDINARY))
async def test_no_honest_validator_is_slashed(seed: int, brain: ReplayBrain) -> None:
    await innocent(seed, brain)


async def many(count: int, first: int) -> None:
    """Run that many seeds."""
    from engine.learning.ai.brain import open_brain

    brain = open_brain(LearnConfig(), None, 1)
    assert isinstance(brain, ReplayBrain)
    started, slashed = time.monotonic(), 0
    try:
        for seed in range(first, first + count):
            world = await innocent(seed, brain)
            slashed += len(world.kit.watch.slashings)
            if (seed + 1 - first) % 50 == 0:
                print(
                    f"{seed + 1 - first} runs, {slashed} guilty slashed, {time.monotonic() - started:.0f} s", flush=True
                )
    finally:
        await brain.close()


if __name__ == "__main__":
    asyncio.run(many(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
