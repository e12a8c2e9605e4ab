"""Multiplicative weights (Hedge) and their optimistic variant: actions grow by the exponential of what they pay.

MWU: Freund, Schapire (1999), "Adaptive game playing using multiplicative weights", with a rate that falls as
``rate / sqrt(t)``, so that no horizon need be known; averages converge in zero-sum games. OMWU: Rakhlin, Sridharan
(2013), "Optimization, learning, and games with predictable sequences"; the rate is constant and the last strategies
converge in zero-sum games (Daskalakis, Panageas 2019, "Last-iterate convergence: zero-sum games and constrained
min-max optimization").

An iteration of a player with payoffs u, their sum S, and start x_0:
1. ``S += u``; MWU: ``q = S``; OMWU expects the last payoffs again: ``q = S + u``.
2. ``x = x_0 exp(eta q)``, divided by its sum.

Parameters: ``rate`` (MWU 2, OMWU 1; payoffs have a range of one), ``average``, ``alternate`` as for regret matching.
"""

from __future__ import annotations

import numpy as np

from engine.games.games import FiniteGame, Floats
from engine.games.options import SolveOptions
from engine.games.results import Steps
from engine.games.solvers.learning import (
    FIRST,
    LAST,
    RATE,
    SECOND,
    TIME,
    VARIANT,
    WEIGHT,
    Dynamic,
    Learning,
    U,
    X,
    iterate,
    learn,
)

FALLING, OPTIMISTIC = 0, 1  # variants
NEVER = -1e300  # logarithm of a probability of zero, without infinities


def log_of(x: Floats) -> Floats:
    """Return the logarithms of probabilities, NEVER for zero."""
    return np.where(x > 0, np.log(np.where(x > 0, x, 1.0)), NEVER)


def softmax(logits: Floats) -> Floats:
    """Return the probabilities proportional to the exponentials."""
    raised = np.exp(np.maximum(logits - logits.max(), -800.0)) * (logits > NEVER / 2)
    return np.asarray(raised / raised.sum())


def update(state: Floats, numbers: Floats) -> None:
    """Let one player learn from its payoffs: the steps above."""
    state[FIRST] += state[U]
    if numbers[VARIANT] == OPTIMISTIC:
        state[X] = softmax(state[SECOND] + numbers[RATE] * (state[FIRST] + state[U]))
    else:
        state[X] = softmax(state[SECOND] + numbers[RATE] / np.sqrt(numbers[TIME] + 1.0) * state[FIRST])


def advance(run: Learning, count: int) -> None:
    """Iterate, compiled where there are two players."""
    if run.numbers[WEIGHT] == 0:
        for state in run.players:
            state[SECOND] = log_of(state[X])
    twin = run.twin()
    if twin is None:
        iterate(run, count, update)
        return
    from engine.games.solvers.weights_jit import weights_steps

    weights_steps(*twin, run.numbers, count, run.target)


MWU = Dynamic("multiplicative weights", advance, rate=2.0, stuck=True)
OMWU = Dynamic("optimistic weights", advance, LAST, rate=1.0, variant=OPTIMISTIC, stuck=True)


def mwu(game: FiniteGame, options: SolveOptions) -> Steps:
    """Multiplicative weights."""
    return learn(game, options, MWU)


def omwu(game: FiniteGame, options: SolveOptions) -> Steps:
    """Optimistic multiplicative weights."""
    return learn(game, options, OMWU)
