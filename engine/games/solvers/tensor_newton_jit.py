"""Compiled twin of :func:`engine.games.solvers.tensor_newton.newton`, for regular supports."""

from __future__ import annotations

import numpy as np

from engine.games.games import Floats
from engine.games.jit import compiled
from engine.games.solvers.tensor_form import Ints
from engine.games.solvers.tensor_form_jit import contract, factor, substitute
from engine.games.solvers.tensor_newton import CLOSE, WILD


@compiled
def newton(tensors: Floats, sizes: Ints, starts: Ints, point: Floats, turns: int) -> bool:
    """Solve the equations of a full support from ``point``, in place; False where it fails or a matrix is singular."""
    width, count = point.size, sizes.size
    span = width + count
    matrix, values = np.empty((span, span)), np.empty(span)
    payoffs, levels = np.empty(width), np.zeros(count)
    order = np.empty(span, dtype=np.int64)
    for _ in range(turns):
        matrix[:] = 0.0
        contract(tensors, sizes, starts, point, payoffs, matrix)
        for player in range(count):
            begin, end = starts[player], starts[player + 1]
            matrix[begin:end, width + player] = -1.0
            matrix[width + player, begin:end] = 1.0
            values[begin:end] = payoffs[begin:end] - levels[player]
            values[width + player] = point[begin:end].sum() - 1.0
        if factor(matrix, order) == 0:
            return False
        substitute(matrix, order, values)
        point -= values[:width]
        levels -= values[width:]
        if not np.abs(point).max() <= WILD:
            return False
        if np.abs(values).max() <= CLOSE:
            return True
    return False
