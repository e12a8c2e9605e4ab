"""The condensed tableau of complementary pivoting, with the lexicographic rule: the clear NumPy reference.

A linear system ``slacks + M structurals = right-hand side`` is kept solved for its basic variables. Only the columns of
the free variables are stored: ``t`` (rows, columns + 1), right-hand side last. Variables are named by labels.

Lexicographic rule: Dantzig, Orden and Wolfe (1955), "The generalized simplex method", Pacific Journal of Mathematics 5;
for complementary pivoting von Stengel (2007), "Equilibrium computation for two-player games", section 3.6.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.games.games import Floats

Integers = NDArray[np.int64]

PIVOT = 1e-10  # smaller entries count as zero
TIE = 1e-13  # ratios that differ by less are equal


class Tableau:
    """``basic`` (rows,) and ``free`` (columns,) are the labels of rows and columns; slack labels start at ``slacks``.

    ``place`` (labels,) gives a label's column, or ``-1 - row`` of a basic one. The basis begins as all slacks.
    """

    def __init__(self, matrix: Floats, right: Floats, slacks: int, structurals: int) -> None:
        rows, columns = matrix.shape
        # By rows, also of a matrix by columns: one form of the compiled twin, and the faster one.
        self.t: Floats = np.ascontiguousarray(np.column_stack([matrix, right]))
        self.slacks = slacks
        self.basic: Integers = slacks + np.arange(rows)
        self.free: Integers = structurals + np.arange(columns)
        self.place: Integers = np.empty(rows + columns, dtype=np.int64)
        self.place[self.basic] = -1 - np.arange(rows)
        self.place[self.free] = np.arange(columns)

    def leaving_row(self, column: int) -> int:
        """Return the row that leaves when ``column`` enters, lexicographically least; -1 when none bounds it."""
        entering = self.t[:, column]
        rows = np.flatnonzero(entering > PIVOT)
        if not rows.size:
            return -1
        ratios = self.t[rows, -1] / entering[rows]
        tied = rows[ratios <= ratios.min() + TIE]
        for slack in range(self.slacks, self.slacks + len(self.basic)):
            if tied.size == 1:
                break
            tied = self._break_tie(tied, int(self.place[slack]), column)
        return int(tied[0])

    def _break_tie(self, tied: Integers, at: int, column: int) -> Integers:
        """Keep of the tied rows those that are least in one slack's column of the inverse of the basis."""
        if at == column:
            return tied
        if at < 0:  # a basic slack has a unit column, in which its own row is the greatest
            return np.asarray(tied[tied != -1 - at])
        ratios = self.t[tied, at] / self.t[tied, column]
        return np.asarray(tied[ratios <= ratios.min() + TIE])

    def pivot(self, row: int, column: int) -> None:
        """Exchange a row's label with a column's."""
        inverse = 1.0 / self.t[row, column]
        factors = self.t[:, column].copy()
        self.t[row, column] = 1.0
        line = self.t[row] * inverse
        self.t[:, column] = 0.0
        self.t -= factors[:, None] * line
        self.t[row] = line
        leaving, entering = self.basic[row], self.free[column]
        self.basic[row], self.free[column] = entering, leaving
        self.place[entering], self.place[leaving] = -1 - row, column

    def exchange(self, entering: int) -> int:
        """Let a label enter the basis and return the one that leaves; -1 when none does."""
        column = int(self.place[entering])
        row = self.leaving_row(column)
        if row < 0:
            return -1
        leaving = int(self.basic[row])
        self.pivot(row, column)
        return leaving

    def enter_all(self, wanted: NDArray[np.bool_]) -> None:
        """Bring the labels of another basis in, by complete pivoting; on a fresh tableau, to drop rounding errors."""
        while True:
            rows, columns = np.flatnonzero(~wanted[self.basic]), np.flatnonzero(wanted[self.free])
            if not (rows.size and columns.size):
                return
            sizes = np.abs(self.t[np.ix_(rows, columns)])
            best = int(sizes.argmax())
            if sizes.flat[best] == 0.0:
                return
            self.pivot(int(rows[best // columns.size]), int(columns[best % columns.size]))

    def values(self, first: int, count: int) -> Floats:
        """Return the values of ``count`` variables from the label ``first`` on; rounding below zero is cut off."""
        places = self.place[first : first + count]
        values = self.t[np.where(places < 0, -1 - places, 0), -1]
        return np.asarray(np.where(places < 0, np.maximum(values, 0.0), 0.0))
