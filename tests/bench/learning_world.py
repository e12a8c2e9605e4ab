"""How many slots a second a whole chain takes: nodes, votes, blocks, gossip, DHT, and updates where they are asked for.

Each size runs in a process of its own, whose memory at its peak is measured with it. With a small ``seconds`` a few
slots of eight validators run here.
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from engine.learning.brain import Aggregated, AggregateOrder, Brain, Trained, TrainOrder
from engine.learning.config import LearnConfig
from engine.learning.crypto.keys import validator_keys
from engine.learning.run.scheduler import open_scheduler
from engine.learning.run.world import World
from engine.learning.transport import open_dht

SIZES = (8, 100, 1_000)
THOUSAND_SLOTS = 320
GOAL_S, GOAL_MB = 300.0, 4_096.0


class NoBrain:
    """No learning: what is left is the chain."""

    training = "replayed"
    pool = 4_096

    async def genesis(self) -> bytes:
        return bytes(32)

    async def train(self, order: TrainOrder) -> Trained:
        raise NotImplementedError

    async def aggregate(self, order: AggregateOrder) -> Aggregated:
        raise NotImplementedError

    async def evaluate(self, base: bytes, delta: bytes | None, texts: Sequence[int]) -> tuple[int, ...]:
        raise NotImplementedError

    async def held_out(self, base: bytes) -> int:
        return 0

    async def triggered(self, base: bytes) -> int:
        return 0

    async def check(self, delta: bytes) -> None:
        return None

    def merge(self, base: bytes, delta: bytes) -> bytes:
        raise NotImplementedError

    async def close(self) -> None:
        return None


async def measured(config: LearnConfig, brain: Brain) -> dict[str, float]:
    """Run a chain; return slots a second and seconds of all of it, the derivation of keys left out."""
    for index in range(config.validators):
        validator_keys(config.genesis_seed, index)
    scheduler, dht = open_scheduler(config), await open_dht(config)
    try:
        world = await World.open(config, brain, dht, scheduler)
        started = time.perf_counter()
        await world.run()
        seconds = time.perf_counter() - started
        merged = sum(update.stage in ("included", "merged") for update in (await world.result()).updates)
    finally:
        await dht.close()
        await brain.close()
    return {"seconds": seconds, "rate": config.slots / seconds, "merged": float(merged)}


def apart(validators: int, slots: int, learning: bool) -> dict[str, float]:
    """Do the same in a process of its own; ``mb`` is its memory at the peak."""
    command = [sys.executable, __file__, str(validators), str(slots), str(int(learning))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def rows(note: Callable[[str], None], seconds: float) -> list[dict[str, Any]]:
    """Return the figures; see the module."""
    if seconds < 0.5:
        config = LearnConfig(validators=8, slots=4, trainers=0, pow_bits=4)
        return [_row("8 validators, chain alone", asyncio.run(measured(config, NoBrain()))["rate"], "/s")]
    found = []
    for validators in SIZES:
        note(f"{validators:,} validators")
        done = apart(validators, 24 if validators == 1_000 else 64, learning=False)
        found.append(_row(f"{validators:,} validators, chain alone", done["rate"], "/s"))
    note(f"1,000 validators x {THOUSAND_SLOTS} slots, an update an epoch")
    whole = apart(1_000, THOUSAND_SLOTS, learning=True)
    found.append(_row(f"1,000 validators x {THOUSAND_SLOTS} slots with updates", whole["seconds"], "s", GOAL_S))
    found.append(_row("its memory at the peak", whole["mb"], "MB", GOAL_MB))
    return found


def _row(name: str, ours: float, unit: str, goal: float | None = None) -> dict[str, Any]:
    met = None if goal is None else ours <= goal
    return {
        "name": name,
        "ours": ours,
        "unit": unit,
        "peer_name": "",
        "peer": None,
        "ratio": None,
        "goal": goal,
        "met": met,
    }


def main(validators: int, slots: int, learning: bool) -> None:
    """Measure one size and print it as JSON."""
    brain: Brain = NoBrain()
    config = LearnConfig(validators=validators, slots=slots, trainers=0, round_every=8, gate_texts=64)
    if learning:
        from engine.learning.ai.brain import open_brain

        config = config.changed(trainers=4)
        brain = open_brain(config, None, 1)
    figures = asyncio.run(measured(config, brain))
    print(json.dumps({**figures, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "1")
