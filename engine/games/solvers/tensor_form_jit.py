"""Compiled twin of :func:`engine.games.solvers.tensor_form.payoffs_and_jacobian`."""

from __future__ import annotations

import numpy as np

from engine.games.games import Floats
from engine.games.jit import compiled
from engine.games.solvers.tensor_form import Ints


@compiled
def contract(tensors: Floats, sizes: Ints, starts: Ints, flat: Floats, payoffs: Floats, jacobian: Floats) -> None:
    """Write every action's payoff and its derivative by every probability.

    ``tensors`` (k, outcomes), ``payoffs`` (width,); ``jacobian`` may be larger than width x width, its corner is used.
    """
    count, outcomes = tensors.shape
    room, many = 1, 1
    for other in range(count - 1, 0, -1):
        many *= sizes[other]
        room += many
    left = np.zeros(outcomes // sizes.min())
    after = np.empty(room)
    begin = np.zeros(count, dtype=np.int64)
    length = np.ones(count, dtype=np.int64)
    for player in range(count):
        own, row = sizes[player], starts[player]
        for a in range(row, row + own):
            for b in range(row, row + own):
                jacobian[a, b] = 0.0
        _products(player, sizes, starts, flat, after, begin, length)
        rest = tensors[player]
        for other in range(count):
            if other != player:
                at, weights = starts[other], after[begin[other] :]
                block = jacobian[row : row + own, at : at + sizes[other]]
                _contract_axis(rest, own, length[other], flat[at : at + sizes[other]], weights, block, left)
                rest = left
        for a in range(own):
            payoffs[row + a] = rest[a]


@compiled
def _products(player: int, sizes: Ints, starts: Ints, flat: Floats, after: Floats, begin: Ints, length: Ints) -> None:
    """Write for each other player the product of the strategies of those who come after it, but for ``player``."""
    at, many = 0, 1
    after[0] = 1.0
    for other in range(sizes.size - 1, -1, -1):
        if other == player:
            continue
        begin[other], length[other] = at, many
        if other == 0 or (other == 1 and player == 0):
            break  # nobody comes before it
        for a in range(sizes[other]):
            weight = flat[starts[other] + a]
            for b in range(many):
                after[at + many + a * many + b] = weight * after[at + b]
        at += many
        many *= sizes[other]


@compiled
def _contract_axis(
    rest: Floats, own: int, length: int, x: Floats, weights: Floats, block: Floats, left: Floats
) -> None:
    """Contract the middle axis of ``rest`` (own, size, length) by ``x`` into ``left``, the last by ``weights``.

    One pass does both; ``left`` may be ``rest``. Four sums side by side keep the adders busy.
    """
    size = x.size
    fours = length - length % 4
    for a in range(own):
        to = left[a * length : (a + 1) * length]
        for c in range(size):
            begin = (a * size + c) * length
            line = rest[begin : begin + length]
            weight = x[c]
            keep = 0.0 if c == 0 else 1.0
            s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
            for b in range(0, fours, 4):
                v0, v1, v2, v3 = line[b], line[b + 1], line[b + 2], line[b + 3]
                s0 += weights[b] * v0
                s1 += weights[b + 1] * v1
                s2 += weights[b + 2] * v2
                s3 += weights[b + 3] * v3
                to[b] = keep * to[b] + weight * v0
                to[b + 1] = keep * to[b + 1] + weight * v1
                to[b + 2] = keep * to[b + 2] + weight * v2
                to[b + 3] = keep * to[b + 3] + weight * v3
            for b in range(fours, length):
                v0 = line[b]
                s0 += weights[b] * v0
                to[b] = keep * to[b] + weight * v0
            block[a, c] = (s0 + s1) + (s2 + s3)


@compiled
def factor(matrix: Floats, order: Ints) -> int:
    """Factor a square matrix in place, P A = L U, rows chosen by partial pivoting; return the determinant's sign."""
    size = matrix.shape[0]
    sign = 1
    for k in range(size):
        best = k
        for row in range(k + 1, size):
            if abs(matrix[row, k]) > abs(matrix[best, k]):
                best = row
        order[k] = best
        if best != k:
            sign = -sign
            for c in range(size):
                matrix[k, c], matrix[best, c] = matrix[best, c], matrix[k, c]
        pivot = matrix[k, k]
        if not abs(pivot) > 0.0 or not np.isfinite(pivot):
            return 0
        if pivot < 0.0:
            sign = -sign
        for row in range(k + 1, size):
            ratio = matrix[row, k] / pivot
            if ratio != 0.0:
                matrix[row, k] = ratio
                line, top = matrix[row, k + 1 :], matrix[k, k + 1 :]
                for c in range(line.size):
                    line[c] -= ratio * top[c]
    return sign


@compiled
def substitute(matrix: Floats, order: Ints, values: Floats) -> None:
    """Solve the factored system in place."""
    size = values.size
    for k in range(size):
        other = order[k]
        values[k], values[other] = values[other], values[k]
    for row in range(size):
        total = values[row]
        for c in range(row):
            total -= matrix[row, c] * values[c]
        values[row] = total
    for row in range(size - 1, -1, -1):
        total = values[row]
        for c in range(row + 1, size):
            total -= matrix[row, c] * values[c]
        values[row] = total / matrix[row, row]
