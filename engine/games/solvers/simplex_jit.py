"""Compiled twin of :func:`engine.games.solvers.simplex.reference_pivots`: the same pivots in the same order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.games.games import Floats
from engine.games.jit import compiled

Labels = NDArray[np.int64]
_FEASIBLE = 1e-11  # as in the reference
_SMALLEST_PIVOT = 1e-9


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
