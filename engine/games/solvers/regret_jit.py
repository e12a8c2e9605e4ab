"""The compiled twin of regret matching for two players: many iterations in one call."""

from __future__ import annotations

from engine.games.games import Floats
from engine.games.jit import compiled
from engine.games.solvers.learning import ALTERNATE, FIRST, VARIANT, U, X
from engine.games.solvers.learning_jit import count_in, is_near, multiply
from engine.games.solvers.regret import NOTHING, PLAIN, PREDICTIVE


@compiled
def update(state: Floats, variant: float) -> None:
    """Let one player learn from its payoffs."""
    size = state.shape[1]
    mine = 0.0
    for i in range(size):
        mine += state[X, i] * state[U, i]
    total = 0.0
    for i in range(size):
        regret = state[U, i] - mine
        kept = state[FIRST, i] + regret
        if variant != PLAIN:
            kept = max(kept, 0.0)
        state[FIRST, i] = kept
        total += max(kept + regret if variant == PREDICTIVE else kept, 0.0)
    if total <= NOTHING:
        return
    for i in range(size):
        wish = state[FIRST, i] + (state[U, i] - mine if variant == PREDICTIVE else 0.0)
        state[X, i] = max(wish, 0.0) / total


@compiled
def regret_steps(
    a: Floats, b: Floats, first: Floats, second: Floats, numbers: Floats, count: int, target: float
) -> None:
    """Do at most ``count`` iterations of payoffs ``a`` (m, n) and ``b`` (n, m); stop at the target."""
    for _ in range(count):
        if is_near(first, second, numbers, target):
            return
        update(first, numbers[VARIANT])
        if numbers[ALTERNATE]:
            multiply(first[X], b, second[U])
            update(second, numbers[VARIANT])
        else:
            update(second, numbers[VARIANT])
            multiply(first[X], b, second[U])
        multiply(second[X], a, first[U])
        count_in(first, second, numbers)
