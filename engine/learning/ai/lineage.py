"""Which model a root names: the deltas that were merged since the first base."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from engine.learning.ai.model import Model
from engine.learning.errors import TrainingError


def merged_root(root: bytes, delta: bytes) -> bytes:
    """Return the 32-byte root of a model with a delta put on it."""
    return sha256(root + sha256(delta).digest()).digest()


@dataclass(frozen=True, slots=True)
class Line:
    """A model as a worker is told it: its root, and the last steps there, each the root after it and its delta.

    ``complete``: the steps begin at the checkpoint. Else the worker must know a model on the way.
    """

    model: Model
    first: bytes
    steps: tuple[tuple[bytes, bytes], ...]
    complete: bool

    @property
    def root(self) -> bytes:
        """Root of the model that is meant."""
        return self.steps[-1][0] if self.steps else self.first


class Lineage:
    """All models of a run by their roots. Several may grow from one: branches of the chain merge on their own."""

    def __init__(self, model: Model, genesis: bytes) -> None:
        self._model = model
        self._genesis = genesis
        self._steps: dict[bytes, tuple[bytes, bytes, int]] = {}  # parent, delta, depth

    def merge(self, base: bytes, delta: bytes) -> bytes:
        """Note that a delta was put on a base and return the root. Raises TrainingError for an unknown base."""
        root = merged_root(base, delta)
        self._steps[root] = (base, delta, self.depth(base) + 1)
        return root

    def depth(self, root: bytes) -> int:
        """Return how many deltas were merged since the first base. Raises TrainingError for an unknown root."""
        if root == self._genesis:
            return 0
        if root not in self._steps:
            raise TrainingError("The model is not known", f"no model of this run has the root {root.hex()[:16]}")
        return self._steps[root][2]

    def line(self, root: bytes, last: int | None = None) -> Line:
        """Return the way to a model, the ``last`` steps of it or all. Raises TrainingError for an unknown root."""
        steps: list[tuple[bytes, bytes]] = []
        depth = self.depth(root)
        while root != self._genesis and (last is None or len(steps) < last):
            parent, delta, _ = self._steps[root]
            steps.append((root, delta))
            root = parent
        return Line(self._model, self._genesis, tuple(reversed(steps)), len(steps) == depth)
