"""Small networks with weights by seed: opinions for tasks that no shipped model knows, and for trying things out.

They know nothing of any task. Every one is a network of two layers in double precision, its weights drawn from its
seed, on top of one that all share: a common ground, seen from different perspectives.
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import nn

from engine.consensus.errors import ConsensusError
from engine.consensus.task_kinds import MAX_LABELS

KINDS = {
    "balanced": "weighs everything",
    "cautious": "stays close to equal shares",
    "bold": "goes all the way",
    "contrarian": "takes the other side of what it sees itself",
    "specialist": "looks at an eighth of the task",
}
WIDTH = 64
_HIDDEN = 32
_STRENGTH = {"cautious": 0.3, "bold": 1.8}
_OWN = 0.8  # of a model's own view beside the common ground


class Perspective(nn.Module):
    """Maps a task's features (1, 64) to numbers (1, 1024), of which a task takes as many as it has coordinates."""

    def __init__(self, kind: str, seed: int) -> None:
        super().__init__()
        if kind not in KINDS:
            raise ConsensusError(f"There is no builtin model {kind!r}", f"known are {', '.join(KINDS)}")
        self.ground = _network("ground", 0)
        self.own = _network(kind, seed)
        self.strength = _STRENGTH.get(kind, 1.0)
        self.side = -_OWN if kind == "contrarian" else _OWN
        seen = np.ones(WIDTH)
        if kind == "specialist":
            seen[_generator("sight", seed).permutation(WIDTH)[WIDTH // 8 :]] = 0.0
        self.seen = nn.Buffer(torch.from_numpy(seen))

    def forward(self, task: torch.Tensor) -> torch.Tensor:
        """Return the numbers (n, 1024) for features (n, 64)."""
        numbers: torch.Tensor = self.ground(task) + self.side * self.own(task * self.seen)
        return self.strength * numbers


def _network(kind: str, seed: int) -> nn.Sequential:
    draw = _generator(kind, seed)
    layers = []
    for rows, columns in ((_HIDDEN, WIDTH), (MAX_LABELS, _HIDDEN)):
        with torch.device("meta"):  # the weights come from the seed: nothing is drawn from torch's own generator
            layer = nn.Linear(columns, rows, dtype=torch.float64)
        layer.weight = nn.Parameter(torch.from_numpy(draw.normal(scale=columns**-0.5, size=(rows, columns))))
        layer.bias = nn.Parameter(torch.from_numpy(draw.normal(scale=0.3, size=rows)))
        layers.append(layer)
    return nn.Sequential(layers[0], nn.Tanh(), layers[1])


def _generator(kind: str, seed: int) -> np.random.Generator:
    digest = hashlib.blake2b(f"{kind}/{seed}".encode(), digest_size=8).digest()
    return np.random.default_rng(int.from_bytes(digest, "little"))
