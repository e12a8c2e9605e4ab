"""All equilibria in pure strategies, by inspection: outcomes in which everybody plays a best response, ties included.

An outcome is one exactly when, for each player, its payoff is the greatest along that player's axis. Payoffs are
compared as they were given, without a tolerance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.games.games import BimatrixGame, FiniteGame, Floats, MatrixGame, Profile, TensorGame
from engine.games.options import SolveOptions
from engine.games.results import Outcome, Step, Steps

_NUMBERS = 1 << 24  # of all profiles together that are answered: 128 MiB, where none is asked for
_MOST = 10_000


def pure_equilibria(*tensors: Floats) -> NDArray[np.int64]:
    """Return the actions of all pure equilibria, (count, players), in the order of the outcomes.

    ``tensors``: one payoff array a player, all of the same shape with an axis a player.
    """
    best = np.ones(tensors[0].shape, dtype=bool)
    for player, tensor in enumerate(tensors):
        best &= tensor == tensor.max(axis=player, keepdims=True)
    return np.argwhere(best)


def first_pure(a: Floats, b: Floats) -> tuple[int, int] | None:
    """Return row and column of the first pure equilibrium of a bimatrix game, by rows; None where there is none."""
    found = np.flatnonzero((a == a.max(axis=0)) & (b == b.max(axis=1, keepdims=True)))
    return None if found.size == 0 else divmod(int(found[0]), a.shape[1])


def steps(game: MatrixGame | BimatrixGame | TensorGame, options: SolveOptions) -> Steps:
    """Tell the equilibria one by one. Parameter ``limit``: at most so many are answered."""
    if isinstance(game, MatrixGame):
        found = pure_equilibria(game.a, -game.a)
    else:
        found = pure_equilibria(*((game.a, game.b) if isinstance(game, BimatrixGame) else game.tensors))
    size = sum(game.sizes)
    limit = int(options.parameters.get("limit", min(_MOST, max(1, _NUMBERS // size))))
    profiles = []
    for number, actions in enumerate(found[:limit], 1):
        profiles.append(as_profile(game, actions))
        yield Step(number, profiles[-1], 0.0, "pure")
    if not profiles:
        yield Step(1, game.uniform(), float(game.regrets(game.uniform()).sum()), "pure")
        return Outcome(iterations=1, message="no equilibrium is in pure strategies")
    if len(found) > len(profiles):
        message = f"{len(found)} outcomes are equilibria, these are the first {len(profiles)}"
        return Outcome(tuple(profiles), iterations=len(profiles), complete=False, message=message)
    return Outcome(tuple(profiles), iterations=len(profiles))


def as_profile(game: FiniteGame, actions: NDArray[np.int64]) -> Profile:
    """Return an outcome as mixed strategies."""
    profile = tuple(np.zeros(size) for size in game.sizes)
    for strategy, action in zip(profile, actions, strict=True):
        strategy[action] = 1.0
    return profile
