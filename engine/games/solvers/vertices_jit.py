"""Compiled twin of :mod:`engine.games.solvers.vertices_search`: all vertices of one best-response polytope.

The same polytope and labels, but one tableau, taken depth first over the graph of the vertices: back by pivots or by a
fresh start from the labels, whichever is nearer. A hash table of label masks knows the vertices seen. What seems
degenerate is looked at afresh before it is a doubt; fresh starts now and then measure what rounding has done.
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
# The largest t_ij / b_i, in magnitude, of a vertex: the reciprocal of how near the next inequality is along an edge.
STEEP = 1e6  # worth a look; also how large numbers may be before pivots from there are not trusted any more
NEARLY = 1e8  # may be degenerate, by the rounding errors of some pivots
HOPELESS = 1e12  # may be degenerate even in a new tableau
DRIFT = 1e-9  # the rounding error of b that is still believed: b is between 0 and 1
_SINGULAR = 1e-13  # a pivot not larger than that is none
_REFRESH = 64  # pivots from one measurement of the rounding error to the next
_SLOTS = 1 << 11  # of the first table: enough for 8 x 8 actions
_SPREAD = 0x1E3779B97F4A7C15  # odd, of random bits: spreads neighbouring masks over the table


class Walk(NamedTuple):
    """Where a walk over the vertices of {z >= 0: M z <= 1} is; M is (m, n), label k < n is z_k, label n + i is row i.

    The dictionary ``x_B = b - T x_N`` of the vertex, with the variables of its rows and columns in ``heads`` and where
    each of them is in ``where``; the path to it, with for each level and column the label that is given up (``enter``)
    and the one that is met (``leave``), the next column to try, the one taken, and whether the numbers are too large to
    pivot on with; all vertices seen as label masks, with how often each was met; ``state``, by the places above.
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
    rough: Bytes
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
    cursor, taken, rough = np.zeros(most, np.uint8), np.zeros(most, np.uint8), np.zeros(most, np.uint8)
    table, counts = np.zeros(slots, np.int64), np.zeros(slots, np.uint8)
    floats, rows = np.empty(m + 2 * n), np.empty(n, np.int64)
    return Walk(matrix, t, b, heads, where, enter, leave, cursor, taken, rough, table, counts, state, floats, rows)


@compiled
def start(matrix: Floats) -> Walk:
    """Return a walk at the origin."""
    m, n = matrix.shape
    heads, where, state = np.empty(m + n, np.int64), np.empty(m + n, np.int64), np.zeros(5, np.int64)
    walk = room(matrix, np.empty((m, n)), np.empty(m), heads, where, state, _SLOTS)
    restart(walk, (1 << n) - 1)
    state[VISITED] = 1
    walk.table[-1 - find(walk.table, state[KEY])] = state[KEY]
    neighbours(walk.t, walk.b, heads, walk.floats, walk.rows, walk.enter[0], walk.leave[0])
    return walk


@compiled
def grown(walk: Walk) -> Walk:
    """Return the same walk with four times the room."""
    new = room(walk.matrix, walk.t, walk.b, walk.heads, walk.where, walk.state, 4 * len(walk.table))
    for k in range(walk.state[DEPTH] + 1):
        new.cursor[k], new.taken[k], new.rough[k] = walk.cursor[k], walk.taken[k], walk.rough[k]
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
    p = 1.0 / t[r, c] if t[r, c] != 0.0 else np.inf  # which is seen in b then
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
    if walk.rough[walk.state[DEPTH]] != 0:
        return not restart(walk, walk.state[KEY])
    for k in range(len(walk.floats)):
        walk.floats[k] = 0.0
    for i in range(m):
        walk.floats[walk.heads[i]] = walk.b[i]
    same = restart(walk, walk.state[KEY])
    for i in range(m):
        same = same and abs(walk.floats[walk.heads[i]] - walk.b[i]) <= DRIFT
    return not same


