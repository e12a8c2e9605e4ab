"""The compiled twin of the replicator dynamic for two players."""

from __future__ import annotations

import numpy as np

from engine.games.games import Floats
from engine.games.jit import compiled
from engine.games.solvers.learning import FIRST, RATE, U, X
from engine.games.solvers.learning_jit import count_in, is_near, multiply
from engine.games.solvers.replicator import SHARES, STAGES
from engine.games.solvers.weights import NEVER
from engine.games.solvers.weights_jit import write_softmax


@compiled
def probe(state: Floats, work: Floats, reach: float) -> None:
    """Write to ``work[2]`` the shares that ``reach`` times the slope ``work[0]`` leads to."""
    for i in range(state.shape[1]):
        work[1, i] = state[FIRST, i] + reach * work[0, i]
    write_softmax(work[1], work[2])


@compiled
def add(work: Floats, share: float, first: bool) -> None:
    """Add the slope ``work[0]`` times ``share`` to the move ``work[3]``, which begins with the first one."""
    for i in range(work.shape[1]):
        work[3, i] = share * work[0, i] + (0.0 if first else work[3, i])


@compiled
def move(state: Floats, work: Floats) -> None:
    """Add the move ``work[3]`` to the logarithms and write the shares."""
    top = NEVER
    for i in range(state.shape[1]):
        state[FIRST, i] += work[3, i]
        top = max(top, state[FIRST, i])
    for i in range(state.shape[1]):
        state[FIRST, i] = max(state[FIRST, i] - top, NEVER)
    write_softmax(state[FIRST], state[X])


@compiled
def replicator_steps(
    a: Floats, b: Floats, first: Floats, second: Floats, numbers: Floats, count: int, target: float
) -> None:
    """Do at most ``count`` steps of payoffs ``a`` (m, n) and ``b`` (n, m); stop at the target.

    Scratch rows: slope, logarithms, shares, the sum of slopes.
    """
    one, two = np.zeros((4, first.shape[1])), np.zeros((4, second.shape[1]))
    h = numbers[RATE]
    for _ in range(count):
        if is_near(first, second, numbers, target):
            return
        for stage in range(4):
            probe(first, one, h * STAGES[stage])
            probe(second, two, h * STAGES[stage])
            multiply(two[2], a, one[0])
            multiply(one[2], b, two[0])
            add(one, h / 6.0 * SHARES[stage], stage == 0)
            add(two, h / 6.0 * SHARES[stage], stage == 0)
        move(first, one)
        move(second, two)
        multiply(second[X], a, first[U])
        multiply(first[X], b, second[U])
        count_in(first, second, numbers)
