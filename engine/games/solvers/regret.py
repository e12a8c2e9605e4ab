"""Regret matching and its descendants: play in proportion to what one regrets not having played.

RM: Hart, Mas-Colell (2000), "A simple adaptive procedure leading to correlated equilibrium", section 4(c), with
expected payoffs. RM+: Tammelin (2014), "Solving large imperfect information games using CFR+". PRM+: Farina, Kroer,
Sandholm (2021), "Faster game solving via predictive Blackwell approachability", algorithm 3. Averages converge in
zero-sum games; of PRM+ with alternation the last strategies usually do too, and far faster, so the nearer is shown.

An iteration of a player with strategy x, payoffs u and regrets R:
1. ``r = u - x'u``; RM: ``R += r``; RM+ and PRM+: ``R = max(R + r, 0)``.
2. PRM+ expects r once more: ``Q = max(R + r, 0)``; the others ``Q = max(R, 0)``.
3. ``x = Q / sum(Q)``; x stays where nothing is regretted.

Parameters: ``average`` (0 last, 1 average, 2 the nearer one), ``alternate`` (0 or 1), ``power`` of the iteration that
weighs it in the average (RM 0, RM+ 1, PRM+ 2).
"""

from __future__ import annotations

import numpy as np

from engine.games.games import FiniteGame, Floats
from engine.games.options import SolveOptions
from engine.games.results import Steps
from engine.games.solvers.learning import FIRST, NEARER, VARIANT, Dynamic, Learning, U, X, iterate, learn

PLAIN, PLUS, PREDICTIVE = 0, 1, 2  # variants
NOTHING = 1e-14  # regrets that come to no more than rounding


def update(state: Floats, numbers: Floats) -> None:
    """Let one player learn from its payoffs: the steps above."""
    variant = numbers[VARIANT]
    regret = state[U] - state[X] @ state[U]
    state[FIRST] += regret
    if variant != PLAIN:
        state[FIRST] = np.maximum(state[FIRST], 0.0)
    wish = np.maximum(state[FIRST] + regret if variant == PREDICTIVE else state[FIRST], 0.0)
    total = wish.sum()
    if total > NOTHING:
        state[X] = wish / total


def advance(run: Learning, count: int) -> None:
    """Iterate, compiled where there are two players."""
    twin = run.twin()
    if twin is None:
        iterate(run, count, update)
        return
    from engine.games.solvers.regret_jit import regret_steps

    regret_steps(*twin, run.numbers, count, run.target)


RM = Dynamic("regret matching", advance)
RM_PLUS = Dynamic("regret matching+", advance, alternate=True, power=1.0, variant=PLUS)
PRM_PLUS = Dynamic("predictive RM+", advance, NEARER, alternate=True, power=2.0, variant=PREDICTIVE)


def rm(game: FiniteGame, options: SolveOptions) -> Steps:
    """Regret matching."""
    return learn(game, options, RM)


def rm_plus(game: FiniteGame, options: SolveOptions) -> Steps:
    """Regret matching+, alternating."""
    return learn(game, options, RM_PLUS)


def prm_plus(game: FiniteGame, options: SolveOptions) -> Steps:
    """Predictive regret matching+, alternating."""
    return learn(game, options, PRM_PLUS)