@compiled
def neighbours(t: Floats, b: Floats, heads: Ints, floats: Floats, rows: Ints, enter: Bytes, leave: Bytes) -> float:
    """Write for each column which label it gives up and which one it meets; return the largest t_ij / b_i.

    That is the ratio test: the least b_i / t_ij is the largest t_ij / b_i, which needs no look at signs; it is at
    least 1, edges being no longer than 1. Infinity is returned where there is no such vertex.
    """
    m, n = t.shape
    most, least = floats[:n], floats[n : 2 * n]
    for j in range(n):
        most[j], least[j] = 0.5, 0.0
        rows[j] = -1
    for i in range(m):
        if not b[i] > 0.0:
            return np.inf
        scale = 1.0 / b[i]
        for j in range(n):
            value = t[i, j] * scale
            larger = value > most[j]
            most[j] = value if larger else most[j]
            rows[j] = i if larger else rows[j]
        for j in range(n):  # apart from the other loop, so that both become vector instructions
            least[j] = t[i, j] * scale if t[i, j] * scale < least[j] else least[j]
    steepest = 1.0
    for j in range(n):
        if rows[j] < 0:
            return np.inf
        enter[j] = heads[m + j]
        leave[j] = heads[rows[j]]
        steepest = max(steepest, most[j], -least[j])
    return steepest


@compiled
def settled(walk: Walk, steepest: float) -> bool:
    """Look closer at a vertex with something nearly tight: False where it may be degenerate even in a new tableau."""
    at = walk.state[DEPTH]
    if not steepest < NEARLY:
        if not restart(walk, walk.state[KEY]):
            return False
        enter, leave = walk.enter[at], walk.leave[at]
        if not neighbours(walk.t, walk.b, walk.heads, walk.floats, walk.rows, enter, leave) < HOPELESS:
            return False
    largest = 0.0
    for i in range(walk.t.shape[0]):
        for j in range(walk.t.shape[1]):
            largest = max(largest, abs(walk.t[i, j]))
    walk.rough[at] = largest > STEEP
    return True


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
    met = True
    for slot in range(len(walk.table)):
        met = met and (walk.table[slot] == 0 or walk.counts[slot] == walk.t.shape[1])
    return met


@compiled
def advance(walk: Walk, other: Ints, matches: Ints, budget: int) -> int:
    """Visit up to ``budget`` more vertices. Return DONE, MORE, GROW (the arrays are too short) or DOUBT.

    ``other`` is the table of the opponent's finished walk (or a single zero), ``matches`` where to write the vertices
    that make an equilibrium with one of its; when it is full, MORE is returned.
    """
    _, t, b, heads, where, enter, leave, cursor, taken, rough, table, counts, state, floats, rows = walk
    m, n = t.shape
    ones, full = (1 << n) - 1, (1 << (m + n)) - 1
    for _ in range(budget):
        # 1. The next vertex nobody has seen, and the one of the path that it is next to.
        level, near, column, slot = unseen(enter, leave, cursor, taken, table, counts, state[DEPTH], state[KEY])
        if level < 0:
            return DONE if all_met(walk) and not drifted(walk) else DOUBT
        # 2. Back to that, by pivots or afresh, and on to the new one.
        afresh = state[DEPTH] - level > n
        for k in range(level, state[DEPTH] + 1):
            afresh = afresh or rough[k] != 0
        if (state[AGE] > _REFRESH and drifted(walk)) or (afresh and not restart(walk, near)):
            return DOUBT
        if not afresh:
            for k in range(state[DEPTH] - 1, level - 1, -1):
                pivot(t, b, heads, where, where[enter[k, taken[k]]], where[leave[k, taken[k]]] - m)
                state[AGE] += 1
        gone, met = np.int64(enter[level, column]), np.int64(leave[level, column])
        pivot(t, b, heads, where, where[met], where[gone] - m)
        state[KEY], state[AGE] = near ^ (1 << gone) ^ (1 << met), state[AGE] + 1
        if rough[level] != 0 and not restart(walk, state[KEY]):
            return DOUBT
        state[DEPTH], state[VISITED] = level + 1, state[VISITED] + 1
        table[slot], counts[slot], taken[level] = state[KEY], 1, column
        # 3. See which vertices are next to it.
        cursor[level + 1], rough[level + 1] = 0, 0
        steepest = neighbours(t, b, heads, floats, rows, enter[level + 1], leave[level + 1])
        if not steepest < STEEP and not settled(walk, steepest):
            return DOUBT
        # 4. Does it make an equilibrium?
        rest = full ^ state[KEY]
        if find(other, (rest >> n) | (rest & ones) << m) >= 0:
            matches[state[FOUND]] = state[KEY]
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
