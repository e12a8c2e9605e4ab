"""Compiled twin of :func:`engine.games.solvers.ipa_lemke.pivot`."""

from __future__ import annotations

import numpy as np

from engine.games.games import Floats
from engine.games.jit import compiled
from engine.games.solvers.ipa_lemke import DONE, FAILED, GOES_ON, SMALL, TIE
from engine.games.solvers.tensor_form import Ints


@compiled
def pivot(table: Floats, basis: Ints, place: Ints, most: int) -> int:
    """Do at most ``most`` pivots in place; return how it stands."""
    span = table.shape[0]
    for _ in range(most):
        row, entering = place
        _pivot(table, row, entering)
        leaving, basis[row] = basis[row], entering
        if leaving == 2 * span:
            return DONE
        entering = leaving + span if leaving < span else leaving - span
        place[0], place[1] = _leaving_row(table, basis, entering), entering
        if place[0] < 0:
            return FAILED
    return GOES_ON


@compiled
def _pivot(table: Floats, row: int, entering: int) -> None:
    line = table[row]
    line /= line[entering]
    for r in range(table.shape[0]):
        other = table[r]
        factor = other[entering]
        if r != row and factor != 0.0:
            for c in range(line.size):
                other[c] -= factor * line[c]


@compiled
def _leaving_row(table: Floats, basis: Ints, entering: int) -> int:
    span = table.shape[0]
    rows = np.empty(span, dtype=np.int64)
    many = 0
    for r in range(span):
        if table[r, entering] > SMALL:
            rows[many] = r
            many += 1
    if many == 0:
        return -1
    for turn in range(span + 1):
        column = 2 * span + 1 if turn == 0 else turn - 1
        best = np.inf
        for k in range(many):
            best = min(best, table[rows[k], column] / table[rows[k], entering])
        kept = 0
        for k in range(many):
            if table[rows[k], column] / table[rows[k], entering] <= best + TIE:
                rows[kept] = rows[k]
                kept += 1
        many = kept
        if turn == 0:
            for k in range(many):
                if basis[rows[k]] == 2 * span:
                    return int(rows[k])
        if many == 1:
            break
    return int(rows[0])
