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

DONE, FAILED, GOES_ON = 0, 1, 2
SMALL = 1e-10  # a smaller pivot is none
TIE = 1e-11  # ratios nearer than that tie


class Pivoting:
    """The tableau (n, 2 n + 2), n actions and players: slacks, unknowns, z0, right-hand side; and where it stands.

    ``basis`` (n,): the column that each row stands for. ``place``: the row and the column of the next pivot.
    """

    def __init__(self, costs: Floats, sizes: Ints, prior: Floats) -> None:
        """Set up the pivot that brings z0 in, where the right-hand side is least."""
        width, count = prior.size, sizes.size
        span = width + count
        owner = np.repeat(np.arange(width, span), sizes)
        self.width = width
        self.table = np.zeros((span, 2 * span + 2))
        self.table[np.arange(span), np.arange(span)] = 1.0
        self.table[:width, span : span + width] = -costs
        self.table[np.arange(width), span + owner] = 1.0
        self.table[owner, span + np.arange(width)] = -1.0
        self.table[:width, -2] = -(costs @ prior)
        self.table[width:, -2:] = -1.0
        self.basis = np.arange(span)
        self.place = np.array([span - 1, 2 * span])

    def solution(self) -> Floats:
        """Return the profile (width,) that the tableau shows."""
        span = self.basis.size
        found = np.zeros(2 * span + 1)
        found[self.basis] = self.table[:, -1]
        return np.asarray(found[span : span + self.width])


def pivot(table: Floats, basis: Ints, place: Ints, most: int) -> int:
    """Do at most ``most`` pivots in place; return DONE, FAILED or GOES_ON.

    1. The column comes in, its row goes out. 2. Its complement comes in next; the smallest ratio leaves. 3. Until z0
    leaves.
    """
    span = table.shape[0]
    for _ in range(most):
        row, entering = place
        table[row] /= table[row, entering]
        column = table[:, entering].copy()
        column[row] = 0.0
        table -= np.outer(column, table[row])
        leaving, basis[row] = int(basis[row]), entering
        if leaving == 2 * span:
            return DONE
        entering = leaving + span if leaving < span else leaving - span
        place[:] = _leaving_row(table, basis, entering), entering
        if place[0] < 0:
            return FAILED
    return GOES_ON


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
