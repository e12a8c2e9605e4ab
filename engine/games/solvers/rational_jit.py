"""Compiled twin of the search of :mod:`engine.games.solvers.rational`, while its integers stay below 2^31.

Payoffs of few digits are the degenerate games there are; their tableaus seldom need more. The same bases, found depth
first in one tableau that is pivoted back to where the path has a branch left; products fit into 64 bits, and where a
number becomes too large the search says so and is made anew with integers of any length.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from engine.games.jit import compiled
from engine.games.solvers.vertices_jit import Bytes, Ints, find, unseen

DONE, MORE, TOO_LARGE = 0, 1, 2
KEY, DEPTH, VISITED, DET = 0, 1, 2, 3  # places in ``state``
LIMIT = 1 << 31


class Walk(NamedTuple):
    """Where a walk over the bases of {z >= 0: M z <= 1} is; M is (m, n), label k < n is z_k, label n + i is row i.

    The integer tableau (m, n + 1), its last column b, as in ``rational.Tableau``; which variables are in its rows and
    columns and where; the path, with the labels given up and met, the next column and the one taken at each level; all
    bases seen and how often; of each in the order of the visits the mask of its tight labels and the point; ``state``.
    """

    t: Ints
    heads: Ints
    where: Ints
    enter: Bytes
    leave: Bytes
    cursor: Bytes
    taken: Bytes
    table: Ints
    counts: Bytes
    masks: Ints
    points: Ints
    state: Ints
    ties: Ints


@compiled
def room(t: Ints, heads: Ints, where: Ints, state: Ints, slots: int) -> Walk:
    """Return a walk with place for half as many bases as ``slots``, a power of two."""
    m, n = t.shape[0], t.shape[1] - 1
    most = slots // 2 + 2
    enter, leave = np.empty((most, n), np.uint8), np.empty((most, n), np.uint8)
    cursor, taken = np.zeros(most, np.uint8), np.zeros(most, np.uint8)
    table, counts = np.zeros(slots, np.int64), np.zeros(slots, np.uint8)
    masks, points = np.zeros(most, np.int64), np.zeros((most, n), np.int64)
    ties = np.empty(m, np.int64)
    return Walk(t, heads, where, enter, leave, cursor, taken, table, counts, masks, points, state, ties)


@compiled
def start(matrix: Ints, slots: int) -> Walk:
    """Return a walk at the origin; all numbers of the matrix must be below LIMIT."""
    m, n = matrix.shape
    t, heads, where = np.ones((m, n + 1), np.int64), np.empty(m + n, np.int64), np.empty(m + n, np.int64)
    for i in range(m):
        for j in range(n):
            t[i, j] = matrix[i, j]
    for k in range(m + n):
        heads[k] = n + k if k < m else k - m
        where[heads[k]] = k
    walk = room(t, heads, where, np.zeros(4, np.int64), slots)
    walk.state[KEY], walk.state[DET] = (1 << n) - 1, 1
    walk.table[-1 - find(walk.table, walk.state[KEY])] = walk.state[KEY]
    arrive(walk)
    return walk


@compiled
def grown(walk: Walk) -> Walk:
    """Return the same walk with four times the room."""
    new = room(walk.t, walk.heads, walk.where, walk.state, 4 * len(walk.table))
    for k in range(walk.state[DEPTH] + 1):
        new.cursor[k], new.taken[k] = walk.cursor[k], walk.taken[k]
        for j in range(len(walk.points[0])):
            new.enter[k, j], new.leave[k, j] = walk.enter[k, j], walk.leave[k, j]
    for k in range(walk.state[VISITED]):
        new.masks[k] = walk.masks[k]
        for j in range(len(walk.points[0])):
            new.points[k, j] = walk.points[k, j]
    for slot in range(len(walk.table)):
        if walk.table[slot] != 0:
            to = -1 - find(new.table, walk.table[slot])
            new.table[to], new.counts[to] = walk.table[slot], walk.counts[slot]
    return new


@compiled
def pivot(t: Ints, det: int, heads: Ints, where: Ints, r: int, c: int) -> tuple[int, int]:
    """Exchange the variables of row ``r`` and column ``c``; return the new determinant and the largest number.

    The quotients are whole and below LIMIT, so that rounding what fp64 makes of them gives them exactly; where one
    is larger, that is seen.
    """
    m, width = t.shape
    p, inverse = t[r, c], 1.0 / det
    largest = p
    for i in range(m):
        if i != r:
            f = t[i, c]
            for j in range(width):
                value = np.int64(np.rint((p * t[i, j] - f * t[r, j]) * inverse))
                t[i, j] = value
                largest = max(largest, abs(value))
            t[i, c] = -f
    t[r, c] = det
    first, second = heads[r], heads[m + c]
    heads[r], heads[m + c] = second, first
    where[second], where[first] = r, m + c
    return p, largest


@compiled
def leaving(t: Ints, det: int, heads: Ints, where: Ints, ties: Ints, c: int) -> int:
    """Return the row that becomes tight first when the variable of column ``c`` grows, ties broken slack by slack."""
    m, width = t.shape
    best, count = m, 0
    for i in range(m):
        if t[i, c] > 0:
            ahead = -1 if best == m else t[i, width - 1] * t[best, c] - t[best, width - 1] * t[i, c]
            if ahead < 0:
                best, count = i, 0
            if ahead <= 0:
                ties[count] = i
                count += 1
    slack = width - 1
    while count > 1:
        k = where[slack] - m
        best, left = ties[0], 0
        for at in range(count):
            i = ties[at]
            mine = t[i, k] if k >= 0 else det * (where[slack] == i)
            least = t[best, k] if k >= 0 else det * (where[slack] == best)
            ahead = mine * t[best, c] - least * t[i, c]
            if ahead < 0:
                best, left = i, 0
            if ahead <= 0:
                ties[left] = i
                left += 1
        count = left
        slack += 1
    return int(best)


@compiled
def arrive(walk: Walk) -> None:
    """Note the vertex of the basis where the tableau is, and its neighbours."""
    t, heads, state = walk.t, walk.heads, walk.state
    m, n = t.shape[0], t.shape[1] - 1
    at, level = state[VISITED], state[DEPTH]
    mask = state[KEY]
    for i in range(m):
        if t[i, n] == 0:
            mask |= 1 << heads[i]
        elif heads[i] < n:
            walk.points[at, heads[i]] = t[i, n]
    walk.masks[at] = mask
    state[VISITED] = at + 1
    for j in range(n):
        r = leaving(t, state[DET], heads, walk.where, walk.ties, j)
        walk.enter[level, j], walk.leave[level, j] = heads[m + j], heads[r]
    walk.cursor[level] = 0


@compiled
def run(walk: Walk, budget: int) -> tuple[int, Walk]:
    """Visit up to ``budget`` more bases: DONE, MORE or TOO_LARGE, and the walk."""
    t, heads, where, state, m = walk.t, walk.heads, walk.where, walk.state, walk.t.shape[0]
    for _ in range(budget):
        if 2 * state[VISITED] >= len(walk.table):
            walk = grown(walk)
        enter, leave, taken = walk.enter, walk.leave, walk.taken
        # 1. The next basis nobody has seen, and the one of the path that it is next to.
        level, near, column, slot = unseen(
            enter, leave, walk.cursor, taken, walk.table, walk.counts, state[DEPTH], state[KEY]
        )
        if level < 0:
            return DONE, walk
        # 2. Back to that, where the numbers have been small enough, and on to the new one.
        for k in range(state[DEPTH] - 1, level - 1, -1):
            r, c = where[enter[k, taken[k]]], where[leave[k, taken[k]]] - m
            state[DET], _ = pivot(t, state[DET], heads, where, r, c)
        gone, met = np.int64(enter[level, column]), np.int64(leave[level, column])
        state[DET], largest = pivot(t, state[DET], heads, where, where[met], where[gone] - m)
        if largest >= LIMIT:
            return TOO_LARGE, walk
        state[KEY], state[DEPTH], taken[level] = near ^ (1 << gone) ^ (1 << met), level + 1, column
        walk.table[slot], walk.counts[slot] = state[KEY], 1
        arrive(walk)
    return MORE, walk
