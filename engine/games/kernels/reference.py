"""The kernels' algorithms in plain NumPy: what they are held equal to. One game at a time, in fp64."""

from __future__ import annotations

import numpy as np

from engine.games.games import Floats

FLOOR = 1e-30


def rm_plus(a: Floats, iterations: int, *, predictive: bool) -> tuple[Floats, Floats]:
    """Return the averaged strategies of alternating RM+ or PRM+ on a zero-sum game ``a`` (n, m), uniform start.

    Tammelin et al. (2015), weights t; predictive: Farina, Kroer and Sandholm (2021), weights t^2. Regrets are cut at
    ``FLOOR``, which stands for zero, so that there is always something in proportion to which to play.
    """
    n, m = a.shape
    x, y = np.full(n, 1.0 / n), np.full(m, 1.0 / m)
    regret_x, regret_y = np.full(n, FLOOR), np.full(m, FLOOR)
    sum_x, sum_y = np.zeros(n), np.zeros(m)
    for t in range(1, iterations + 1):
        x = _next(regret_x, a @ y - x @ a @ y, predictive)
        y = _next(regret_y, x @ a @ y - x @ a, predictive)
        weight = float(t * t if predictive else t)
        sum_x += weight * x
        sum_y += weight * y
    return sum_x / sum_x.sum(), sum_y / sum_y.sum()


def _next(regret: Floats, gain: Floats, predictive: bool) -> Floats:
    """Add the gains to the regrets, in place, and return the strategy that follows."""
    np.maximum(regret + gain, FLOOR, out=regret)
    play = np.maximum(regret + gain, FLOOR) if predictive else regret
    return np.asarray(play / play.sum())
