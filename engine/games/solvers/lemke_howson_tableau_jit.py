"""The compiled twin of :mod:`engine.games.solvers.lemke_howson_tableau`: the same pivots, digit for digit."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from engine.games.games import MAX_PAYOFF
from engine.games.jit import compiled_ieee as compiled
from engine.games.solvers.lemke_howson_tableau import PIVOT, TIE

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
# Numba takes a plain constant for a type of its own and compiles what is called with it once more.
whole = cast("Callable[[int], int]", np.int64)


class Tableau(NamedTuple):
    """The arrays of :class:`engine.games.solvers.lemke_howson_tableau.Tableau`; the last three are scratch."""

    t: Floats
    basic: Integers
    free: Integers
    place: Integers
    slacks: int
    tied: Integers
    ratios: Floats
    line: Floats


class Units(NamedTuple):
    """How payoffs are brought to [1, 2]: ``(payoff - least) * scale + 1``; ``spread`` is their range then."""

    least: float
    scale: float
    spread: float


def around(t: Floats, basic: Integers, free: Integers, place: Integers, slacks: int) -> Tableau:
    """Return a tableau of the reference's arrays."""
    rows, width = t.shape
    return Tableau(t, basic, free, place, slacks, np.empty(rows + 1, np.int64), np.empty(rows + 1), np.empty(width))


@compiled
def empty(rows: int, columns: int, slacks: int) -> Tableau:
    """Return room for a tableau."""
    basic, free = np.empty(rows, np.int64), np.empty(columns, np.int64)
    place, tied = np.empty(rows + columns, np.int64), np.empty(rows + 1, np.int64)
    t, ratios, line = np.empty((rows, columns + 1)), np.empty(rows + 1), np.empty(columns + 1)
    return Tableau(t, basic, free, place, slacks, tied, ratios, line)


@compiled
def fill(tab: Tableau, payoffs: Floats, units: Units) -> None:
    """Write the tableau of the basis of all slacks: payoffs, transposed in that of x, and ones."""
    rows, columns, turned = tab.t.shape[0], tab.t.shape[1] - 1, tab.slacks > 0
    for i in range(rows):
        for j in range(columns):
            value = payoffs[j, i] if turned else payoffs[i, j]
            tab.t[i, j] = (value - units.least) * units.scale + 1.0
        tab.t[i, columns] = 1.0
    others = 0 if turned else rows
    for i in range(rows):
        tab.basic[i] = tab.slacks + i
        tab.place[tab.slacks + i] = -1 - i
    for j in range(columns):
        tab.free[j] = others + j
        tab.place[others + j] = j


@compiled
def leaving_row(t: Floats, place: Integers, slacks: int, tied: Integers, ratios: Floats, column: int) -> int:
    """Return the row that leaves when ``column`` enters, lexicographically least; -1 when none bounds it."""
    rows, last = t.shape[0], t.shape[1] - 1
    # Written without branches: which entries are positive cannot be foreseen.
    bound = 0
    for i in range(rows):
        tied[bound] = i
        ratios[bound] = t[i, last] / t[i, column] if t[i, column] > PIVOT else np.inf
        bound += 1 if t[i, column] > PIVOT else 0
    if bound == 0:
        return -1
    best = ratios[0]
    for k in range(1, bound):
        best = min(best, ratios[k])
    count = whole(0)
    for k in range(bound):
        row, close = tied[k], ratios[k] <= best + TIE
        tied[count] = row
        count += 1 if close else 0
    slack = slacks
    while count > 1 and slack < slacks + rows:
        count = break_tie(t, tied, place[slack], column, count)
        slack += 1
    return int(tied[0])


@compiled
def break_tie(t: Floats, tied: Integers, at: int, column: int, count: int) -> int:
    """Keep of the tied rows those that are least in one slack's column; return how many remain."""
    if at == column:
        return count
    kept = 0
    if at < 0:  # a basic slack has a unit column, in which its own row is the greatest
        for k in range(count):
            if tied[k] != -1 - at:
                tied[kept] = tied[k]
                kept += 1
        return kept
    best = np.inf
    for k in range(count):
        best = min(best, t[tied[k], at] / t[tied[k], column])
    for k in range(count):
        if t[tied[k], at] / t[tied[k], column] <= best + TIE:
            tied[kept] = tied[k]
            kept += 1
    return kept


