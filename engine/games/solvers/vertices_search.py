"""All vertices of a best-response polytope in fp64: the clear form, in NumPy.

Player 1's polytope is {x >= 0: B'x <= 1}, player 2's {y >= 0: A y <= 1}, payoffs made non-negative; a vertex carries
the labels of its tight inequalities, and a pair that carries all labels, other than the two origins, is an equilibrium
once both are scaled to sum to one: von Stengel, "Equilibrium computation for two-player games in strategic and
extensive form", section 3.4, in Algorithmic Game Theory (2007).

Every vertex of a simple polytope has n neighbours, one pivot away each. What looks like a vertex with more tight
inequalities than that is left to exact arithmetic. The compiled twin is :mod:`engine.games.solvers.vertices_jit`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.games.games import Floats

TOLERANCE = 1e-10  # a basic variable below it may be zero: all of them are between 0 and 1
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Dictionary:
    """A vertex as the equations ``x_B = b - T x_N``: ``t`` (m, n), ``b`` (m,), the variables of rows and columns."""

    t: Floats
    b: Floats
    basic: Ints
    nonbasic: Ints

    @property
    def key(self) -> int:
        """The labels that are tight here, as a bit mask."""
        return sum(1 << int(label) for label in self.nonbasic)

    def leaving(self, column: int) -> int:
        """Return the row that becomes tight first when the variable of ``column`` grows."""
        return int(np.argmax(self.t[:, column] / self.b))

    def pivoted(self, row: int, column: int) -> Dictionary:
        """Return the neighbouring vertex where the variables of ``row`` and ``column`` have changed places."""
        t, b = self.t.copy(), self.b.copy()
        t[row] /= self.t[row, column]
        b[row] /= self.t[row, column]
        t[row, column] = 1.0 / self.t[row, column]
        others = np.arange(len(b)) != row
        factors = self.t[others, column]
        t[others, column] = 0.0
        t[others] -= np.outer(factors, t[row])
        b[others] -= factors * b[row]
        basic, nonbasic = self.basic.copy(), self.nonbasic.copy()
        basic[row], nonbasic[column] = self.nonbasic[column], self.basic[row]
        return Dictionary(t, b, basic, nonbasic)

    def point(self) -> Floats:
        """Return the coordinates z (n,) of the vertex."""
        n = len(self.nonbasic)
        found = np.zeros(n + len(self.b))
        found[self.basic] = self.b
        return found[:n]


def vertices_of(matrix: Floats) -> tuple[dict[int, Floats], bool]:
    """Return all vertices of {z >= 0: M z <= 1}, by their label masks, and whether they can be trusted.

    Label k < n stands for z_k = 0, label n + i for row i of ``matrix`` (m, n). Where a vertex may be degenerate the
    search stops, and the second value is False.
    """
    m, n = matrix.shape
    # 1. The origin: all z are zero, all slacks one.
    origin = Dictionary(matrix.copy(), np.ones(m), np.arange(n, n + m), np.arange(n))
    found = {origin.key: origin.point()}
    waiting = deque([origin])
    while waiting:
        vertex = waiting.popleft()
        # 2. Each neighbour gives up one label and meets another.
        for column in range(n):
            row = vertex.leaving(column)
            key = vertex.key ^ (1 << int(vertex.nonbasic[column])) ^ (1 << int(vertex.basic[row]))
            if key in found:
                continue
            # 3. A new one is kept, unless more inequalities than n seem tight there.
            neighbour = vertex.pivoted(row, column)
            if neighbour.b.min() < TOLERANCE:
                return found, False
            found[key] = neighbour.point()
            waiting.append(neighbour)
    return found, True


def polytope(payoffs: Floats) -> tuple[Floats, Floats]:
    """Return the matrix of :func:`vertices_of` for payoffs (own actions, the opponent's), and the scale.

    Each column is made to run from 0 to 1 (1 where it is constant), which moves no best response; the opponent's
    strategy is proportional to ``scale * z``.
    """
    least = payoffs.min(axis=0)
    span = payoffs.max(axis=0) - least
    flat = span == 0
    span = np.where(flat, 1.0, span)
    return np.where(flat, 1.0, (payoffs - least) / span), span.min() / span


def undominated(a: Floats, b: Floats) -> tuple[Ints, Ints]:
    """Return the rows and columns left when those that another pure one strictly dominates go, again and again."""
    rows, columns = np.arange(a.shape[0]), np.arange(a.shape[1])
    while True:
        own, theirs = a[np.ix_(rows, columns)], b[np.ix_(rows, columns)].T
        keep, keep_columns = ~_dominated(own), ~_dominated(theirs)
        if keep.all() and keep_columns.all():
            return rows, columns
        rows, columns = rows[keep], columns[keep_columns]


def _dominated(payoffs: Floats) -> NDArray[np.bool_]:
    worse: NDArray[np.bool_] = np.all(payoffs[:, None] < payoffs[None], axis=2)
    return np.asarray(np.any(worse, axis=1))


def equilibria_of(a: Floats, b: Floats) -> list[tuple[Floats, Floats]] | None:
    """Return all equilibria of a nondegenerate game, payoffs (n, m), or None where it may be degenerate."""
    rows, columns = undominated(a, b)
    n, m = len(rows), len(columns)
    first, x_scale = polytope(b[np.ix_(rows, columns)].T)
    second, y_scale = polytope(a[np.ix_(rows, columns)])
    xs, sure = vertices_of(first)
    ys, sure_too = vertices_of(second)
    if not (sure and sure_too):
        return None
    found = []
    for key in sorted(xs):
        rest = ((1 << n + m) - 1) ^ key
        y = ys.get((rest >> n) | (rest & (1 << n) - 1) << m)
        if y is not None and key != (1 << n) - 1:
            found.append((_spread(xs[key] * x_scale, rows, len(a)), _spread(y * y_scale, columns, a.shape[1])))
    return found if len(found) % 2 else None


def _spread(weights: Floats, kept: Ints, size: int) -> Floats:
    strategy = np.zeros(size)
    strategy[kept] = weights / weights.sum()
    return strategy
