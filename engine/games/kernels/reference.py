"""The kernels' algorithms in plain NumPy: what they are held equal to. One game at a time, in fp64."""

from __future__ import annotations

from itertools import combinations

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


def equal_supports(a: Floats, b: Floats) -> list[tuple[Floats, Floats]]:
    """Return all equilibria with supports of equal size of a nondegenerate bimatrix game, in the kernel's order.

    Porter, Nudelman and Shoham (2008), without their pruning.
    """
    n, m = a.shape
    found = []
    for size in range(1, min(n, m) + 1):
        pairs = [(_bits(s), _bits(t), s, t) for s in combinations(range(n), size) for t in combinations(range(m), size)]
        for _, _, mine, theirs in sorted(pairs):
            y = _indifferent(a, mine, theirs)
            x = _indifferent(b.T, theirs, mine)
            if x is not None and y is not None:
                found.append((x, y))
    return found


def _bits(chosen: tuple[int, ...]) -> int:
    return sum(1 << k for k in chosen)


def _indifferent(payoff: Floats, mine: tuple[int, ...], theirs: tuple[int, ...]) -> Floats | None:
    """Return the strategy on ``theirs`` that makes exactly ``mine`` best, or None."""
    size = len(mine)
    block = payoff[np.ix_(mine, theirs)]
    system = np.vstack([np.ones(size), block[1:] - block[0]])
    right = np.zeros(size)
    right[0] = 1.0
    strategy = np.zeros(payoff.shape[1])
    strategy[list(theirs)] = np.linalg.solve(system, right)
    gains = payoff @ strategy - payoff[mine[0]] @ strategy
    return strategy if strategy.min() >= 0 and gains.max() <= 1e-9 * np.ptp(payoff) else None
