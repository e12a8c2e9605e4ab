"""Compiled loops over many games of one shape: :mod:`engine.games.batch` solves with them."""

from __future__ import annotations

import numpy as np

from engine.games.jit import compiled_ieee as compiled
from engine.games.solvers.lemke_howson_jit import solve_one, strategy
from engine.games.solvers.lemke_howson_path import DONE, MORE, REFUSED
from engine.games.solvers.lemke_howson_tableau_jit import (
    Floats,
    Integers,
    Tableau,
    empty,
    fill,
    leaving_row,
    pivot,
    units_of,
    whole,
)

_COST = 1e-12  # a reduced cost that is less does not pay


@compiled
def pure_one(a: Floats, b: Floats, x: Floats, y: Floats, high: Floats) -> bool:
    """Write the first equilibrium in pure strategies, by rows; return whether there is one. ``high`` (columns,)."""
    n, m = a.shape
    for j in range(m):
        high[j] = a[0, j]
    for i in range(1, n):
        for j in range(m):
            high[j] = a[i, j] if a[i, j] > high[j] else high[j]
    for i in range(n):
        for j in range(m):
            if a[i, j] == high[j]:  # seldom: about once a column
                better = 0
                for k in range(m):
                    better += 1 if b[i, k] > b[i, j] else 0
                if better == 0:
                    x[i] = 1.0
                    y[j] = 1.0
                    return True
    return False


@compiled
def simplex_one(a: Floats, tab: Tableau, cost: Floats, x: Floats, y: Floats, limit: int) -> tuple[int, int]:
    """Solve a zero-sum game as ``max 1'y: A y <= 1`` on the tableau of y; return the status and the pivots.

    Dantzig's rule for what enters, the lexicographic one for what leaves; x is read off the reduced costs.
    ``cost`` (columns + 1,) is scratch.
    """
    n, m = a.shape
    units = units_of(a)
    if units.scale == 0.0:
        return REFUSED, 0
    fill(tab, a, units)
    for j in range(m):
        cost[j] = -1.0
    cost[m] = 0.0
    for count in range(limit):
        column, least = whole(-1), -_COST
        for j in range(m):
            if cost[j] < least:
                column, least = j, cost[j]
        if column < 0:
            strategy(tab, y)
            for j in range(m):
                if tab.free[j] < n:
                    x[tab.free[j]] = max(cost[j], 0.0)
            total = 0.0
            for i in range(n):
                total += x[i]
            for i in range(n):
                x[i] /= total
            return DONE, count
        row = leaving_row(tab.t, tab.place, tab.slacks, tab.tied, tab.ratios, column)
        if row < 0:
            return MORE, count
        pivot(tab.t, tab.basic, tab.free, tab.place, tab.line, row, column)
        factor = cost[column]
        cost[column] = 0.0
        for j in range(m + 1):
            cost[j] -= factor * tab.line[j]
    return MORE, limit


@compiled
def bimatrix_games(a: Floats, b: Floats, x: Floats, y: Floats, caps: tuple[int, int], pivots: Integers) -> None:
    """Find one equilibrium of each game: the first pure one, else by Lemke-Howson. Shapes (g, n, m), (g, n), (g, m).

    ``x`` and ``y`` are zeros, and stay so where none was found. ``caps`` as in
    :func:`engine.games.solvers.lemke_howson_jit.solve_one`.
    """
    games, n, m = a.shape
    tabs = (empty(m, n, n), empty(n, m, whole(0)))
    scratch, state = np.empty(m), np.zeros(4, np.int64)
    for k in range(games):
        if not pure_one(a[k], b[k], x[k], y[k], scratch):
            state[2] = 0
            solve_one(a[k], b[k], state, caps, tabs, x[k], y[k], scratch)
            pivots[k] = state[3]


@compiled
def zero_sum_games(a: Floats, x: Floats, y: Floats, limit: int, pivots: Integers) -> None:
    """Solve zero-sum games by the simplex method: payoffs (g, n, m), strategies (g, n) and (g, m), zeros before."""
    games, n, m = a.shape
    tab, cost = empty(n, m, whole(0)), np.empty(m + 1)
    for k in range(games):
        pivots[k] = simplex_one(a[k], tab, cost, x[k], y[k], limit)[1]


@compiled
def gaps(a: Floats, b: Floats, sign: float, x: Floats, y: Floats, found: Floats) -> None:
    """Verify: write NashConv and the gap relative to the ranges into ``found`` (g, 2).

    The second player's payoffs are ``sign * b``. As :func:`engine.games.verify.gap_of`, of many games at once.
    Strategies that are zeros still become uniform first; the gaps are NaN where a payoff cannot be used.
    """
    games, _, m = a.shape
    scratch = np.empty(m)
    for k in range(games):
        fill_in(x[k])
        fill_in(y[k])
        in_a, in_b = units_of(a[k]), units_of(b[k])
        if in_a.scale == 0.0 or in_b.scale == 0.0:
            found[k, 0] = found[k, 1] = np.nan
            continue
        first, second = row_regret(a[k], x[k], y[k]), column_regret(b[k], sign, x[k], y[k], scratch)
        found[k, 0] = first + second
        found[k, 1] = first / (in_a.spread / in_a.scale) + second / (in_b.spread / in_b.scale)


@compiled
def fill_in(x: Floats) -> None:
    """Turn a strategy of zeros into the uniform one."""
    for i in range(x.size):
        if x[i] != 0.0:
            return
    for i in range(x.size):
        x[i] = 1.0 / x.size


@compiled
def row_regret(a: Floats, x: Floats, y: Floats) -> float:
    """Return the first player's regret."""
    best, mean = -np.inf, 0.0
    for i in range(a.shape[0]):
        value = 0.0
        for j in range(a.shape[1]):
            value += a[i, j] * y[j]
        best = max(best, value)
        mean += x[i] * value
    return max(0.0, best - mean)


@compiled
def column_regret(b: Floats, sign: float, x: Floats, y: Floats, vector: Floats) -> float:
    """Return the second player's regret. ``vector`` (columns,) is scratch."""
    for j in range(vector.size):
        vector[j] = 0.0
    for i in range(b.shape[0]):
        for j in range(b.shape[1]):
            vector[j] += sign * b[i, j] * x[i]
    best, mean = -np.inf, 0.0
    for j in range(b.shape[1]):
        best = max(best, vector[j])
        mean += y[j] * vector[j]
    return max(0.0, best - mean)
