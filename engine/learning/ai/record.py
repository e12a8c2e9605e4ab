"""Makes the recording that replayed runs take their deltas from: it trains them, really.

    python -m engine.learning.ai.record nano --rounds 40 --trainers 8

Needs the learn extra. Depth 0 has 13 honest trainers and 6 of each dishonest flavour, for the byzantine comparisons;
then rounds of honest trainers follow, each on the base that the mean of the last one's first four made. Figures of
every round go to stderr; what is there so far is written every eighth round.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.learning.ai.brain import RealBrain
from engine.learning.ai.model import PRESETS, Model
from engine.learning.ai.recording import pack, seed_of, written
from engine.learning.ai.shipped import ship, shipped_folder
from engine.learning.ai.weights import read_preset, root_of_weights
from engine.learning.brain import AggregateOrder, Trained, TrainOrder

FIRST = {"honest": 13, "label_flip": 6, "backdoor": 6, "overfit": 6}
MERGED = 4  # trainers whose mean makes the next base
DRAWN = range(5, 4096, 16)  # texts of the pool that the printed gain is of


async def record(model: Model, rounds: int, trainers: int, steps: int, workers: int) -> None:
    """Train and write a recording beside the model's checkpoint."""
    genesis = root_of_weights(read_preset(model))
    brain = RealBrain(model, genesis, None, workers)
    try:
        base, entries = genesis, []
        before = await brain.held_out(base)
        for depth in range(rounds):
            wanted = FIRST if depth == 0 else {"honest": trainers}
            made = await _round(brain, base, depth, wanted, steps)
            entries += [
                (depth, *who, trained, pack(trained.delta, brain.spec, seed_of(depth))) for who, trained in made.items()
            ]
            raws = tuple((trainer, made["honest", trainer].delta) for trainer in range(min(MERGED, trainers)))
            merged = (await brain.aggregate(AggregateOrder(base, raws, "fedavg", 0, 10.0))).delta
            assert merged is not None
            drawn = [sum(await brain.evaluate(base, delta, DRAWN)) for delta in (None, merged)]
            base = brain.merge(base, merged)
            after = await brain.held_out(base)
            size = sum(len(entry[-1]) for entry in entries)
            sys.stderr.write(f"{depth} held out {before / 1e9:.4f} {after / before:.4f}  ")
            sys.stderr.write(f"drawn {drawn[1] / drawn[0]:.4f}  {size:,} bytes\n")
            before = after
            if depth % 8 == 7 or depth == rounds - 1:
                ship(model.folder / f"{model.name}.recording", written(model.name, genesis, steps, entries))
    finally:
        await brain.close()


async def _round(brain: RealBrain, base: bytes, depth: int, wanted: dict[str, int], steps: int) -> dict[Any, Trained]:
    who = [(flavour, trainer) for flavour, count in wanted.items() for trainer in range(count)]
    orders = [TrainOrder(base, depth, seed_of(depth), trainer, steps, flavour) for flavour, trainer in who]
    return dict(zip(who, await asyncio.gather(*map(brain.train, orders)), strict=True))


def main() -> None:
    """Read the command line and record."""
    parser = argparse.ArgumentParser(description="Record trained deltas for replayed runs of the learning chain.")
    parser.add_argument("model", choices=sorted(PRESETS))
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--trainers", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=shipped_folder(), help="of the checkpoint and the recording")
    given = parser.parse_args()
    model = replace(PRESETS[given.model], folder=given.folder)
    asyncio.run(record(model, given.rounds, given.trainers, given.steps, given.workers))


if __name__ == "__main__":
    main()
