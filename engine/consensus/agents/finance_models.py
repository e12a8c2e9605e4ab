"""Financial agents' models: each says how likely the next price is above the last, from past prices alone.

Every model is fitted anew on what it is given, and pairs what was known on a day with what came on the next: the last
pair ends at the last price, so nothing of the future can leak in. Returns are standardised by their trailing deviation.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from engine.consensus.agents.market_data import series_of
from engine.consensus.errors import ConsensusError
from engine.consensus.task_kinds import days
from engine.consensus.tasks import Task
from engine.games.games import Floats

KINDS = {
    "momentum": "what rose in the last twenty days goes on to rise",
    "reversion": "what is far from its mean of twenty days comes back",
    "volatility": "as often as on earlier days with as much unrest",
    "regression": "ten returns and a ridge regression",
    "network": "a network of 24 units, its last layer fitted on the past",
}
PAST = 1_000  # days that a model learns from, at most
SPAN = 20
LAGS = 10
BEGIN = 2 * SPAN  # the first day with all features
SHRINK = 200.0  # days of doubt: so many days of an even chance are mixed into what was counted


class MarketModel(nn.Module):
    """A model of prices; ``propose_for`` is how an agent asks it."""

    def propose_for(self, task: Task, state: Floats | None) -> tuple[Floats, float]:
        """Return the chances (fall, rise) of the day after the task's last price, and how sure it is."""
        if days(task.document.get("horizon")) != 1:
            raise ConsensusError("The financial agents cannot look so far ahead", "they predict one day", "Take 1_day.")
        rise = self.chance(series_of(task.document["data"]).prices)
        return np.array([1.0 - rise, rise]), 0.5 + abs(rise - 0.5)

    def chance(self, prices: Floats) -> float:
        """Return how likely the price after the last of ``prices`` (n,) is above it, in [0.02, 0.98]."""
        recent = prices[-(PAST + BEGIN) :]
        returns = np.diff(np.log(recent))
        return min(0.98, max(0.02, self.predict(recent, returns)))

    @abstractmethod
    def predict(self, prices: Floats, returns: Floats) -> float:
        """Return the chance of a rise; ``returns`` (n - 1,) are the logarithmic ones of ``prices`` (n,)."""

    def forward(self, prices: torch.Tensor) -> torch.Tensor:
        """Return the chances (fall, rise) after prices (n,)."""
        rise = self.chance(prices.detach().cpu().double().numpy())
        return torch.tensor([1.0 - rise, rise], dtype=torch.float64)


class Momentum(MarketModel):
    """Believes that trends last: the slope on the last twenty days' return is never negative."""

    sign = 1.0

    def predict(self, prices: Floats, returns: Floats) -> float:
        """See the base class."""
        feature = self.feature(prices)
        known, coming = feature[BEGIN:-1], returns[BEGIN:]
        slope = self.sign * max(0.0, self.sign * float(known @ coming) / (float(known @ known) + 1e-12))
        shrunk = slope * len(known) / (len(known) + SHRINK)
        return _normal(shrunk * feature[-1] / (coming.std() + 1e-12))

    def feature(self, prices: Floats) -> Floats:
        """Return what is looked at on each day (n,)."""
        moved = np.zeros(len(prices))
        moved[SPAN:] = np.log(prices[SPAN:] / prices[:-SPAN])
        return moved


class Reversion(Momentum):
    """Believes that prices come back to their mean: the slope on the distance from it is never positive."""

    sign = -1.0

    def feature(self, prices: Floats) -> Floats:
        """See the base class."""
        total = np.cumsum(np.concatenate([[0.0], np.log(prices)]))
        away = np.zeros(len(prices))
        away[SPAN - 1 :] = np.log(prices[SPAN - 1 :]) - (total[SPAN:] - total[:-SPAN]) / SPAN
        return away


