"""Compiled twin of the continuation in :mod:`engine.games.solvers.logit_reference`, where it is explained."""

from __future__ import annotations

import numpy as np

from engine.games.games import Floats
from engine.games.jit import compiled
from engine.games.solvers.logit_reference import (
    AIM,
    BRANCHED,
    CLOSE,
    CONTRACT,
    FAR,
    GROW,
    LONGEST_STEP,
    MOST_TURNS,
    SMALL_STEP,
    SMALLEST_STEP,
    STUCK,
    TURN,
    WENT_ON,
)
from engine.games.solvers.tensor_form import Ints
from engine.games.solvers.tensor_form_jit import contract, factor, substitute


@compiled
def equations(
    tensors: Floats, sizes: Ints, starts: Ints, prior: Floats, point: Floats, values: Floats, matrix: Floats
) -> None:
    """Write the equations' values (width,) and their derivative by the point (width, width + 1)."""
    width = prior.size
    pace = point[width]
    shares, payoffs = np.empty(width), np.empty(width)
    for j in range(width):
        shares[j] = np.exp(point[j])
    contract(tensors, sizes, starts, shares, payoffs, matrix)
    for player in range(sizes.size):
        begin, end = starts[player], starts[player + 1]
        best, total = begin, 0.0
        for j in range(begin, end):
            total += shares[j]
            if point[j] > point[best]:
                best = j
        for j in range(begin, end):
            if j == best:
                continue
            values[j] = point[j] - point[best] - pace * (payoffs[j] - payoffs[best]) - prior[j] + prior[best]
            for c in range(width):
                matrix[j, c] = pace * (matrix[best, c] - matrix[j, c]) * shares[c]
            matrix[j, j] += 1.0
            matrix[j, best] -= 1.0
            matrix[j, width] = payoffs[best] - payoffs[j]
        values[best] = total - 1.0
        for c in range(width + 1):
            matrix[best, c] = shares[c] if begin <= c < end else 0.0


@compiled
def length(direction: Floats, point: Floats) -> float:
    """Return how long a direction is, seen from a point."""
    total = 0.0
    for c in range(point.size):
        total += (direction[c] / (1.0 + abs(point[c]))) ** 2
    return float(np.sqrt(total))


@compiled
def cosine(first: Floats, second: Floats, point: Floats) -> float:
    """Return the cosine of the angle between two directions, seen from a point."""
    dot = 0.0
    for c in range(point.size):
        dot += first[c] * second[c] / (1.0 + abs(point[c])) ** 2
    return float(dot / (length(first, point) * length(second, point)))


@compiled
def correct(
    tensors: Floats, sizes: Ints, starts: Ints, prior: Floats, old: Floats, tangent: Floats, step: float, new: Floats
) -> tuple[bool, float, int]:
    """Predict along the tangent and correct by Newton into ``new``: the point, then its tangent.

    Returns whether this went well, how far the first correction went, and the sign of the determinant.
    """
    width = prior.size
    matrix, values = np.empty((width + 1, width + 1)), np.empty(width + 1)
    order = np.empty(width + 1, dtype=np.int64)
    point = new[: width + 1]
    for c in range(width + 1):
        point[c] = old[c] + step * tangent[c]
    first, before = 0.0, 0.0
    for turn in range(MOST_TURNS):
        if not (point[:width].max() <= 1.0 and point[width] >= 0.0):
            return False, 2 * FAR, 0
        equations(tensors, sizes, starts, prior, point, values, matrix)
        values[width] = 0.0
        for c in range(width + 1):
            matrix[width, c] = tangent[c] / (1.0 + abs(old[c])) ** 2
        sign = factor(matrix, order)
        if sign == 0:
            return False, 2 * FAR, 0
        substitute(matrix, order, values)
        moved = 0.0
        for c in range(width + 1):
            if not np.isfinite(values[c]):
                return False, 2 * FAR, 0
            moved = max(moved, abs(values[c]) / (1.0 + abs(point[c])))
            point[c] -= values[c]
        if turn == 0:
            first = moved
        if moved > FAR or (turn > 0 and moved > max(CONTRACT * before, CLOSE)):
            return False, first, sign
        if moved <= CLOSE:
            for c in range(width + 1):
                values[c] = 1.0 if c == width else 0.0
            substitute(matrix, order, values)
            scale = 1.0 / length(values, point)
            for c in range(width + 1):
                new[width + 1 + c] = scale * values[c]
            return True, first, sign
        before = moved
    return False, first, 0


@compiled
def advance(
    tensors: Floats, sizes: Ints, starts: Ints, prior: Floats, state: Floats, steps: int, until: float
) -> tuple[int, int]:
    """Go on by at most ``steps`` points, or to where lambda is ``until``, in place; return how it ended and how far."""
    span = prior.size + 1
    new = np.empty(2 * span)
    for done in range(steps):
        while True:
            old, tangent, step = state[:span], state[span : 2 * span], state[2 * span]
            well, first, sign = correct(tensors, sizes, starts, prior, old, tangent, step, new)
            smooth = well and cosine(tangent, new[span:], old) > TURN
            if smooth and sign == state[2 * span + 1]:
                break
            if smooth and step <= SMALL_STEP:
                _copy(new, state)
                state[2 * span + 1] = sign
                return BRANCHED, done + 1
            if step < SMALLEST_STEP:
                return STUCK, done
            state[2 * span] = step / 2.0
        _copy(new, state)
        state[2 * span] = min(LONGEST_STEP, step * min(GROW, max(0.5, np.sqrt(AIM / max(first, 1e-12)))))
        if state[span - 1] >= until:
            return WENT_ON, done + 1
    return WENT_ON, steps


@compiled
def _copy(source: Floats, target: Floats) -> None:
    for c in range(source.size):
        target[c] = source[c]
