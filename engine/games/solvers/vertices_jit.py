"""Compiled twin of :mod:`engine.games.solvers.vertices_search`: all vertices of one best-response polytope.

The same polytope, labels and doubts. Instead of keeping every tableau it walks the graph of the vertices depth first in
one tableau, goes back by pivots or by a fresh start from the labels, whichever is nearer, and knows the vertices it has
seen by a hash table of their label masks. The fresh starts also measure what rounding has done meanwhile.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.games.games import Floats
from engine.games.jit import compiled

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Mask = int | np.int64  # of labels

DONE, MORE, GROW, DOUBT = 0, 1, 2, 3
KEY, DEPTH, VISITED, AGE, FOUND = 0, 1, 2, 3, 4  # places in ``state``
TOLERANCE = 1e-10  # a basic variable below it may be zero: all of them are between 0 and 1
DRIFT = 1e-11  # the rounding error that is still believed
_AFRESH = 1e-12  # like TOLERANCE, without the error that pivots add up, for each unit of the largest number
_SINGULAR = 1e-13  # a pivot not larger than that is none
_REFRESH = 64  # pivots from one measurement of the rounding error to the next
_SLOTS = 1 << 11  # of the first table: enough for 8 x 8 actions
_SPREAD = 0x1E3779B97F4A7C15  # odd, of random bits: spreads neighbouring masks over the table


class Walk(NamedTuple):
    """Where a walk over the vertices of {z >= 0: M z <= 1} is; M is (m, n), label k < n is z_k, label n + i is row i.

    The dictionary ``x_B = b - T x_N`` of the vertex, with the variables of its rows and columns in ``heads`` and where
    each of them is in ``where``; the path to it, with for each level and column the label that is given up (``enter``)
    and the one that is met (``leave``), the next column to try and the one taken; all vertices seen as label masks,
    with how often each was met; ``state``, by the places above.
    """

    matrix: Floats
    t: Floats
    b: Floats
    heads: Ints
    where: Ints
    enter: Bytes
    leave: Bytes
    cursor: Bytes
    taken: Bytes
    table: Ints
    counts: Bytes
    state: Ints
    floats: Floats  # these two are scratch
    rows: Ints


@compiled
def find(table: Ints, key: Any) -> Any:
    """Return the slot of ``key`` in an open hash table of a power of two slots, or -1 - (the slot where it belongs)."""
    mask = len(table) - 1
    slot = (key * _SPREAD >> 20) & mask
    while table[slot] != 0:
        if table[slot] == key:
            return slot
        slot = (slot + 1) & mask
    return -1 - slot


@compiled
def room(matrix: Floats, t: Floats, b: Floats, heads: Ints, where: Ints, state: Ints, slots: int) -> Walk:
    """Return a walk in a new table of so many slots, a power of two, and a path half as long."""
    m, n = matrix.shape
    most = slots // 2 + 2
    enter, leave = np.empty((most, n), np.uint8), np.empty((most, n), np.uint8)
    cursor, taken = np.zeros(most, np.uint8), np.zeros(most, np.uint8)
    table, counts = np.zeros(slots, np.int64), np.zeros(slots, np.uint8)
    floats, rows = np.empty(m + n), np.empty(n, np.int64)
    return Walk(matrix, t, b, heads, where, enter, leave, cursor, taken, table, counts, state, floats, rows)


@compiled
def start(matrix: Floats) -> Walk:
    """Return a walk at the origin."""
    m, n = matrix.shape
    heads, where, state = np.empty(m + n, np.int64), np.empty(m + n, np.int64), np.zeros(5, np.int64)
    walk = room(matrix, np.empty((m, n)), np.empty(m), heads, where, state, _SLOTS)
    restart(walk, (1 << n) - 1)
    state[VISITED] = 1
    walk.table[-1 - find(walk.table, state[KEY])] = state[KEY]
    neighbours(walk.t, walk.b, heads, walk.floats, walk.rows, walk.enter[0], walk.leave[0], TOLERANCE)
    return walk


@compiled
def grown(walk: Walk) -> Walk:
    """Return the same walk with four times the room."""
    new = room(walk.matrix, walk.t, walk.b, walk.heads, walk.where, walk.state, 4 * len(walk.table))
    for k in range(walk.state[DEPTH] + 1):
        new.cursor[k], new.taken[k] = walk.cursor[k], walk.taken[k]
        for j in range(walk.t.shape[1]):
            new.enter[k, j], new.leave[k, j] = walk.enter[k, j], walk.leave[k, j]
    for slot in range(len(walk.table)):
        if walk.table[slot] != 0:
            to = -1 - find(new.table, walk.table[slot])
            new.table[to], new.counts[to] = walk.table[slot], walk.counts[slot]
    return new


@compiled
def pivot(t: Floats, b: Floats, heads: Ints, where: Ints, r: int, c: int) -> None:
    """Exchange the basic variable of row ``r`` with the nonbasic one of column ``c``, in place."""
    m, n = t.shape
    p = 1.0 / t[r, c]
    for j in range(n):
        t[r, j] *= p
    b[r] *= p
    t[r, c] = p
    for i in range(m):
        if i != r:
            f = t[i, c]
            t[i, c] = 0.0
            for j in range(n):
                t[i, j] -= f * t[r, j]
            b[i] -= f * b[r]
    first, second = heads[r], heads[m + c]
    heads[r], heads[m + c] = second, first
    where[second], where[first] = r, m + c


@compiled
def restart(walk: Walk, key: Mask) -> bool:
    """Set the tableau up anew at the vertex with the tight labels ``key``, by the largest pivots; False if singular."""
    t, heads = walk.t, walk.heads
    m, n = t.shape
    for i in range(m):
        walk.b[i] = 1.0
        for j in range(n):
            t[i, j] = walk.matrix[i, j]
    for k in range(m + n):
        heads[k] = n + k if k < m else k - m
        walk.where[heads[k]] = k
    for _ in range(min(m, n)):
        best, r, c = _SINGULAR, m, n
        for j in range(n):
            if key >> heads[m + j] & 1 == 0:
                for i in range(m):
                    if key >> heads[i] & 1 and abs(t[i, j]) > best:
                        best, r, c = abs(t[i, j]), i, j
        if r == m:
            break
        pivot(t, walk.b, heads, walk.where, r, c)
    walk.state[KEY] = key
    walk.state[AGE] = 0
    there = True
    for j in range(n):
        there = there and key >> heads[m + j] & 1 == 1
    return there


@compiled
def drifted(walk: Walk) -> bool:
    """Start afresh at the vertex where the tableau is, and say whether rounding had moved it too far."""
    m = len(walk.b)
    for k in range(len(walk.floats)):
        walk.floats[k] = 0.0
    for i in range(m):
        walk.floats[walk.heads[i]] = walk.b[i]
    same = restart(walk, walk.state[KEY])
    for i in range(m):
        same = same and abs(walk.floats[walk.heads[i]] - walk.b[i]) <= DRIFT
    return not same


@compiled
def neighbours(
    t: Floats, b: Floats, heads: Ints, best: Floats, rows: Ints, enter: Bytes, leave: Bytes, tolerance: float
) -> bool:
    """Write for each column which label it gives up and which one it meets, by the ratio test; False where in doubt.

    The least b_i / t_ij is the largest t_ij / b_i, which needs no look at signs; it is at least 1, edges being no
    longer than 1.
    """
    m, n = t.shape
    for j in range(n):
        best[j] = 0.5
        rows[j] = -1
    for i in range(m):
        if not b[i] >= tolerance:
            return False
        scale = 1.0 / b[i]
        for j in range(n):
            value = t[i, j] * scale
            larger = value > best[j]
            best[j] = value if larger else best[j]
            rows[j] = i if larger else rows[j]
    for j in range(n):
        if rows[j] < 0:
            return False
        enter[j] = heads[m + j]
        leave[j] = heads[rows[j]]
    return True


@compiled
def sure(walk: Walk) -> bool:
    """Look at a vertex that seemed degenerate afresh: a new tableau of small numbers needs less than TOLERANCE."""
    if not restart(walk, walk.state[KEY]):
        return False
    largest = 1.0
    for i in range(walk.t.shape[0]):
        for j in range(walk.t.shape[1]):
            largest = max(largest, abs(walk.t[i, j]))
    at = walk.state[DEPTH]
    enter, leave = walk.enter[at], walk.leave[at]
    return neighbours(walk.t, walk.b, walk.heads, walk.floats, walk.rows, enter, leave, _AFRESH * largest)


@compiled
def unseen(
    enter: Bytes, leave: Bytes, cursor: Bytes, taken: Bytes, table: Ints, counts: Bytes, level: int, key: Mask
) -> tuple[int, Mask, int, Any]:
    """Return the nearest vertex up the path with a neighbour nobody has seen: level, mask, column, and the free slot.

    The level is -1 when there is none.
    """
    n = enter.shape[1]
    while True:
        for column in range(cursor[level], n):
            other = key ^ (1 << np.int64(enter[level, column])) ^ (1 << np.int64(leave[level, column]))
            slot = find(table, other)
            if slot < 0:
                cursor[level] = column + 1
                return level, key, column, -1 - slot
            counts[slot] += 1
        cursor[level] = n
        if level == 0:
            return -1, key, 0, 0
        level -= 1
        past = taken[level]
        key ^= (1 << np.int64(enter[level, past])) ^ (1 << np.int64(leave[level, past]))


@compiled
def all_met(walk: Walk) -> bool:
    """Say whether each vertex was met once from each of its neighbours, as in the graph of a simple polytope."""
    n = walk.t.shape[1]
    met = True
    for slot in range(len(walk.table)):
        met = met and (walk.table[slot] == 0 or walk.counts[slot] == n)
    return met


@compiled
def advance(walk: Walk, other: Ints, matches: Ints, budget: int) -> int:
    """Visit up to ``budget`` more vertices. Return DONE, MORE, GROW (the arrays are too short) or DOUBT.

    ``other`` is the table of the opponent's finished walk (or a single zero), ``matches`` where to write the vertices
    that make an equilibrium with one of its; when it is full, MORE is returned.
    """
    _, t, b, heads, where, enter, leave, cursor, taken, table, counts, state, best, rows = walk
    m, n = t.shape
    ones, full = (1 << n) - 1, (1 << (m + n)) - 1
    for _ in range(budget):
        # 1. The next vertex nobody has seen, and the one of the path that it is next to.
        level, near, column, slot = unseen(enter, leave, cursor, taken, table, counts, state[DEPTH], state[KEY])
        if level < 0:
            return DONE if all_met(walk) and not drifted(walk) else DOUBT
        # 2. Up the path to that, by pivots or afresh.
        if state[AGE] > _REFRESH and drifted(walk):
            return DOUBT
        if state[DEPTH] - level > n:
            if not restart(walk, near):
                return DOUBT
        else:
            for k in range(state[DEPTH] - 1, level - 1, -1):
                pivot(t, b, heads, where, where[enter[k, taken[k]]], where[leave[k, taken[k]]] - m)
                state[AGE] += 1
        # 3. And on to the new one.
        gone, met = np.int64(enter[level, column]), np.int64(leave[level, column])
        pivot(t, b, heads, where, where[met], where[gone] - m)
        key = near ^ (1 << gone) ^ (1 << met)
        table[slot], counts[slot], taken[level] = key, 1, column
        state[KEY], state[DEPTH] = key, level + 1
        state[AGE] += 1
        state[VISITED] += 1
        cursor[level + 1] = 0
        if not neighbours(t, b, heads, best, rows, enter[level + 1], leave[level + 1], TOLERANCE) and not sure(walk):
            return DOUBT
        # 4. Does it make an equilibrium?
        rest = full ^ key
        if find(other, (rest >> n) | (rest & ones) << m) >= 0:
            matches[state[FOUND]] = key
            state[FOUND] += 1
        if 2 * state[VISITED] >= len(counts) or state[FOUND] == len(matches):
            return GROW if 2 * state[VISITED] >= len(counts) else MORE
    return MORE


@compiled
def run(walk: Walk, other: Ints, matches: Ints, budget: int) -> tuple[int, Walk]:
    """Visit up to ``budget`` vertices like :func:`advance`, with as much room as that needs; never GROW."""
    left = budget
    while True:
        before = walk.state[VISITED]
        code = advance(walk, other, matches, left)
        left -= walk.state[VISITED] - before
        if code == GROW:
            walk = grown(walk)
            code = MORE if walk.state[FOUND] == len(matches) else GROW
        if code != GROW:
            return code, walk


@compiled
def points(walk: Walk, keys: Ints, scale: Floats) -> Floats:
    """Return the mixed strategies (len(keys), n) of vertices; ``scale`` as from :func:`polytope`. Moves the walk."""
    n = len(scale)
    found = np.zeros((len(keys), n))
    for k in range(len(keys)):
        restart(walk, keys[k])
        total = 0.0
        for i in range(len(walk.b)):
            label = walk.heads[i]
            if label < n:
                found[k, label] = max(walk.b[i], 0.0) * scale[label]
                total += found[k, label]
        for j in range(n):
            found[k, j] /= total
    return found


@compiled
def polytope(payoffs: Floats) -> tuple[Floats, Floats]:
    """Return the matrix M of {z >= 0: M z <= 1} for payoffs (own actions, the opponent's), and the scale.

    Each column is made to run from 0 to 1 (1 where it is constant), which moves no best response; the opponent's
    strategy is proportional to ``scale * z``.
    """
    m, n = payoffs.shape
    matrix, scale = np.empty((m, n)), np.empty(n)
    smallest = np.inf
    for j in range(n):
        least, most = payoffs[0, j], payoffs[0, j]
        for i in range(m):
            least, most = min(least, payoffs[i, j]), max(most, payoffs[i, j])
        scale[j] = most - least if most > least else 1.0
        smallest = min(smallest, scale[j])
        for i in range(m):
            matrix[i, j] = (payoffs[i, j] - least) / scale[j] if most > least else 1.0
    for j in range(n):
        scale[j] = smallest / scale[j]
    return matrix, scale


@compiled
def swapped(keys: Ints, m: int, n: int) -> Ints:
    """Return the masks with which the opponent's vertices complete those of a walk over an (m, n) matrix."""
    made = np.empty(len(keys), np.int64)
    for k in range(len(keys)):
        rest = ((1 << (m + n)) - 1) ^ keys[k]
        made[k] = (rest >> n) | (rest & ((1 << n) - 1)) << m
    return made


@compiled
def both(a: Floats, theirs: Floats, matches: Ints, limit: int) -> tuple[int, Ints, Floats, Floats]:
    """Return DONE, the masks of player 1, its strategies (k, n) and player 2's (k, m) of all equilibria.

    Or DOUBT, or MORE where there are more than ``limit`` vertices or more equilibria than ``matches`` holds. ``a`` is
    (n, m), ``theirs`` (m, n) are player 2's payoffs by its own actions first; n + m <= 62.
    """
    n, m = a.shape
    first, first_scale = polytope(theirs)
    second, second_scale = polytope(a)
    y = start(second)
    code, x = run(start(first), np.zeros(1, np.int64), matches, limit)
    count = 0
    if code == DONE:
        code, y = run(y, x.table, matches, limit)
        count = y.state[FOUND]
    if code == DONE and count % 2 == 0:  # a nondegenerate game has an odd number of equilibria
        code = DOUBT
    found = matches[: count if code == DONE else 0]
    keys = swapped(found, n, m)
    return code, keys, points(x, keys, first_scale), points(y, found, second_scale)
