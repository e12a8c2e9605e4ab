"""Matrix games in the form that the solvers of this folder share: payoffs moved and scaled into [1, 2]."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.games.games import Floats, regrets_from
from engine.games.results import Outcome, Steps


@dataclass(frozen=True, slots=True, eq=False)
class Scaled:
    """``matrix`` (n, m) is the game in [1, 2]: positive, so that its value is. ``unit`` is the range of the payoffs.

    Where the payoffs are all equal the matrix is 1 and the unit 1.
    """

    matrix: Floats
    unit: float


def scaled(a: Floats) -> Scaled:
    """Scale a payoff matrix. The subtraction comes first, so that a large offset costs no digits."""
    lowest = float(a.min())
    unit = float(a.max()) - lowest
    if unit == 0.0:
        return Scaled(np.ones_like(a), 1.0)
    made = a - lowest
    made /= unit
    made += 1.0
    return Scaled(made, unit)


def gap_between(profile: tuple[Floats, Floats], up: Floats, down: Floats) -> float:
    """Return NashConv from ``up = M y`` and ``down = x' M``."""
    return float(regrets_from(profile, (up, -down)).sum())


def gap_in(matrix: Floats, profile: tuple[Floats, Floats]) -> float:
    """Return NashConv of a profile of ``matrix``."""
    x, y = profile
    return gap_between(profile, matrix @ y, x @ matrix)


def told(steps: Steps, game: Scaled) -> Steps:
    """Yield the steps of a solver of the scaled game in the units of the game; return its outcome."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
        yield replace(step, gap=step.gap * game.unit)


def strategy(weights: Floats) -> Floats:
    """Return non-negative weights as a strategy, uniform where there are none; what is below zero is rounding."""
    kept = np.maximum(weights, 0.0)
    total = kept.sum()
    return np.asarray(kept / total) if total > 0.0 else np.full(len(kept), 1.0 / len(kept))
