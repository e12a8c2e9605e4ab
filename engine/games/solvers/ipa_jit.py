"""Compiled twin of :func:`engine.games.solvers.ipa_lemke.lemke`."""

from __future__ import annotations

import numpy as np

from engine.games.games import Floats
from engine.games.jit import compiled
from engine.games.solvers.ipa_lemke import SMALL, TIE
from engine.games.solvers.tensor_form import Ints


@compiled
def lemke(costs: Floats, sizes: Ints, prior: Floats, most: int, found: Floats) -> int:
    """Write an equilibrium of the polymatrix game into ``found`` (width,); return the pivots, 0 where it failed."""
    width, count = prior.size, sizes.size
    span = width + count
    table = _first_tableau(costs, sizes, prior)
    basis = np.arange(span)
    row, entering = span - 1, 2 * span
    for pivots in range(most):
        _pivot(table, row, entering)
        leaving, basis[row] = basis[row], entering
        if leaving == 2 * span:
            found[:] = 0.0
            for r in range(span):
                if span <= basis[r] < span + width:
                    found[basis[r] - span] = table[r, 2 * span + 1]
            return pivots + 1
        entering = leaving + span if leaving < span else leaving - span
        row = _leaving_row(table, basis, entering)
        if row < 0:
            return 0
    return 0


@compiled
def _first_tableau(costs: Floats, sizes: Ints, prior: Floats) -> Floats:
    width, count = prior.size, sizes.size
    span = width + count
    table = np.zeros((span, 2 * span + 2))
    player, left = 0, sizes[0]
    for a in range(width):
        if left == 0:
            player += 1
            left = sizes[player]
        left -= 1
        for b in range(width):
            table[a, span + b] = -costs[a, b]
            table[a, 2 * span] -= costs[a, b] * prior[b]
        table[a, span + width + player] = 1.0
        table[width + player, span + a] = -1.0
    for r in range(span):
        table[r, r] = 1.0
    table[width:, 2 * span] = -1.0
    table[width:, 2 * span + 1] = -1.0
    return table


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
