"""Consensus games: agents with ideal points minimise a quadratic cost of being away from them and from each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from engine.games.errors import GameError
from engine.games.games import Floats, Game, Profile, payoff_array


@dataclass(frozen=True, eq=False)
class ConsensusGame(Game):
    """Agents with ideal points agree: agent i bears ``c_i |x_i - p_i|^2 + sum_j w_ij |x_i - x_j|^2``.

    ``points`` (n, d) are the ideal points, ``confidence`` (n,) and ``influence`` (n, n), its diagonal zero, are >= 0;
    weights that are not given are 1. Influence need not be symmetric: ``w_ij`` is how much i minds its distance from j.
    """

    kind: ClassVar[str] = "consensus"
    points: Floats
    confidence: Floats = field(default_factory=lambda: np.empty(0))
    influence: Floats = field(default_factory=lambda: np.empty((0, 0)))

    def __post_init__(self) -> None:
        points = payoff_array(self.points, 2, "ideal points")
        count = len(points)
        confidence = np.ones(count) if np.size(self.confidence) == 0 else payoff_array(self.confidence, 1, "confidence")
        influence = (
            np.ones((count, count)) - np.eye(count)
            if np.size(self.influence) == 0
            else payoff_array(self.influence, 2, "influence")
        )
        if confidence.shape != (count,) or influence.shape != (count, count):
            raise GameError(
                "The consensus game does not fit",
                f"{count} points, confidence of shape {confidence.shape}, influence of shape {influence.shape}",
            )
        if confidence.min() < 0 or influence.min() < 0 or np.diag(influence).any():
            raise GameError("The consensus game cannot be used", "a weight is negative or an agent influences itself")
        for name, value in (("points", points), ("confidence", confidence), ("influence", influence)):
            object.__setattr__(self, name, value)
        self._name_players(count)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The dimension d, once a player."""
        return (self.points.shape[1],) * len(self.points)

    def best_responses(self, positions: Floats) -> Floats:
        """Return what each agent would choose against the others' positions (n, d).

        An agent that minds nothing (no confidence, no influence) stays where it is.
        """
        weight = self.confidence + self.influence.sum(axis=1)
        pull = self.confidence[:, None] * self.points + self.influence @ positions
        return np.where(weight[:, None] > 0, pull / np.where(weight > 0, weight, 1.0)[:, None], positions)

    def regrets(self, profile: Profile) -> Floats:
        """Return how much cheaper each agent's best response is: its weight times the squared distance to it."""
        positions = np.stack(profile)
        away = ((positions - self.best_responses(positions)) ** 2).sum(axis=1)
        return np.asarray((self.confidence + self.influence.sum(axis=1)) * away)

    def payoffs(self, profile: Profile) -> Floats:
        """Return the negative costs."""
        x = np.stack(profile)
        apart = ((x[:, None, :] - x[None, :, :]) ** 2).sum(axis=2)
        return np.asarray(
            -(self.confidence * ((x - self.points) ** 2).sum(axis=1) + (self.influence * apart).sum(axis=1))
        )

    def ranges(self) -> Floats:
        """Return each agent's cost over the diagonal of the box around all points."""
        diameter = float(((self.points.max(axis=0) - self.points.min(axis=0)) ** 2).sum())
        found = (self.confidence + self.influence.sum(axis=1)) * diameter
        return np.where(found > 0, found, 1.0)

    def check_profile(self, profile: Sequence[ArrayLike]) -> Profile:
        """Return positions from outside."""
        made = tuple(np.asarray(point, dtype=np.float64) for point in profile)
        if tuple(point.shape for point in made) != tuple((size,) for size in self.sizes):
            raise GameError(
                "The profile does not fit", f"{len(self.sizes)} points of {self.sizes[0]} numbers are needed"
            )
        if not all(np.isfinite(point).all() for point in made):
            raise GameError("The profile cannot be used", "a position is not finite")
        return made
