"""Compiled twin of :func:`engine.games.solvers.tensor_newton.newton`, for regular supports."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.games.games import Floats
from engine.games.jit import compiled
from engine.games.solvers.tensor_form import Ints
from engine.games.solvers.tensor_form_jit import contract, factor, substitute
from engine.games.solvers.tensor_newton import CLOSE, WILD


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
    for _ in range(turns):
        contract(tensors, sizes, starts, point, payoffs, slopes)
        matrix[:] = 0.0
        values[many:] = -1.0
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
        if factor(matrix, order) == 0:
            return False
        substitute(matrix, order, values)
        point[used] -= values[:many]
        levels -= values[many:]
        if not np.abs(point).max() <= WILD:
            return False
        if np.abs(values).max() <= CLOSE:
            return True
    return False
