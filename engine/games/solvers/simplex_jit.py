"""Compiled twin of :mod:`engine.games.solvers.simplex`: the same pivots in the same order, and whole small games."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.games.games import Floats
from engine.games.jit import compiled

Labels = NDArray[np.int64]
_FEASIBLE = 1e-11  # as in the reference
_SMALLEST_PIVOT = 1e-9
_NARROWEST = 1e-6  # as in zero_sum_scale


@compiled
def solve(a: Floats, rows: Floats, columns: Floats, limit: int) -> tuple[Floats, Floats, bool]:
    """Return an equilibrium (x, y) of a payoff matrix, and whether the pivots came to an end.

    ``rows`` (n,) and ``columns`` (m,) are the random numbers from 0 to 1 that keep ties apart.
    """
    n, m = a.shape
    table = _cold(a, rows, columns)
    basic, free = np.arange(m, m + n), np.arange(m)
    _, mu, stuck = pivots(table, basic, free, limit)
    x, y = np.zeros(n), np.zeros(m)
    for i in range(n):
        if basic[i] < m:
            y[basic[i]] = max(table[i, m] + mu * table[i, m + 1], 0.0)
    for j in range(m):
        if free[j] >= m:
            x[free[j] - m] = max(-table[n, j] - mu * table[n + 1, j], 0.0)
    if not x.sum() > 0.0 or not y.sum() > 0.0:
        return np.full(n, 1.0 / n), np.full(m, 1.0 / m), False
    return x / x.sum(), y / y.sum(), mu == 0.0 and not stuck


@compiled
def _cold(a: Floats, rows: Floats, columns: Floats) -> Floats:
    n, m = a.shape
    least, surest = np.full(m, -np.inf), -np.inf
    lowest = np.inf
    for i in range(n):
        low = np.inf
        for j in range(m):
            low = min(low, a[i, j])
            least[j] = max(least[j], a[i, j])
        surest, lowest = max(surest, low), min(lowest, low)
    spread, width = least.min() - surest, least.max() - lowest
    if width == 0.0:
        width = 1.0
    unit = max(spread, _NARROWEST * width) if spread > 0.0 else width
    table = np.zeros((n + 2, m + 2))
    mine, theirs = np.zeros(n), np.zeros(m)
    for i in range(n):
        for j in range(m):
            table[i, j] = (a[i, j] - surest) / unit + 1.0
            mine[i] += table[i, j]
            theirs[j] += table[i, j]
    mine, theirs = mine / m, theirs / n
    table[:n, m] = 1.0
    table[n, :m] = 1.0
    table[:n, m + 1] = 1.5 - (mine - mine.min()) / max(mine.max() - mine.min(), _SMALLEST_PIVOT) + 0.1 * rows
    table[n + 1, :m] = (
        -0.5 - (theirs - theirs.min()) / max(theirs.max() - theirs.min(), _SMALLEST_PIVOT) - 0.1 * columns
    )
    return table


@compiled
def pivots(table: Floats, basic: Labels, free: Labels, limit: int) -> tuple[int, float, bool]:
    """Do at most ``limit`` pivots in place; return how many, the ``mu`` reached, and whether it is stuck."""
    mu, row, column = _infeasible(table)
    for count in range(limit):
        if mu == 0.0:
            return count, 0.0, False
        if row < 0:
            row = _leaving(table, column, mu)
        else:
            column = _entering(table, row, mu)
        if row < 0 or column < 0:
            return count, mu, True
        pivot(table, row, column)
        basic[row], free[column] = free[column], basic[row]
        mu, row, column = _infeasible(table)
    return limit, mu, False


@compiled
def _infeasible(table: Floats) -> tuple[float, int, int]:
    n, m = table.shape[0] - 2, table.shape[1] - 2
    mu, row, column = 0.0, -1, -1
    for i in range(n):
        if table[i, m] < -_FEASIBLE:
            ratio = -table[i, m] / max(table[i, m + 1], _SMALLEST_PIVOT)
            if ratio > mu:
                mu, row = ratio, i
    for j in range(m):
        if table[n, j] > _FEASIBLE:
            ratio = table[n, j] / max(-table[n + 1, j], _SMALLEST_PIVOT)
            if ratio > mu:
                mu, row, column = ratio, -1, j
    return mu, row, column


@compiled
def _leaving(table: Floats, column: int, mu: float) -> int:
    n, m = table.shape[0] - 2, table.shape[1] - 2
    bound = np.inf
    for i in range(n):
        entry = table[i, column]
        if entry > _SMALLEST_PIVOT:
            bound = min(bound, (table[i, m] + mu * table[i, m + 1] + _FEASIBLE) / entry)
    found, largest = -1, 0.0
    for i in range(n):
        entry = table[i, column]
        if entry > max(largest, _SMALLEST_PIVOT) and (table[i, m] + mu * table[i, m + 1]) / entry <= bound:
            found, largest = i, entry
    return found


@compiled
def _entering(table: Floats, row: int, mu: float) -> int:
    n, m = table.shape[0] - 2, table.shape[1] - 2
    bound = np.inf
    for j in range(m):
        entry = -table[row, j]
        if entry > _SMALLEST_PIVOT:
            bound = min(bound, (_FEASIBLE - table[n, j] - mu * table[n + 1, j]) / entry)
    found, largest = -1, 0.0
    for j in range(m):
        entry = -table[row, j]
        if entry > max(largest, _SMALLEST_PIVOT) and -(table[n, j] + mu * table[n + 1, j]) / entry <= bound:
            found, largest = j, entry
    return found


@compiled
def pivot(table: Floats, row: int, column: int) -> None:
    """Exchange what names ``row`` and ``column``, in place, borders and all."""
    inverse = 1.0 / table[row, column]
    line = table[row] * inverse  # a copy, so that the compiler knows it apart from the table: twice as fast
    line[column] = inverse
    for i in range(table.shape[0]):
        factor = table[i, column]
        if i != row and factor != 0.0:
            table[i, column] = 0.0
            other = table[i]
            for j in range(line.shape[0]):
                other[j] -= factor * line[j]
    table[row] = line
