"""The compiled twin of :mod:`engine.games.solvers.lemke_howson`: the same pivots, digit for digit.

Labels are numbered through: the rows of the game, then its columns. See the reference for what a tableau is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from engine.games.jit import compiled_ieee as compiled
from engine.games.solvers.lemke_howson_path import DONE, FAIR, GOOD, LOST, MORE, POLISH, REBUILD, REFUSED
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
def exchange(tab: Tableau, entering: int) -> int:
    """Let a label enter the basis and return the one that leaves; -1 when none does."""
    t, basic, free, place, slacks, tied, ratios, line = tab
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
def advance(first: Tableau, second: Tableau, state: Integers, limit: int) -> int:
    """Follow the path for at most ``limit`` pivots.

    ``state``: the label that enters next, the tableau that it enters (0 or 1), the label dropped, pivots so far.
    """
    for _ in range(limit):
        leaving = exchange(first, state[0]) if state[1] == 0 else exchange(second, state[0])
        if leaving < 0:
            return LOST
        state[3] += 1
        state[0], state[1] = leaving, 1 - state[1]
        if leaving == state[2]:
            return DONE
    return MORE


@compiled
def first_label(tab: Tableau) -> int:
    """Return the first label of the tableau's probabilities."""
    return 0 if tab.slacks > 0 else int(tab.basic.size)


@compiled
def strategy(tab: Tableau, x: Floats) -> None:
    """Read the strategy off a tableau."""
    last, first = tab.t.shape[1] - 1, first_label(tab)
    for i in range(x.size):
        x[i] = 0.0
    total = 0.0
    for i in range(tab.basic.size):
        at = tab.basic[i] - first
        if 0 <= at < x.size:
            x[at] = max(tab.t[i, last], 0.0)
            total += x[at]
    for i in range(x.size):
        x[i] /= total


@compiled
def units_of(payoffs: Floats, low: Floats, high: Floats) -> Units:
    """Return the units; scale 0 when an entry is not finite. ``low`` and ``high`` (columns,) are scratch."""
    n, m = payoffs.shape
    good = 0
    for j in range(m):
        low[j] = payoffs[0, j]
        high[j] = payoffs[0, j]
    for i in range(n):  # by columns, so that the processor does several at once
        for j in range(m):
            value = payoffs[i, j]
            good += 1 if abs(value) <= 1e100 else 0
            low[j] = value if value < low[j] else low[j]
            high[j] = value if value > high[j] else high[j]
    least, most = low[0], high[0]
    for j in range(1, m):
        least, most = min(least, low[j]), max(most, high[j])
    if good != n * m:
        return Units(0.0, 0.0, 0.0)
    if most == least:
        return Units(least, 1.0, 1.0)
    # A power of two: what was an integer stays exact, and ties stay ties.
    scale = math.ldexp(1.0, max(-1000, min(1000, -math.frexp(most - least)[1])))
    return Units(least, scale, (most - least) * scale)


@compiled
def gap_of(a: Floats, b: Floats, x: Floats, y: Floats, in_a: Units, in_b: Units, scratch: Floats) -> float:
    """Return the sum of both regrets, each by its player's range. ``scratch`` (columns,)."""
    n, m = a.shape
    best, mean = 0.0, 0.0
    for i in range(n):
        value = 0.0
        for j in range(m):
            if y[j] != 0.0:
                value += (a[i, j] - in_a.least) * in_a.scale * y[j]
        best = max(best, value)
        mean += x[i] * value
    gap = max(0.0, best - mean) / in_a.spread
    for j in range(m):
        scratch[j] = 0.0
    for i in range(n):
        if x[i] != 0.0:
            for j in range(m):
                scratch[j] += (b[i, j] - in_b.least) * in_b.scale * x[i]
    best, mean = 0.0, 0.0
    for j in range(m):
        best = max(best, scratch[j])
        mean += y[j] * scratch[j]
    return gap + max(0.0, best - mean) / in_b.spread


@compiled
def polish(tab: Tableau, payoffs: Floats, units: Units, x: Floats) -> None:
    """Solve the final basis again from the payoffs: the strategy that makes all tight constraints equal."""
    size, first, turned = 0, first_label(tab), tab.slacks > 0
    for i in range(tab.basic.size):
        size += 1 if first <= tab.basic[i] < first + x.size else 0
    support, tight = np.empty(size, np.int64), np.empty(size, np.int64)
    found = 0
    for i in range(tab.basic.size):
        if first <= tab.basic[i] < first + x.size:
            support[found] = tab.basic[i] - first
            found += 1
    found = 0
    for j in range(tab.free.size):
        if not first <= tab.free[j] < first + x.size:
            tight[found] = tab.free[j] - tab.slacks
            found += 1
    system = np.ones((size, size + 1))
    for i in range(size):
        for j in range(size):
            value = payoffs[support[j], tight[i]] if turned else payoffs[tight[i], support[j]]
            system[i, j] = (value - units.least) * units.scale + 1.0
    if eliminate(system):
        for i in range(x.size):
            x[i] = 0.0
        total = 0.0
        for j in range(size):
            x[support[j]] = max(system[j, size], 0.0)
            total += x[support[j]]
        for i in range(x.size):
            x[i] /= total


