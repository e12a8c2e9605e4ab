"""The compiled twin of fictitious play for two players."""

from __future__ import annotations

from engine.games.games import Floats
from engine.games.jit import compiled
from engine.games.solvers.fictitious_play import TIE
from engine.games.solvers.learning import SU, WEIGHT, U, X
from engine.games.solvers.learning_jit import count_in, is_near


@compiled
def answer(state: Floats, weight: float) -> int:
    """Play the first of the best actions against the average and return it."""
    best = state[SU, 0]
    for i in range(state.shape[1]):
        best = max(best, state[SU, i])
        state[X, i] = 0.0
    for i in range(state.shape[1]):
        if state[SU, i] / weight >= best / weight - TIE:
            state[X, i] = 1.0
            return i
    return 0


@compiled
def fictitious_steps(
    a: Floats, b: Floats, first: Floats, second: Floats, numbers: Floats, count: int, target: float
) -> None:
    """Do at most ``count`` iterations of payoffs ``a`` (m, n) and ``b`` (n, m); stop at the target."""
    for _ in range(count):
        if is_near(first, second, numbers, target):
            return
        row = answer(first, numbers[WEIGHT])
        column = answer(second, numbers[WEIGHT])
        for i in range(first.shape[1]):
            first[U, i] = a[column, i]
        for j in range(second.shape[1]):
            second[U, j] = b[row, j]
        count_in(first, second, numbers)
