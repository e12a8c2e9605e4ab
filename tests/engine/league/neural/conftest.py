"""Shared by the tests of neural agents: models to build from, and a way to read an agent's outputs."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from wasmtime import Engine, Instance, Module, Store

from engine.core.paths import assets_dir
from engine.league.gate.inspect import Inspector
from engine.league.gate.verdict import SystemImage
from engine.league.neural.build import NeuralAgent
from engine.league.neural.emit import outputs_address
from engine.league.neural.features import Rows


class RawAgent:
    """An agent as emitted, without the gate's metering: shows observations to it and reads its outputs."""

    def __init__(self, agent: NeuralAgent) -> None:
        self._agent = agent
        engine = Engine()
        self._store = Store(engine)
        exports: Any = Instance(self._store, Module(engine, agent.wasm), []).exports(self._store)
        self._memory, self._decide = exports["memory"], exports["decide"]
        self._mailbox = exports["nets_obs"](self._store) if agent.features.mailbox else None
        self._outputs = outputs_address(agent.network, agent.features)

    def decide(self, row: bytes) -> tuple[int, list[int]]:
        """Return the action and the outputs."""
        if self._mailbox is not None:
            self._memory.write(self._store, row[8:], self._mailbox)
        action: int = self._decide(self._store, int.from_bytes(row[:8], "little", signed=True))
        count = len(self._agent.actions.values)
        shown = self._memory.read(self._store, self._outputs, self._outputs + 4 * count)
        return action, np.frombuffer(bytes(shown), "<i4").tolist()


class Kit:
    """Makes models and Systems, and compares agents with their twins."""

    def __init__(self) -> None:
        self._systems: dict[str, SystemImage] = {}

    def system(self, name: str) -> SystemImage:
        """Return a shipped System, admitted."""
        if name not in self._systems:
            content = (assets_dir() / "systems" / f"{name}.wasm").read_bytes()
            self._systems[name] = Inspector().check(content, "system", name).system()
        return self._systems[name]

    @staticmethod
    def network(*sizes: int, seed: int = 0) -> nn.Sequential:
        """Return a perceptron with random weights."""
        torch.manual_seed(seed)
        layers: list[nn.Module] = []
        for left, right in pairwise(sizes):
            layers += [nn.Linear(left, right), nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    @staticmethod
    def save(model: Any, folder: Path, name: str = "model.pt") -> Path:
        """Save a model as its author would."""
        path = folder / name
        torch.save(model, path)
        return path

    @staticmethod
    def assert_equal_to_twin(agent: NeuralAgent, rows: Rows) -> None:
        """Compare every output and every action on every row."""
        twin, raw = agent.twin(), RawAgent(agent)
        outputs, actions = twin.logits(rows).tolist(), twin.decide(rows)
        for row, wanted, action in zip(rows, outputs, actions, strict=True):
            assert raw.decide(row.tobytes()) == (action, wanted)


@pytest.fixture(scope="session")
def kit() -> Kit:
    return Kit()
