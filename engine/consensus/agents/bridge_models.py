"""Models that vote on the settings of a bridge between chains: each minds something else.

A setting is a share of its range: fee, confirmations, and for each chain the cap of what the bridge may hold. They read
the task's ``parameters``: ``daily_volume_ether``, ``block_seconds`` and ``deepest_reorganisation`` by chain, and the
ranges ``max_confirmations`` and ``max_cap_ether``. What is missing is taken to be alike on all chains.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from engine.consensus.errors import ConsensusError
from engine.consensus.tasks import Task
from engine.games.games import Floats


@dataclass(frozen=True, slots=True)
class Interest:
    """What a voter wants: a fee, how many times the deepest reorganisation to wait, days of volume to hold.

    ``risk`` in [0, 1] is how much a chain's cap shrinks with its reorganisations, ``patience`` the seconds that it is
    ready to wait, ``sure`` its confidence.
    """

    fee: float
    depth: float
    cover: float
    risk: float
    patience: float
    sure: float


KINDS = {
    "security": Interest(fee=0.35, depth=2.0, cover=0.5, risk=0.9, patience=1200.0, sure=0.9),
    "liquidity": Interest(fee=0.2, depth=1.0, cover=2.0, risk=0.3, patience=300.0, sure=0.7),
    "throughput": Interest(fee=0.15, depth=0.75, cover=1.25, risk=0.4, patience=120.0, sure=0.6),
    "economy": Interest(fee=0.1, depth=1.0, cover=1.0, risk=0.5, patience=400.0, sure=0.7),
    "caution": Interest(fee=0.3, depth=1.5, cover=0.75, risk=0.7, patience=600.0, sure=0.8),
}


class BridgeModel(nn.Module):
    """Votes by its interest. The layer in it maps a chain's figures to the cap's logit."""

    def __init__(self, interest: Interest) -> None:
        super().__init__()
        self.interest = interest
        self.cap = nn.Linear(2, 1, dtype=torch.float64)
        with torch.no_grad():
            self.cap.weight.copy_(torch.tensor([[1.0, -interest.risk]], dtype=torch.float64))
            self.cap.bias.fill_(math.log(interest.cover))

    def forward(self, figures: torch.Tensor) -> torch.Tensor:
        """Return caps (chains,) in [0, 1] of (chains, 2): logit of the day's volume in the range, danger in [0, 1]."""
        return torch.sigmoid(self.cap(figures)).squeeze(-1)

    def propose_for(self, task: Task, state: Floats | None) -> tuple[Floats, float]:
        """Return its settings (2 + chains,) and its confidence. Raises ConsensusError for a task of another kind."""
        if task.type != "bridge_parameters":
            raise ConsensusError("A bridge model cannot vote on this task", f"it is of type {task.type}")
        given = task.document.get("parameters", {})
        deepest = _by_chain(given, "deepest_reorganisation", task.chains, 8.0)
        seconds = _by_chain(given, "block_seconds", task.chains, 12.0)
        largest, most = _range(given, "max_confirmations", 64.0), _range(given, "max_cap_ether", 10_000.0)
        volume = _by_chain(given, "daily_volume_ether", task.chains, most / 5) / most
        depth = float(
            np.clip(
                self.interest.depth * np.expm1(np.log1p(deepest).mean()) + 1, 1, self.interest.patience / seconds.min()
            )
        )
        danger = 1.0 - np.exp(-deepest / largest)
        share = np.clip(volume, 1e-3, 1 - 1e-3)
        with torch.no_grad():
            figures = torch.from_numpy(np.column_stack([np.log(share / (1 - share)), danger])).to(self.cap.weight)
            caps = self(figures).cpu().numpy()
        return np.concatenate([[self.interest.fee, min(1.0, depth / largest)], caps]), self.interest.sure


def model(kind: str, seed: int = 0) -> BridgeModel:
    """Return a voter by its name, a key of KINDS. Raises ConsensusError."""
    if kind not in KINDS:
        raise ConsensusError(f"There is no bridge model {kind!r:.80}", f"known are {', '.join(KINDS)}")
    return BridgeModel(KINDS[kind])


def _by_chain(given: Any, name: str, chains: tuple[str, ...], default: float) -> Floats:
    """Return a figure of each chain, at least 1e-3. Raises ConsensusError for what is no number."""
    found = given.get(name, {})
    if not isinstance(found, Mapping):
        raise ConsensusError(f"{name} cannot be used", "it has one number a chain, by the chain's name")
    return np.array([_number(name, found.get(chain, default)) for chain in chains])


def _range(given: Any, name: str, default: float) -> float:
    return max(1.0, _number(name, given.get(name, default)))


def _number(name: str, value: Any) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not math.isfinite(value)
        or not 0 <= value < 1e15
    ):
        raise ConsensusError(f"{name} cannot be {value!r:.40}", "it is a number from 0 on")
    return max(1e-3, float(value))