@compiled
def pivot(t: Floats, basic: Integers, free: Integers, place: Integers, line: Floats, row: int, column: int) -> None:
    """Exchange a row's label with a column's, in place; four rows at a time, so that the line is read once for all."""
    rows, width = t.shape
    inverse = 1.0 / t[row, column]
    t[row, column] = 1.0
    for j in range(width):
        line[j] = t[row, j] * inverse
    for i in range(0, rows - 3, 4):
        f0, f1, f2, f3 = t[i, column], t[i + 1, column], t[i + 2, column], t[i + 3, column]
        t[i, column] = t[i + 1, column] = t[i + 2, column] = t[i + 3, column] = 0.0
        for j in range(width):
            value = line[j]
            t[i, j] -= f0 * value
            t[i + 1, j] -= f1 * value
            t[i + 2, j] -= f2 * value
            t[i + 3, j] -= f3 * value
    for i in range(rows - rows % 4, rows):
        f0 = t[i, column]
        t[i, column] = 0.0
        for j in range(width):
            t[i, j] -= f0 * line[j]
    for j in range(width):
        t[row, j] = line[j]
    leaving, entering = basic[row], free[column]
    basic[row], free[column] = entering, leaving
    place[entering], place[leaving] = -1 - row, column


@compiled
def exchange(
    t: Floats,
    basic: Integers,
    free: Integers,
    place: Integers,
    slacks: int,
    tied: Integers,
    ratios: Floats,
    line: Floats,
    entering: int,
) -> int:
    """Let a label enter the basis of a tableau, given as its arrays; return the one that leaves, -1 when none does."""
    column = place[entering]
    row = leaving_row(t, place, slacks, tied, ratios, column)
    if row < 0:
        return -1
    leaving = basic[row]
    pivot(t, basic, free, place, line, row, column)
    return int(leaving)


@compiled
def rebuild(tab: Tableau, payoffs: Floats, units: Units) -> None:
    """Make the tableau of the same basis anew from the payoffs: Gauss-Jordan with complete pivoting."""
    rows = tab.t.shape[0]
    wanted = np.zeros(tab.place.size, np.bool_)
    for i in range(rows):
        wanted[tab.basic[i]] = True
    fill(tab, payoffs, units)
    for _ in range(tab.free.size):
        best, row, column = 0.0, whole(-1), whole(-1)
        for i in range(rows):
            if wanted[tab.basic[i]]:
                continue
            for j in range(tab.free.size):
                if wanted[tab.free[j]] and abs(tab.t[i, j]) > best:
                    best, row, column = abs(tab.t[i, j]), i, j
        if row < 0:
            return
        pivot(tab.t, tab.basic, tab.free, tab.place, tab.line, row, column)


@compiled
def units_of(payoffs: Floats) -> Units:
    """Return the units; scale 0 when an entry is not finite, or too large."""
    n, m = payoffs.shape
    least = most = low0 = low1 = low2 = low3 = high0 = high1 = high2 = high3 = payoffs[0, 0]
    none0 = none1 = none2 = none3 = 0.0
    for i in range(n):  # four at a time, and without branches
        for j in range(0, m - 3, 4):
            v0, v1, v2, v3 = payoffs[i, j], payoffs[i, j + 1], payoffs[i, j + 2], payoffs[i, j + 3]
            low0, low1 = v0 if v0 < low0 else low0, v1 if v1 < low1 else low1
            low2, low3 = v2 if v2 < low2 else low2, v3 if v3 < low3 else low3
            high0, high1 = v0 if v0 > high0 else high0, v1 if v1 > high1 else high1
            high2, high3 = v2 if v2 > high2 else high2, v3 if v3 > high3 else high3
            none0 += v0 * 0.0  # becomes NaN where an entry is no finite number
            none1 += v1 * 0.0
            none2 += v2 * 0.0
            none3 += v3 * 0.0
        for j in range(m - m % 4, m):
            value = payoffs[i, j]
            least, most = value if value < least else least, value if value > most else most
            none0 += value * 0.0
    least = min(min(low0, low1), min(low2, low3), least)
    most = max(max(high0, high1), max(high2, high3), most)
    if not (none0 + none1 + none2 + none3 == 0.0 and least >= -MAX_PAYOFF and most <= MAX_PAYOFF):
        return Units(0.0, 0.0, 0.0)
    if most == least:
        return Units(least, 1.0, 1.0)
    # A power of two: what was an integer stays exact, and ties stay ties.
    scale = math.ldexp(1.0, max(-1000, min(1000, -math.frexp(most - least)[1])))
    return Units(least, scale, (most - least) * scale)
