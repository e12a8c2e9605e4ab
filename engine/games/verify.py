"""The independent check of every answer, in fp64, on the game as it was given.

What a solver says of itself counts for nothing: the gaps in results, plots and reports come from here.
Exploitability: Lanctot et al. (2017), "A unified game-theoretic approach to multiagent reinforcement learning".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.games.errors import GameError
from engine.games.games import BimatrixGame, FiniteGame, Floats, Game, MatrixGame, Profile


@dataclass(frozen=True, slots=True, eq=False)
class Gap:
    """How far a profile is from an equilibrium.

    ``nashconv`` is the sum of the ``regrets`` (players,), in payoff units; ``relative`` the same with each regret
    divided by its player's payoff range, which no affine rescaling changes; ``exploitability`` half of NashConv in
    zero-sum (and constant-sum) games of two players, None elsewhere; ``payoffs`` (players,).
    """

    nashconv: float
    relative: float
    exploitability: float | None
    regrets: Floats
    payoffs: Floats

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON-ready values."""
        return {
            "nashconv": self.nashconv,
            "relative_gap": self.relative,
            "exploitability": self.exploitability,
            "regrets": self.regrets.tolist(),
            "payoffs": self.payoffs.tolist(),
        }


def gap_of(game: Game, profile: Profile) -> Gap:
    """Return how far ``profile`` is from an equilibrium. Raises GameError when it is no profile of ``game``."""
    checked = game.check_profile(profile)
    regrets = game.regrets(checked)
    nashconv = float(regrets.sum())
    relative = float((regrets / game.ranges()).sum())
    exploitability = nashconv / 2 if _is_constant_sum(game) else None
    return Gap(nashconv, relative, exploitability, regrets, game.payoffs(checked))


def correlated_gap(game: FiniteGame, joint: Floats, *, coarse: bool) -> Gap:
    """Return how far a joint distribution, shape ``game.sizes``, is from a (coarse) correlated equilibrium.

    A regret is the most that a player gains by replacing recommendations (correlated), or by one action instead of
    all of them (coarse). Raises GameError when ``joint`` is no distribution over the game's outcomes.
    """
    tensor = game.to_tensor()
    given = np.asarray(joint, dtype=np.float64)
    if (
        given.shape != tensor.sizes
        or not np.isfinite(given).all()
        or given.min() < -1e-9
        or abs(given.sum() - 1) > 1e-7
    ):
        raise GameError("The distribution is none", f"it must be a distribution over {tensor.sizes} outcomes")
    given = np.maximum(given, 0.0)
    given = given / given.sum()
    regrets, payoffs = [], []
    for player, (payoff, level) in enumerate(zip(tensor.tensors, tensor.levelled().to_tensor().tensors, strict=True)):
        mass = np.moveaxis(given, player, 0).reshape(tensor.sizes[player], -1)
        gain = mass @ np.moveaxis(level, player, 0).reshape(tensor.sizes[player], -1).T  # [told, played]
        told = np.diag(gain)
        best = gain.sum(axis=0).max() - told.sum() if coarse else (gain.max(axis=1) - told).sum()
        regrets.append(max(0.0, float(best)))
        payoffs.append(float((given * payoff).sum()))
    found = np.array(regrets)
    return Gap(float(found.sum()), float((found / tensor.ranges()).sum()), None, found, np.array(payoffs))


def _is_constant_sum(game: Game) -> bool:
    if isinstance(game, MatrixGame):
        return True
    if not isinstance(game, BimatrixGame):
        return False
    total = game.a + game.b
    return bool(total.max() - total.min() <= 1e-12 * max(1.0, float(game.ranges().max())))
