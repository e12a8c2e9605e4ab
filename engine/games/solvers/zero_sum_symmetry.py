"""Merge the actions of a matrix game that are interchangeable: duplicates, and what a symmetry of the game permutes.

Grohe, Kersting, Mladenov and Selman (2014), "Dimension reduction via colour refinement", section 4, for the linear
program of a matrix game. A partition of rows and columns is equitable when, block by block, all row sums are equal and
all column sums are. Then the game of the blocks' means has the same value, and an equilibrium of it, spread evenly over
each block, is one of the whole game. Colonel Blotto (12, 4) shrinks from 455 to 34 actions a side.

1. Start with one class of rows and one of columns.
2. Weigh each class of columns by a random number: rows of a class that differ in the weighted sum are parted. The same
   for columns. Repeat until nothing parts. All rows apart: there is no symmetry, which a random game shows at once.
3. Rounding makes "equal" a matter of tolerance; the caller verifies the answer on the whole game.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.games.games import Floats

Classes = NDArray[np.intp]
_TOLERANCE = 1e-11  # of the weights; most payoffs are between 1 and 2
_ROUNDS = 64


@dataclass(frozen=True, slots=True, eq=False)
class Quotient:
    """``matrix`` (k, l) is the smaller game; ``rows`` (n,) and ``columns`` (m,) say which class each action is in."""

    matrix: Floats
    rows: Classes
    columns: Classes

    def lift(self, profile: tuple[Floats, ...]) -> tuple[Floats, Floats]:
        """Return a profile of the smaller game as one of the whole game."""
        x, y = profile
        rows, columns = np.bincount(self.rows), np.bincount(self.columns)
        return (x / rows)[self.rows], (y / columns)[self.columns]

    def together(self, profile: tuple[Floats, ...]) -> tuple[Floats, Floats]:
        """Return a profile of the whole game as one of the smaller game."""
        x, y = profile
        return np.bincount(self.rows, x).astype(np.float64), np.bincount(self.columns, y).astype(np.float64)


def quotient(matrix: Floats) -> Quotient | None:
    """Merge what is interchangeable in a scaled payoff matrix; None where that does not make the game smaller."""
    n, m = matrix.shape
    chance = np.random.default_rng(0)
    rows, columns = np.zeros(n, np.intp), np.zeros(m, np.intp)
    counts = (1, 1)
    for _ in range(_ROUNDS):
        weights = chance.uniform(0.5, 1.5, counts[1])[columns]
        rows, of_rows = _part(rows, matrix @ weights, _TOLERANCE * float(weights.sum()))
        weights = chance.uniform(0.5, 1.5, of_rows)[rows]
        columns, of_columns = _part(columns, weights @ matrix, _TOLERANCE * float(weights.sum()))
        if (of_rows, of_columns) == (n, m):
            return None
        if (of_rows, of_columns) == counts:
            return Quotient(_means(matrix, rows, columns), rows, columns)
        counts = (of_rows, of_columns)
    return None


def _part(classes: Classes, sums: Floats, close: float) -> tuple[Classes, int]:
    """Part each class where its sorted sums jump by more than ``close``; return the new classes and their count."""
    order = np.lexsort((sums, classes))
    jump = (np.diff(classes[order]) != 0) | (np.diff(sums[order]) > close)
    numbers = np.concatenate(([0], np.cumsum(jump)))
    parted = np.empty_like(classes)
    parted[order] = numbers
    return parted, int(numbers[-1]) + 1


def _means(matrix: Floats, rows: Classes, columns: Classes) -> Floats:
    by_row, by_column = np.argsort(rows, kind="stable"), np.argsort(columns, kind="stable")
    of_rows, of_columns = np.bincount(rows), np.bincount(columns)
    sums = np.add.reduceat(matrix[by_row], np.cumsum(of_rows) - of_rows, axis=0)
    sums = np.add.reduceat(sums[:, by_column], np.cumsum(of_columns) - of_columns, axis=1)
    return np.asarray(sums / np.outer(of_rows, of_columns))
