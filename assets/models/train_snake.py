"""Trains assets/models/snake.pt: a small perceptron that has learnt snake by watching `cautious`.

    python assets/models/train_snake.py [--out MODEL.pt]

Every round the newest model plays as a built agent, `cautious` says what it would have done in each position, and the
model learns from all positions so far. So it also sees where its own mistakes lead, which watching alone never shows.
Source: Ross, Gordon and Bagnell, "A reduction of imitation learning and structured prediction to no-regret online
learning", AISTATS 2011. Seeds are fixed and torch has one thread; it takes about a minute.

    nashboard agent build assets/models/snake.pt --system snake --out neural.wasm
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from wasmtime import Engine, Instance, Module, Store

ASSETS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ASSETS.parent))

from engine.league.gate.inspect import Inspector  # noqa: E402
from engine.league.neural.actions import Actions, actions_of  # noqa: E402
from engine.league.neural.build import NeuralAgent  # noqa: E402
from engine.league.neural.features import FeatureMap, feature_map, rows_of  # noqa: E402
from engine.league.neural.model import load_mlp  # noqa: E402
from engine.league.neural.play import Played, Table  # noqa: E402
from engine.league.sandbox import Sandbox  # noqa: E402

ROUNDS, STEPS_A_ROUND, EPOCHS, BATCH, HIDDEN, RATE = 14, 6000, 3, 256, 64, 4e-3


class Expert:
    """`cautious`, asked outside a match: it decides by its mailbox alone."""

    def __init__(self, module: bytes) -> None:
        self._store = Store(Engine())
        exports: Any = Instance(self._store, Module(self._store.engine, module), []).exports(self._store)
        self._memory, self._decide = exports["memory"], exports["decide"]
        self._at = exports["nets_obs"](self._store)

    def action(self, observation: bytes) -> int:
        """Return what it does on an observation."""
        self._memory.write(self._store, observation, self._at)
        done: int = self._decide(self._store, 0)
        return done


def new_model(features: FeatureMap, raw: np.ndarray, outputs: int) -> nn.Sequential:
    """Return an untrained model. Its first layer is fixed: it brings the numbers to a common scale, no more."""
    scale = nn.BatchNorm1d(features.inputs, affine=False)
    spread = np.where(features.numeric(), np.maximum(1.0, raw.std(axis=0)), 1.0)
    scale.running_var.copy_(torch.from_numpy(spread**2))
    hidden = [nn.Linear(features.inputs, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU()]
    return nn.Sequential(scale, *hidden, nn.Linear(HIDDEN, outputs)).eval()


def learn(model: nn.Sequential, inputs: torch.Tensor, wanted: torch.Tensor) -> None:
    """Fit the model to what the expert did."""
    steps = EPOCHS * len(inputs) // BATCH
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    for _ in range(steps):
        batch = torch.randint(0, len(inputs), (BATCH,))
        loss = nn.functional.cross_entropy(model(inputs[batch]), wanted[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()


def train(out: Path) -> None:
    """Train, and write the model after every round."""
    torch.set_num_threads(1)
    torch.manual_seed(1)
    system = Inspector().check((ASSETS / "systems" / "snake.wasm").read_bytes(), "system").system()
    cautious = (ASSETS / "agents" / "snake" / "cautious.wasm").read_bytes()
    features, actions, expert = feature_map(system.spec, "board"), actions_of(system.spec), Expert(cautious)
    assert features is not None
    lines, wanted, model = [], [], None
    with Sandbox() as sandbox:
        table = Table(system, actions, sandbox)
        player = table.admit(cautious)
        for number in range(ROUNDS):
            played = table.try_out(player, STEPS_A_ROUND)
            report(number, played)
            observations = played.sample(STEPS_A_ROUND)
            lines.append(features.encode(rows_of(observations, features.reach)))
            wanted += [actions.values.index(expert.action(shown)) for _, shown in observations]
            raw = np.concatenate(lines)
            model = model or new_model(features, raw, len(actions.values))
            learn(model, torch.from_numpy(raw).float(), torch.tensor(wanted))
            torch.save(model, out)
            player = table.admit(build(out, features, actions, raw))
        report(ROUNDS, table.try_out(player, STEPS_A_ROUND))


def build(path: Path, features: FeatureMap, actions: Actions, raw: np.ndarray) -> bytes:
    """Return the agent of a saved model."""
    return NeuralAgent.of(load_mlp(path), features, actions, raw).wasm


def report(number: int, played: Played) -> None:
    """Say how many apples the player of a round ate."""
    mean = played.score / played.outcomes.total()
    sys.stderr.write(f"round {number}: {played.outcomes.total()} matches, {mean:.1f} apples\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train the shipped snake model.")
    parser.add_argument("--out", type=Path, default=ASSETS / "models" / "snake.pt", help="where the model goes")
    train(parser.parse_args().out)
