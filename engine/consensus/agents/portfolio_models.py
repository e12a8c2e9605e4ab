"""Models that allocate money: five schools of thought about the same assets.

All of them reckon with the written-down expectations below: round numbers, in real terms and a year, of the kind that
long-term planning uses; they are assumptions, not forecasts. How much risk a task wants is one number, its appetite,
which rises with risk tolerance and horizon; every school answers to it in its own way.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import nn

from engine.consensus.errors import ConsensusError
from engine.consensus.task_kinds import days, describe
from engine.consensus.tasks import Task
from engine.games.games import Floats


@dataclass(frozen=True, slots=True)
class Class:
    """A class of assets: expected return, volatility and income, a year; how it moves with stocks; words for it."""

    gain: float
    swing: float
    income: float
    beta: float
    words: str


CLASSES = {
    "stocks": Class(0.065, 0.17, 0.02, 0.95, "stock|stocks|equity|equities|share|shares|index|etf|world"),
    "bonds": Class(0.022, 0.06, 0.04, 0.10, "bond|bonds|treasury|treasuries|gilt|gilts|credit|debt|fixed"),
    "real estate": Class(0.048, 0.13, 0.045, 0.60, "estate|property|properties|reit|reits|housing|land"),
    "commodities": Class(0.030, 0.16, 0.0, 0.30, "commodity|commodities|gold|silver|oil|copper|metal|metals|wheat"),
    "cash": Class(0.008, 0.01, 0.03, 0.0, "cash|money|deposit|deposits|savings|stablecoin|usdc|dai"),
    "crypto": Class(0.080, 0.60, 0.0, 0.50, "crypto|bitcoin|btc|ether|ethereum|eth|token|tokens"),
}
OTHER = Class(0.040, 0.12, 0.02, 0.5, "")  # what no word tells
_APPETITE = {"conservative": -1.2, "moderate": 0.0, "aggressive": 1.2}
_FIVE_YEARS = 5 * 365.25


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """What a school sees: per asset (n,) gain, swing, income; covariance (n, n); appetite in (0, 1)."""

    gain: Floats
    swing: Floats
    income: Floats
    covariance: Floats
    appetite: float


def appetite(risk: str, horizon: str) -> float:
    """Return how much risk a task wants, in (0, 1): 1/2 for moderate and five years. Raises ConsensusError."""
    return 1.0 / (1.0 + math.exp(-_APPETITE[risk] - 0.4 * math.log(days(horizon, "investment_horizon") / _FIVE_YEARS)))


def market_of(task: Task) -> Market:
    """Return what the schools see of a task. Raises ConsensusError for one of another kind."""
    if task.type != "portfolio_allocation":
        raise ConsensusError("A portfolio model cannot allocate this task", f"it is of type {task.type}")
    describe(task.document)
    parameters = task.document["parameters"]
    classes = [class_of(label) for label in task.labels]
    gain, swing, income, beta = (
        np.array([getattr(each, name) for each in classes]) for name in ("gain", "swing", "income", "beta")
    )
    # Two of one class move together, apart from a little of their own; classes move together through stocks.
    same = np.array([[0.9 if one is other and one is not OTHER else 0.0 for other in classes] for one in classes])
    correlation = np.maximum(np.outer(beta, beta), same)
    np.fill_diagonal(correlation, 1.0)
    wanted = appetite(parameters["risk_tolerance"], parameters["investment_horizon"])
    return Market(gain, swing, income, correlation * np.outer(swing, swing), wanted)


def class_of(label: str) -> Class:
    """Return the class of assets that a label speaks of."""
    found = set(re.findall(r"[a-z]+", label.casefold()))
    return next((each for each in CLASSES.values() if found & set(each.words.split("|"))), OTHER)


# Schools: each gives shares (n,) that add up to 1


def markowitz(market: Market) -> Floats:
    """Weigh expected return against variance, and keep some of everything.

    Shares maximise gain - aversion/2 variance + spread entropy (Markowitz, 1952, made strictly concave); found by
    damped steps to w ~ exp((gain - aversion C w) / spread), which is what its optimum satisfies.
    """
    spread, aversion = 0.015, 3.0 / (0.1 + market.appetite)
    shares = _shares(np.zeros(len(market.gain)))
    for _ in range(200):
        shares = 0.8 * shares + 0.2 * _shares((market.gain - aversion * market.covariance @ shares) / spread)
    return shares


def parity(market: Market) -> Floats:
    """Let every asset carry a like part of the risk: shares fall with volatility, the less the more risk is wanted."""
    return _shares((2.0 * market.appetite - 1.4) * np.log(np.maximum(market.swing, 0.04)))


def glide(market: Market) -> Floats:
    """Move between a defensive and a growing portfolio, as plans for retirement do with age."""
    growing, safe = (
        _shares(40.0 * market.gain - 4.0 * market.swing),
        _shares(20.0 * market.income - 14.0 * market.swing),
    )
    return market.appetite * growing + (1.0 - market.appetite) * safe


def income(market: Market) -> Floats:
    """Look for what pays regularly, and for growth the more risk is wanted."""
    return _shares(25.0 * market.income + 60.0 * (market.appetite - 0.4) * market.gain)


def equal(market: Market) -> Floats:
    """Trust no expectation: equal shares, tilted a little by the volatility that is wanted."""
    order = np.log(np.maximum(market.swing, 0.03))
    return _shares(0.5 * (2.0 * market.appetite - 1.0) * (order - order.mean()))


SCHOOLS: dict[str, tuple[Callable[[Market], Floats], float, str]] = {
    "markowitz": (markowitz, 0.8, "weighs return against variance"),
    "parity": (parity, 0.7, "shares out the risk"),
    "glide": (glide, 0.7, "moves from growth to safety as the horizon shortens"),
    "income": (income, 0.6, "looks for what pays regularly"),
    "equal": (equal, 0.4, "trusts no expectation"),
}


class PortfolioModel(nn.Module):
    """Allocates by its school."""

    def __init__(self, school: str) -> None:
        super().__init__()
        self.school, self.sure, _ = SCHOOLS[school]

    def propose_for(self, task: Task, state: Floats | None) -> tuple[Floats, float]:
        """Return its shares (n,) and its confidence. Raises ConsensusError for a task of another kind."""
        return self.school(market_of(task)), self.sure


def model(kind: str, seed: int = 0) -> PortfolioModel:
    """Return a school by its name, a key of SCHOOLS. Raises ConsensusError."""
    if kind not in SCHOOLS:
        raise ConsensusError(f"There is no portfolio model {kind!r:.80}", f"known are {', '.join(SCHOOLS)}")
    return PortfolioModel(kind)


def _shares(scores: Floats) -> Floats:
    raised = np.exp(scores - scores.max())
    return np.asarray(raised / raised.sum())
