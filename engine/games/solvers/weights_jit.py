"""The compiled twin of multiplicative weights for two players."""

from __future__ import annotations

import numpy as np

from engine.games.games import Floats
from engine.games.jit import compiled
from engine.games.solvers.learning import ALTERNATE, FIRST, RATE, SECOND, TIME, VARIANT, U, X
from engine.games.solvers.learning_jit import count_in, is_near, multiply
from engine.games.solvers.weights import NEVER, OPTIMISTIC


@compiled
def write_softmax(logits: Floats, out: Floats) -> None:
    """Write the probabilities proportional to the exponentials."""
    top = logits[0]
    for i in range(logits.size):
        top = max(top, logits[i])
    total = 0.0
    for i in range(logits.size):
        out[i] = np.exp(max(logits[i] - top, -800.0)) if logits[i] > NEVER / 2 else 0.0
        total += out[i]
    for i in range(logits.size):
        out[i] /= total


@compiled
def update(state: Floats, logits: Floats, numbers: Floats) -> None:
    """Let one player learn from its payoffs; ``logits`` is scratch."""
    optimistic = numbers[VARIANT] == OPTIMISTIC
    eta = numbers[RATE] if optimistic else numbers[RATE] / np.sqrt(numbers[TIME] + 1.0)
    for i in range(logits.size):
        state[FIRST, i] += state[U, i]
        expected = state[FIRST, i] + state[U, i] if optimistic else state[FIRST, i]
        logits[i] = state[SECOND, i] + eta * expected
    write_softmax(logits, state[X])


@compiled
def weights_steps(
    a: Floats, b: Floats, first: Floats, second: Floats, numbers: Floats, count: int, target: float
) -> None:
    """Do at most ``count`` iterations of payoffs ``a`` (m, n) and ``b`` (n, m); stop at the target."""
    one, two = np.empty(first.shape[1]), np.empty(second.shape[1])
    for _ in range(count):
        if is_near(first, second, numbers, target):
            return
        update(first, one, numbers)
        if numbers[ALTERNATE]:
            multiply(first[X], b, second[U])
            update(second, two, numbers)
        else:
            update(second, two, numbers)
            multiply(first[X], b, second[U])
        multiply(second[X], a, first[U])
        count_in(first, second, numbers)
