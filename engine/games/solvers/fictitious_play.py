"""Fictitious play: everybody answers best to the average of what the others have played.

Brown (1951), "Iterative solution of games by fictitious play"; averages converge in zero-sum games (Robinson 1951, "An
iterative method of solving a game") and in some others, not in Shapley's (1964). Each iteration, all at once:
1. The payoffs of a player's actions against the others' averages; with two players the average of payoffs so far.
2. It plays the first of its best actions (payoffs within TIE count as equal).
3. The plays are averaged in; the start counts as the first.

With two players only the column of an opponent's action is read, so an iteration is O(n + m) in the compiled twin.
Parameter ``average``: 1 the averages, 0 the actions played last.
"""

from __future__ import annotations

import numpy as np

from engine.games.games import FiniteGame
from engine.games.options import SolveOptions
from engine.games.results import Steps
from engine.games.solvers.learning import FIRST, SU, TIME, WEIGHT, Dynamic, Learning, X, learn

TIE = 1e-12  # of the payoff range


def advance(run: Learning, count: int) -> None:
    """Iterate, compiled where there are two players."""
    if run.numbers[WEIGHT] == 0:
        run.add_up()
        run.numbers[TIME] = 0.0
    twin = run.twin()
    if twin is not None:
        from engine.games.solvers.fictitious_play_jit import fictitious_steps

        fictitious_steps(*twin, run.numbers, count, run.target)
        return
    for _ in range(count):
        if run.reached():
            return
        _expect(run)
        for state in run.players:
            best = int(np.argmax(state[FIRST] >= state[FIRST].max() - TIE))
            state[X] = 0.0
            state[X, best] = 1.0
        run.refresh(range(len(run.players)))
        run.add_up()


def _expect(run: Learning) -> None:
    """Write the payoffs against the averages to FIRST."""
    if run.table.linear:
        for state in run.players:
            state[FIRST] = state[SU] / run.numbers[WEIGHT]
        return
    for state, u in zip(run.players, run.table.vectors(run.mean()), strict=True):
        state[FIRST] = u


PLAY = Dynamic("fictitious play", advance)


def steps(game: FiniteGame, options: SolveOptions) -> Steps:
    """Fictitious play."""
    return learn(game, options, PLAY)
