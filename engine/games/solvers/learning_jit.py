"""What the compiled twins of the learning dynamics share: payoffs, averages and gaps of two players.

Rows and numbers as in :mod:`engine.games.solvers.learning`.
"""

from __future__ import annotations

from engine.games.games import Floats
from engine.games.jit import compiled
from engine.games.solvers.learning import AVERAGE, LAST, MEAN, POWER, SU, SX, TIME, WEIGHT, U, X


@compiled
def multiply(x: Floats, matrix: Floats, out: Floats) -> None:
    """Write ``x @ matrix``, four rows at a time: as fast as a library, and what nobody plays costs nothing.

    Every column is added up in the same order whatever the processor, so that the bits are the same.
    """
    out[:] = 0.0
    whole = x.size - x.size % 4
    for j in range(0, whole, 4):
        a, b, c, d = x[j], x[j + 1], x[j + 2], x[j + 3]
        if a != 0.0 or b != 0.0 or c != 0.0 or d != 0.0:
            for i in range(out.size):
                out[i] += (a * matrix[j, i] + b * matrix[j + 1, i]) + (c * matrix[j + 2, i] + d * matrix[j + 3, i])
    for j in range(whole, x.size):
        for i in range(out.size):
            out[i] += x[j] * matrix[j, i]


@compiled
def regret_of(x: Floats, u: Floats, scale: float) -> float:
    """Return ``max(u) - x'u`` of sums that are to be divided by ``scale``."""
    best = u[0]
    mine = 0.0
    for i in range(u.size):
        best = max(best, u[i])
        mine += x[i] * u[i]
    gain: float = best / scale - mine / (scale * scale)
    return max(0.0, gain)


@compiled
def is_near(first: Floats, second: Floats, numbers: Floats, target: float) -> bool:
    """Say whether what is to be shown, last or average, has a relative gap of at most ``target``."""
    weight = numbers[WEIGHT]
    last = numbers[AVERAGE] != MEAN or weight == 0
    if last and regret_of(first[X], first[U], 1.0) + regret_of(second[X], second[U], 1.0) <= target:
        return True
    if numbers[AVERAGE] == LAST or weight == 0:
        return False
    return regret_of(first[SX], first[SU], weight) + regret_of(second[SX], second[SU], weight) <= target


@compiled
def count_in(first: Floats, second: Floats, numbers: Floats) -> None:
    """Average this iteration in."""
    numbers[TIME] += 1.0
    weight = numbers[TIME] ** numbers[POWER]
    numbers[WEIGHT] += weight
    for state in (first, second):
        for i in range(state.shape[1]):
            state[SX, i] += weight * state[X, i]
            state[SU, i] += weight * state[U, i]
