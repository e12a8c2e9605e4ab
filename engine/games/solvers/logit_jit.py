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
    shares = np.exp(point[:width])
    payoffs = np.empty(width)
    contract(tensors, sizes, starts, shares, payoffs, matrix)
    for player in range(sizes.size):
        begin, end = starts[player], starts[player + 1]
        best = begin + np.argmax(point[begin:end])
        for j in range(begin, end):
            if j == best:
                continue
            values[j] = point[j] - point[best] - pace * (payoffs[j] - payoffs[best]) - prior[j] + prior[best]
            for c in range(width):
                matrix[j, c] = pace * (matrix[best, c] - matrix[j, c]) * shares[c]
            matrix[j, j] += 1.0
            matrix[j, best] -= 1.0
            matrix[j, width] = payoffs[best] - payoffs[j]
        values[best] = shares[begin:end].sum() - 1.0
        matrix[best] = 0.0
        matrix[best, begin:end] = shares[begin:end]


@compiled
def length(direction: Floats, point: Floats) -> float:
    """Return how long a direction is, seen from a point."""
    return float(np.sqrt(((direction / (1.0 + np.abs(point))) ** 2).sum()))


@compiled
def cosine(first: Floats, second: Floats, point: Floats) -> float:
    """Return the cosine of the angle between two directions, seen from a point."""
    dot = (first * second / (1.0 + np.abs(point)) ** 2).sum()
    return float(dot / (length(first, point) * length(second, point)))


@compiled
def correct(
    tensors: Floats, sizes: Ints, starts: Ints, prior: Floats, old: Floats, tangent: Floats, step: float, new: Floats
) -> tuple[bool, float, int]:
    """Predict along the tangent and correct by Newton into ``new``: the point, then its tangent.

    Returns whether this went well, how far the first correction went, and the sign of the determinant.
    """
    width = prior.size
    matrix, values = np.empty((width + 1, width + 1)), np.zeros(width + 1)
    order = np.empty(width + 1, dtype=np.int64)
    point = new[: width + 1]
    point[:] = old + step * tangent
    across = tangent / (1.0 + np.abs(old)) ** 2
    first, before = 0.0, 0.0
    for turn in range(MOST_TURNS):
        if point[:width].max() > 1.0 or point[width] < 0.0:
            return False, 2 * FAR, 0
        equations(tensors, sizes, starts, prior, point, values, matrix)
        values[width] = 0.0
        matrix[width] = across
        sign = factor(matrix, order)
        if sign == 0:
            return False, 2 * FAR, 0
        substitute(matrix, order, values)
        moved = 0.0
        for c in range(width + 1):
            moved = max(moved, abs(values[c]) / (1.0 + abs(point[c])))
            point[c] -= values[c]
        if turn == 0:
            first = moved
        if not moved <= FAR or (turn > 0 and moved > max(CONTRACT * before, CLOSE)):
            return False, first, sign
        if moved <= CLOSE:
            values[:] = 0.0
            values[width] = 1.0
            substitute(matrix, order, values)
            new[width + 1 :] = values / length(values, point)
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
                state[: 2 * span] = new
                state[2 * span + 1] = sign
                return BRANCHED, done + 1
            if step < SMALLEST_STEP:
                return STUCK, done
            state[2 * span] = step / 2.0
        state[: 2 * span] = new
        state[2 * span] = min(LONGEST_STEP, step * min(GROW, max(0.5, np.sqrt(AIM / max(first, 1e-12)))))
        if state[span - 1] >= until:
            return WENT_ON, done + 1
    return WENT_ON, steps
