"""Replicator dynamics: shares of a population grow by how much better than the average they do.

Taylor, Jonker (1978), "Evolutionary stable strategies and game dynamics"; for several populations Weibull (1995),
"Evolutionary Game Theory", chapter 5. In logarithms y of the shares the flow ``x_i' = x_i (u_i - x'u)`` is
``y' = u(softmax(y))`` up to a constant, so a Runge-Kutta step of fourth order there never leaves the simplex:
1. ``k1 = u(y)``, ``k2 = u(y + h/2 k1)``, ``k3 = u(y + h/2 k2)``, ``k4 = u(y + h k3)``.
2. ``y += h/6 (k1 + 2 k2 + 2 k3 + k4)``, moved so that its largest entry is 0.

In zero-sum games the flow turns around the equilibrium for ever; its average over time converges. Parameters: ``rate``
the time step h (payoffs have a range of one), ``average``: 0 the shares now, 1 their average over time.
"""

from __future__ import annotations

import numpy as np

from engine.games.games import FiniteGame, Floats, Profile
from engine.games.options import SolveOptions
from engine.games.results import Steps
from engine.games.solvers.learning import FIRST, LAST, RATE, WEIGHT, Dynamic, Learning, X, learn
from engine.games.solvers.weights import NEVER, log_of, softmax

STAGES = (0.0, 0.5, 0.5, 1.0)
SHARES = (1.0, 2.0, 2.0, 1.0)


def advance(run: Learning, count: int) -> None:
    """Iterate, compiled where there are two players."""
    if run.numbers[WEIGHT] == 0:
        for state in run.players:
            state[FIRST] = log_of(state[X])
    twin = run.twin()
    if twin is not None:
        from engine.games.solvers.replicator_jit import replicator_steps

        replicator_steps(*twin, run.numbers, count, run.target)
        return
    for _ in range(count):
        if run.reached():
            return
        moves = _runge_kutta(run, tuple(state[FIRST] for state in run.players), float(run.numbers[RATE]))
        for state, move in zip(run.players, moves, strict=True):
            state[FIRST] += move
            state[FIRST] = np.maximum(state[FIRST] - state[FIRST].max(), NEVER)
            state[X] = softmax(state[FIRST])
        run.refresh(range(len(run.players)))
        run.add_up()


def _runge_kutta(run: Learning, logits: Profile, h: float) -> tuple[Floats, ...]:
    slopes: Profile = tuple(np.zeros_like(y) for y in logits)
    total = tuple(np.zeros_like(y) for y in logits)
    for stage, share in zip(STAGES, SHARES, strict=True):
        there = tuple(softmax(y + h * stage * k) for y, k in zip(logits, slopes, strict=True))
        slopes = run.table.vectors(there)
        total = tuple(sum_ + share * k for sum_, k in zip(total, slopes, strict=True))
    return tuple(h / 6.0 * sum_ for sum_ in total)


FLOW = Dynamic("the replicator dynamic", advance, LAST, rate=0.5, stuck=True)


def steps(game: FiniteGame, options: SolveOptions) -> Steps:
    """Follow the replicator flow."""
    return learn(game, options, FLOW)
