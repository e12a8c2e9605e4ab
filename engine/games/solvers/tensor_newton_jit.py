"""Compiled twin of :func:`engine.games.solvers.tensor_newton.newton`, for regular supports."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.games.games import Floats
from engine.games.jit import compiled
from engine.games.solvers.tensor_form import Ints
from engine.games.solvers.tensor_form_jit import contract, factor, substitute
from engine.games.solvers.tensor_newton import CLOSE, NEAR, WILD


@compiled
def newton(tensors: Floats, sizes: Ints, starts: Ints, keep: NDArray[np.bool_], point: Floats, turns: int) -> bool:
    """Solve the equations of the support ``keep`` (width,) from ``point``, in place, which is zero outside of it.

    False where it fails or a matrix is singular.
    """
    width, count = point.size, sizes.size
    used = np.flatnonzero(keep)
    many = used.size
    slopes, payoffs, levels = np.empty((width, width)), np.empty(width), np.zeros(count)
    matrix, values = np.empty((many + count, many + count)), np.empty(many + count)
    order = np.empty(many + count, dtype=np.int64)
    before = 1.0
    for _ in range(turns):
        contract(tensors, sizes, starts, point, payoffs, slopes)
        _assemble(starts, used, point, payoffs, slopes, levels, matrix, values)
        if factor(matrix, order) == 0:
            return False
        substitute(matrix, order, values)
        for row in range(many + count):
            if not np.isfinite(values[row]):
                return False
        most, moved = 0.0, 0.0
        for row in range(many):
            point[used[row]] -= values[row]
            most = max(most, abs(point[used[row]]))
            moved = max(moved, abs(values[row]))
        for player in range(count):
            levels[player] -= values[many + player]
            moved = max(moved, abs(values[many + player]))
        if most > WILD:
            return False
        if moved <= CLOSE or (moved <= NEAR and moved > 0.25 * before):
            return True
        before = moved
    return False


@compiled
def _assemble(
    starts: Ints,
    used: Ints,
    point: Floats,
    payoffs: Floats,
    slopes: Floats,
    levels: Floats,
    matrix: Floats,
    values: Floats,
) -> None:
    """Write the equations: equal payoffs of the actions ``used``, and for each player a sum of one."""
    many = used.size
    for row in range(values.size):
        values[row] = -1.0
        for column in range(values.size):
            matrix[row, column] = 0.0
    player = 0
    for row in range(many):
        a = used[row]
        while a >= starts[player + 1]:
            player += 1
        for column in range(many):
            matrix[row, column] = slopes[a, used[column]]
        matrix[row, many + player] = -1.0
        matrix[many + player, row] = 1.0
        values[row] = payoffs[a] - levels[player]
        values[many + player] += point[a]
