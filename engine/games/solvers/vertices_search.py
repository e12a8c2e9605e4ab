"""All vertices of a best-response polytope in fp64: the clear form, in NumPy.

Player 1's polytope is {x >= 0: B'x <= 1}, player 2's {y >= 0: A y <= 1}, payoffs made non-negative; a vertex carries
the labels of its tight inequalities, and a pair that carries all labels, other than the two origins, is an equilibrium
once both are scaled to sum to one: von Stengel, "Equilibrium computation for two-player games in strategic and
extensive form", section 3.4, in Algorithmic Game Theory (2007).

Every vertex of a simple polytope has n neighbours, one label exchanged for another each. What may be a vertex with
more tight inequalities than that is left to exact arithmetic. The compiled twin, which pivots from vertex to vertex
instead of solving for each of them, is :mod:`engine.games.solvers.vertices_jit`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.games.games import Floats

HOPELESS = 1e12  # how large t_ij / b_i may be: the next inequality is nearer than its reciprocal along an edge
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Dictionary:
    """A vertex as the equations ``x_B = b - T x_N``: ``t`` (m, n), ``b`` (m,), the variables of rows and columns."""

    t: Floats
    b: Floats
    basic: Ints
    nonbasic: Ints

    @classmethod
    def at(cls, matrix: Floats, key: int) -> Dictionary:
        """Return that of the vertex of {z >= 0: M z <= 1} with the tight labels ``key``."""
        m, n = matrix.shape
        labels = np.arange(m + n)
        tight = np.array([key >> label & 1 for label in range(m + n)], np.bool_)
        # M z + s = 1: the variables z are the labels 0 to n - 1, the slacks s those after.
        system = np.hstack([matrix, np.eye(m)])
        solved = np.linalg.solve(system[:, ~tight], np.column_stack([system[:, tight], np.ones(m)]))
        return cls(solved[:, :n], solved[:, n], labels[~tight], labels[tight])

    def steepest(self) -> float:
        """Return the largest t_ij / b_i, in magnitude; infinity where an inequality is not kept."""
        return float((np.abs(self.t) / self.b[:, None]).max()) if self.b.min() > 0 else np.inf

    def exchange(self, column: int) -> tuple[int, int]:
        """Return the label given up when the variable of ``column`` grows, and the one that is met first."""
        row = int(np.argmax(self.t[:, column] / self.b))
        return int(self.nonbasic[column]), int(self.basic[row])

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
    n = matrix.shape[1]
    # 1. The origin: all z are zero, all slacks one.
    origin = (1 << n) - 1
    found = {origin: np.zeros(n)}
    waiting = deque([Dictionary.at(matrix, origin)])
    while waiting:
        vertex = waiting.popleft()
        key = sum(1 << int(label) for label in vertex.nonbasic)
        # 2. Each neighbour gives up one label and meets another.
        for column in range(n):
            gone, met = vertex.exchange(column)
            other = key ^ (1 << gone) ^ (1 << met)
            if other in found:
                continue
            # 3. A new one is kept, unless more inequalities than n seem tight there.
            neighbour = Dictionary.at(matrix, other)
            if not neighbour.steepest() < HOPELESS:
                return found, False
            found[other] = neighbour.point()
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
