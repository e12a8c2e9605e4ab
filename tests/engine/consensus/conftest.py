from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from engine.consensus.messages import Key
from engine.consensus.participants import Proposal
from engine.consensus.tasks import Task
from engine.core.hashing import keccak


class Agent:
    """An honest participant: ``openness`` is how far it goes towards the consensus that it has seen."""

    strategy = "pure"

    def __init__(self, name: str, ideal: Sequence[float], confidence: float = 1.0, openness: float = 0.0) -> None:
        self.agent_id = name
        self.signer = Key(keccak(name.encode()))
        self.ideal = np.asarray(ideal, dtype=np.float64)
        self.confidence = confidence
        self.openness = openness
        self.learnt: list[Any] = []

    async def propose(self, task: Task, state: Any, iteration: int) -> Proposal:
        if state is None or not self.openness:
            return Proposal(self.ideal, self.confidence)
        return Proposal(self.ideal + self.openness * (state - self.ideal), self.confidence)

    async def learn(self, task: Task, outcome: Any) -> None:
        self.learnt.append(outcome)


@pytest.fixture(scope="session")
def make_agent() -> Callable[..., Agent]:
    return Agent


@pytest.fixture(scope="session")
def make_task() -> Callable[..., Task]:
    def make(dims: int = 3, space: str = "box") -> Task:
        return Task("test", {"type": "test"}, tuple(f"x{i}" for i in range(dims)), space, keccak(b"a test's task"))

    return make
