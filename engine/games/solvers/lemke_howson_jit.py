"""The compiled twin of :mod:`engine.games.solvers.lemke_howson`: the same pivots, digit for digit.

Labels are numbered through: the rows of the game, then its columns. See the reference for what a tableau is.
"""

from __future__ import annotations

import numpy as np

from engine.games.jit import compiled_ieee as compiled
from engine.games.solvers.lemke_howson_path import DONE, FAIR, GOOD, LOST, MORE, POLISH, REBUILD, REFUSED
from engine.games.solvers.lemke_howson_tableau_jit import (
    Floats,
    Integers,
    Tableau,
    Units,
    empty,
    exchange,
    fill,
    rebuild,
    units_of,
    whole,
)


@compiled
def advance(first: Tableau, second: Tableau, state: Integers, limit: int) -> int:
    """Follow the path for at most ``limit`` pivots.

    ``state``: the label that enters next, the tableau that it enters (0 or 1), the label dropped, pivots so far.
    """
    # Taken apart once: each time costs as much as a small pivot.
    t1, basic1, free1, place1, slacks1, tied1, ratios1, line1 = first
    t2, basic2, free2, place2, slacks2, tied2, ratios2, line2 = second
    for _ in range(limit):
        if state[1] == 0:
            leaving = exchange(t1, basic1, free1, place1, slacks1, tied1, ratios1, line1, state[0])
        else:
            leaving = exchange(t2, basic2, free2, place2, slacks2, tied2, ratios2, line2, state[0])
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
    all. ``state[3]`` holds the pivots done. ``scratch`` (columns,).
    """
    units = (units_of(a), units_of(b))
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
                gap = finish(a, b, units, tabs, x, y, scratch)
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
    status, gap = solve_one(a, b, state, (cap, limit), tabs, x, y, np.empty(m))
    return status, gap, state, x, y