@compiled
def eliminate(system: Floats) -> bool:
    """Solve ``system`` (k, k + 1) by Gauss-Jordan with row pivoting; the solution is the last column."""
    size = system.shape[0]
    for k in range(size):
        row = k
        for i in range(k + 1, size):
            if abs(system[i, k]) > abs(system[row, k]):
                row = i
        if system[row, k] == 0.0:
            return False
        for j in range(k, size + 1):
            system[k, j], system[row, j] = system[row, j], system[k, j]
        for i in range(k + 1, size):
            factor = system[i, k] / system[k, k]
            for j in range(k, size + 1):
                system[i, j] -= factor * system[k, j]
    for k in range(size - 1, -1, -1):
        for j in range(k + 1, size):
            system[k, size] -= system[k, j] * system[j, size]
        system[k, size] /= system[k, k]
    largest = 0.0
    for k in range(size):
        if not np.isfinite(system[k, size]):
            return False
        largest = max(largest, system[k, size])
    return largest > 0.0


@compiled
def follow(
    a: Floats, b: Floats, units: tuple[Units, Units], tabs: tuple[Tableau, Tableau], state: Integers, cap: int
) -> int:
    """Follow the path of one label from its start for at most ``cap`` pivots."""
    first, second = tabs
    fill(first, b, units[1])
    fill(second, a, units[0])
    state[0] = state[2]
    state[1] = 0 if state[2] < a.shape[0] else 1
    state[3] = 0
    status = MORE
    while status == MORE and state[3] < cap:
        status = advance(first, second, state, min(REBUILD, cap - state[3]))
        if status == MORE and state[3] < cap:
            rebuild(first, b, units[1])
            rebuild(second, a, units[0])
    return status


@compiled
def copy(x: Floats, y: Floats, to_x: Floats, to_y: Floats) -> None:
    """Copy a pair of strategies."""
    for i in range(x.size):
        to_x[i] = x[i]
    for j in range(y.size):
        to_y[j] = y[j]


@compiled
def finish(
    a: Floats,
    b: Floats,
    units: tuple[Units, Units],
    tabs: tuple[Tableau, Tableau],
    x: Floats,
    y: Floats,
    scratch: Floats,
) -> float:
    """Read the equilibrium off the final tableaux, solve its basis again if need be, and return its relative gap."""
    first, second = tabs
    strategy(first, x)
    strategy(second, y)
    gap = gap_of(a, b, x, y, units[0], units[1], scratch)
    if gap > POLISH:
        rough = gap
        rough_x, rough_y = np.empty(x.size), np.empty(y.size)
        copy(x, y, rough_x, rough_y)
        polish(first, b, units[1], x)
        polish(second, a, units[0], y)
        gap = gap_of(a, b, x, y, units[0], units[1], scratch)
        if not gap < rough:
            copy(rough_x, rough_y, x, y)
            gap = rough
    return gap


@compiled
def solve_one(
    a: Floats,
    b: Floats,
    state: Integers,
    caps: tuple[int, int],
    tabs: tuple[Tableau, Tableau],
    x: Floats,
    y: Floats,
    scratch: Floats,
) -> tuple[int, float]:
    """Find one equilibrium from the label ``state[2]``; return the status and the relative gap.

    ``caps``: pivots until the next label is tried (all labels at that cap, then at eight times as many), and pivots in
    all. ``state[3]`` holds the pivots done. ``scratch`` (2, columns).
    """
    units = (units_of(a, scratch[0], scratch[1]), units_of(b, scratch[0], scratch[1]))
    if units[0].scale == 0.0 or units[1].scale == 0.0:
        return REFUSED, 0.0
    cap, total, labels = min(caps), 0, a.shape[0] + a.shape[1]
    status, best, lost = MORE, np.inf, 0
    best_x, best_y = x, y
    while total < caps[1] and lost < labels:
        lost = 0
        for _ in range(labels):
            status = follow(a, b, units, tabs, state, min(cap, caps[1] - total))
            total += state[3]
            if status == DONE:
                gap = finish(a, b, units, tabs, x, y, scratch[0])
                if gap <= GOOD:
                    state[3] = total
                    return DONE, gap
                status = LOST
                if gap < best:
                    best, best_x, best_y = gap, np.empty(x.size), np.empty(y.size)
                    copy(x, y, best_x, best_y)
            if total >= caps[1]:
                break
            lost += 1 if status == LOST else 0
            state[2] = (state[2] + 1) % labels
        cap *= 8
    state[3] = total
    copy(best_x, best_y, x, y)
    return DONE if best <= FAIR else status, best


@compiled
def solve_alone(a: Floats, b: Floats, label: int, cap: int, limit: int) -> tuple[int, float, Integers, Floats, Floats]:
    """Find one equilibrium with room of its own: status, relative gap, state, strategies."""
    n, m = a.shape
    tabs = (empty(m, n, n), empty(n, m, whole(0)))
    state = np.zeros(4, np.int64)
    state[2] = label
    x, y = np.zeros(n), np.zeros(m)
    status, gap = solve_one(a, b, state, (cap, limit), tabs, x, y, np.empty((2, m)))
    return status, gap, state, x, y
