"""Matrix games in the form that the solvers of this folder share: the value between 1 and 2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from engine.games.games import Floats, regrets_from
from engine.games.options import SolveOptions
from engine.games.results import Outcome, Step, Steps

SAFE = 0.5  # of the epsilon asked for: the verification, on the payoffs as they were given, rounds too
_NARROWEST = 1e-6  # of the range: nearer bounds of the value are not blown up to 1


@dataclass(frozen=True, slots=True, eq=False)
class Scaled:
    """``matrix`` (n, m) is ``(a - low) / unit + 1``: its value is between 1 and 2, its gaps are in units of ``unit``.

    ``low`` is what player 1 can be sure of in pure strategies, ``spread`` how much less player 2 can be sure to keep
    it to. ``pure`` are these strategies; their gap is the spread. Their spread is the unit, not the range of the
    payoffs: one payoff of -1e9 that everybody avoids must not drown the others. ``options`` are those asked
    for, with an epsilon (at most 1) in units of the scaled game.
    """

    matrix: Floats
    unit: float
    spread: float
    range: float
    pure: tuple[Floats, Floats]
    options: SolveOptions


def scaled(a: Floats, options: SolveOptions) -> Scaled:
    """Scale a payoff matrix, and the epsilon with it. The subtraction comes first: a large offset costs no digits."""
    surest, least = a.min(axis=1), a.max(axis=0)
    row, column = int(surest.argmax()), int(least.argmin())
    x, y = np.zeros(a.shape[0]), np.zeros(a.shape[1])
    x[row] = y[column] = 1.0
    spread = float(least[column] - surest[row])
    width = float(least.max() - surest.min()) or 1.0
    unit = max(spread, _NARROWEST * width) if spread > 0.0 else width
    made = a - surest[row]
    made /= unit
    made += 1.0
    epsilon = min(1.0, SAFE * options.epsilon * (width / unit))
    return Scaled(made, unit, spread, width, (x, y), replace(options, epsilon=epsilon))


def gap_in(matrix: Floats, profile: tuple[Floats, Floats]) -> float:
    """Return NashConv of a profile of ``matrix``."""
    x, y = profile
    return float(regrets_from(profile, (matrix @ y, -(x @ matrix))).sum())


def mapped(steps: Steps, change: Callable[[Step], Step]) -> Steps:
    """Yield every step as ``change`` makes it; return the outcome as it is."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
        yield change(step)


def told(steps: Steps, game: Scaled) -> Steps:
    """Yield the steps of a solver of the scaled game in the units of the game.

    The outcome is complete when it holds what the options asked for, which is less than what the solver aimed at.
    """
    outcome = yield from mapped(steps, lambda step: replace(step, gap=step.gap * game.unit))
    x, y = outcome.profiles[0]
    if gap_in(game.matrix, (x, y)) * SAFE <= game.options.epsilon:
        return replace(outcome, complete=True, message="")
    return replace(outcome, complete=False)


def strategy(weights: Floats) -> Floats:
    """Return weights as a strategy, uniform where they are none; what is below zero is rounding."""
    kept = np.maximum(weights, 0.0)
    total = kept.sum()
    return np.asarray(kept / total) if 0.0 < total < np.inf else np.full(len(kept), 1.0 / len(kept))
