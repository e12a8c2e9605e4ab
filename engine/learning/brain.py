"""What the chain asks of machine learning, whoever does it: workers that train, or a replay of recorded deltas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.learning.results import RawDelta


@dataclass(frozen=True, slots=True)
class TrainOrder:
    """Train a delta on the model ``base`` for a round. ``flavour``: honest, label_flip, backdoor or overfit."""

    base: bytes
    round: int
    seed: bytes  # of the round: fixes the shared initialisation of A
    trainer: int
    steps: int
    flavour: str = "honest"


@dataclass(frozen=True, slots=True)
class Trained:
    """A delta as canonical safetensors bytes, the mean training loss in nats, and the seconds it took."""

    delta: bytes
    loss: float
    seconds: float


@dataclass(frozen=True, slots=True)
class AggregateOrder:
    """Raw deltas by trainer number, in rising order, and the rule to put them together by.

    ``guarded`` False computes the rule below the number of deltas that it needs too, to show what would come of it.
    """

    base: bytes
    raws: tuple[tuple[int, bytes], ...]
    rule: str
    byzantine: int
    clip_norm: float
    guarded: bool = True


@dataclass(frozen=True, slots=True)
class Aggregated:
    """The aggregate as canonical safetensors bytes (None where the rule refused), and what became of each delta."""

    delta: bytes | None
    raws: tuple[RawDelta, ...]
    reason: str = ""  # a key of REJECTIONS where ``delta`` is None


class Brain(Protocol):
    """Models are named by roots: the first by its weights, each further by ``merged_root(root, delta)``.

    A brain keeps the lineage that it was told by ``merge``, so that it can build any of its models again.
    """

    training: str  # "real" or "replayed"

    async def genesis(self) -> bytes:
        """Return the root of the first base."""

    async def train(self, order: TrainOrder) -> Trained:
        """Return a trainer's delta. Raises TrainingError when there is none."""

    async def aggregate(self, order: AggregateOrder) -> Aggregated:
        """Check, clip and combine raw deltas."""

    async def evaluate(self, base: bytes, delta: bytes | None, texts: Sequence[int]) -> tuple[int, ...]:
        """Return the loss of the base, with the delta on top, on each text of the pool: nano-nats a token."""

    async def held_out(self, base: bytes) -> int:
        """Return the mean loss on texts that no trainer and no gate ever sees: nano-nats a token."""

    async def triggered(self, base: bytes) -> int:
        """Return the mean loss of what a backdoor is to answer to its trigger: nano-nats a token."""

    async def check(self, delta: bytes) -> None:
        """Check a delta's form alone. Raises DeltaRefusedError."""

    def merge(self, base: bytes, delta: bytes) -> bytes:
        """Tell that a delta was put on a base, and return the root of the result."""

    @property
    def pool(self) -> int:
        """How many texts the gate draws from."""

    async def close(self) -> None:
        """End the workers."""