class Volatility(MarketModel):
    """Counts how often the price rose after days with a volatility like today's."""

    def predict(self, prices: Floats, returns: Floats) -> float:
        """See the base class."""
        unrest = _deviation(returns)
        known, coming = unrest[BEGIN - 1 : -1], returns[BEGIN:]
        near = np.argsort(np.abs(known - unrest[-1]), kind="stable")[: max(1, len(known) // 3)]
        return float(((coming[near] > 0).sum() + SHRINK / 2) / (len(near) + SHRINK))


class Regression(MarketModel):
    """Regresses the next return on the last ten, large weights held back (Hoerl and Kennard 1970)."""

    def predict(self, prices: Floats, returns: Floats) -> float:
        """See the base class."""
        return _ridge(self.features(returns), returns)

    def features(self, returns: Floats) -> Floats:
        """Return what is looked at after each return (n - 1, k)."""
        scaled = returns / (_deviation(returns) + 1e-12)
        lagged = np.zeros((len(returns), LAGS))
        for lag in range(LAGS):
            lagged[lag:, lag] = scaled[: len(scaled) - lag]
        return np.clip(lagged, -4.0, 4.0)


class Network(Regression):
    """A layer of fixed random units, an output fitted on the past (Huang, Zhu and Siew 2006)."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        draw = np.random.default_rng(seed)
        self.hidden = nn.Linear(LAGS + 2, 24, dtype=torch.float64)
        with torch.no_grad():
            self.hidden.weight.copy_(torch.from_numpy(draw.normal(scale=0.5, size=(24, LAGS + 2))))
            self.hidden.bias.copy_(torch.from_numpy(draw.normal(scale=0.5, size=24)))

    def features(self, returns: Floats) -> Floats:
        """See the base class."""
        week = np.convolve(returns, np.ones(5), mode="full")[: len(returns)] / (_deviation(returns) + 1e-12)
        unrest = np.log(_deviation(returns) + 1e-6)
        seen = np.column_stack([super().features(returns), np.clip(week, -8, 8) / 2, unrest - unrest[BEGIN:].mean()])
        with torch.no_grad():
            hidden = torch.tanh(self.hidden(torch.from_numpy(seen).to(self.hidden.weight)))
        return np.asarray(hidden.cpu().numpy())


def model(kind: str, seed: int = 0) -> MarketModel:
    """Return a model by its name, a key of KINDS. Raises ConsensusError."""
    if kind not in KINDS:
        raise ConsensusError(f"There is no financial model {kind!r:.80}", f"known are {', '.join(KINDS)}")
    plain: dict[str, Callable[[], MarketModel]] = {
        "momentum": Momentum,
        "reversion": Reversion,
        "volatility": Volatility,
        "regression": Regression,
    }
    return Network(seed) if kind == "network" else plain[kind]()


def _ridge(features: Floats, returns: Floats) -> float:
    """Return the chance of a rise by a regression of each return on the features of the day before."""
    known, coming = features[BEGIN - 1 : -1], returns[BEGIN:]
    deviation = float(coming.std()) + 1e-12
    target = np.clip(coming / deviation, -3.0, 3.0)
    centre = known.mean(axis=0)
    away = known - centre
    penalty = SHRINK * np.eye(away.shape[1]) * float(away.var() + 1e-12)
    weights = np.linalg.solve(away.T @ away + penalty, away.T @ target)
    shrunk = float(target.mean()) * len(target) / (len(target) + SHRINK)
    return _normal(shrunk + float((features[-1] - centre) @ weights))


def _deviation(returns: Floats) -> Floats:
    """Return the root mean square of the last twenty returns, on each day; fewer at the beginning."""
    squares = np.cumsum(np.concatenate([[0.0], returns**2]))
    ends = np.arange(1, len(returns) + 1)
    starts = np.maximum(0, ends - SPAN)
    return np.asarray(np.sqrt(np.maximum(0.0, squares[ends] - squares[starts]) / (ends - starts)))


def _normal(score: float) -> float:
    """Return the standard normal distribution at ``score``."""
    return 0.5 * (1.0 + math.erf(score / math.sqrt(2.0)))
