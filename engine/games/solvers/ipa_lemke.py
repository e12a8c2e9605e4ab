"""An equilibrium of a polymatrix game by complementary pivoting from a prior; the compiled twin is ``ipa_jit``.

Costs ``C y`` (positive, payoffs taken from a constant), a level v for each player: find y, v >= 0 with
``C y - E v >= 0`` and ``E' y >= 1``, each zero where its unknown is positive. Howson (1972), "Equilibria of polymatrix
games"; the covering vector is what the prior p brings, so that all along the path everybody plays ``y + z0 p``: van den
Elzen and Talman (1991), "A procedure for finding Nash equilibria in bi-matrix games". Ties by lexicographic order.
"""

from __future__ import annotations

import numpy as np

from engine.games.games import Floats
from engine.games.solvers.tensor_form import Ints

SMALL = 1e-10  # a smaller pivot is none
TIE = 1e-11  # ratios nearer than that tie


def first_tableau(costs: Floats, sizes: Ints, prior: Floats) -> Floats:
    """Return the tableau (n, 2 n + 2), n actions and players: slacks, unknowns, z0, right-hand side."""
    width, count = prior.size, sizes.size
    span = width + count
    border = (np.repeat(np.arange(count), sizes)[:, None] == np.arange(count)).astype(np.float64)
    matrix = np.block([[costs, -border], [border.T, np.zeros((count, count))]])
    cover = np.concatenate((costs @ prior, np.ones(count)))
    right = np.concatenate((np.zeros(width), -np.ones(count)))
    return np.column_stack((np.eye(span), -matrix, -cover, right))


def lemke(costs: Floats, sizes: Ints, prior: Floats, most: int) -> tuple[bool, Floats, int]:
    """Return whether an equilibrium was found, the profile (width,), and the number of pivots.

    1. z0 comes in where the right-hand side is least. 2. The complement of what left comes in; the smallest ratio
    leaves. 3. Until z0 leaves.
    """
    table = first_tableau(costs, sizes, prior)
    span = table.shape[0]
    basis = np.arange(span)
    row, entering = span - 1, 2 * span
    for pivots in range(most):
        table[row] /= table[row, entering]
        column = table[:, entering].copy()
        column[row] = 0.0
        table -= np.outer(column, table[row])
        leaving, basis[row] = int(basis[row]), entering
        if leaving == 2 * span:
            found = np.zeros(2 * span + 1)
            found[basis] = table[:, -1]
            return True, found[span : span + prior.size], pivots + 1
        entering = leaving + span if leaving < span else leaving - span
        row = _leaving_row(table, basis, entering)
        if row < 0:
            break
    return False, prior, most


def _leaving_row(table: Floats, basis: Ints, entering: int) -> int:
    """Return the row of the lexicographically smallest ratio, -1 where there is none; z0 leaves when it ties."""
    span = table.shape[0]
    rows = np.flatnonzero(table[:, entering] > SMALL)
    if rows.size == 0:
        return -1
    for column in (2 * span + 1, *range(span)):
        ratios = table[rows, column] / table[rows, entering]
        rows = rows[ratios <= ratios.min() + TIE]
        if column == 2 * span + 1:
            last = rows[basis[rows] == 2 * span]
            if last.size:
                return int(last[0])
        if rows.size == 1:
            break
    return int(rows[0])
