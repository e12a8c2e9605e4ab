"""The compiled twin of the pivoting in :mod:`engine.games.solvers.howson`: the same pivots, digit for digit."""

from __future__ import annotations

import numpy as np

from engine.games.jit import compiled_ieee as compiled
from engine.games.solvers.howson import DONE, LOST, MORE
from engine.games.solvers.lemke_howson_tableau import TIE
from engine.games.solvers.lemke_howson_tableau_jit import Floats, Integers, leaving_row, pivot, whole


@compiled
def exchange_all(
    t: Floats, basic: Integers, free: Integers, place: Integers, entering: int, limit: int
) -> tuple[int, int, int]:
    """Pivot at most ``limit`` times on the tableau's arrays; return the count, how it stands, and what enters next."""
    size, width = t.shape
    tied, ratios, line = np.empty(size + 1, np.int64), np.empty(size + 1), np.empty(width)
    z0, last, zero = 2 * size, width - 1, whole(0)
    for count in range(limit):
        column = place[entering]
        row = leaving_row(t, place, zero, tied, ratios, column)
        if row < 0:
            return count, LOST, entering
        cover = -1 - place[z0]
        if t[cover, column] > 0.0 and t[cover, last] / t[cover, column] <= t[row, last] / t[row, column] + TIE:
            row = cover
        leaving = basic[row]
        pivot(t, basic, free, place, line, row, column)
        if leaving == z0:
            return count + 1, DONE, entering
        entering = leaving + size if leaving < size else leaving - size
    return limit, MORE, entering
