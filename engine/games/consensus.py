"""Consensus games: agents with ideal points minimise a quadratic cost of being away from them and from each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from engine.games.errors import GameError
from engine.games.games import Floats, Game, Profile, payoff_array

MAX_COST = 1e290  # what costs may come to at most
BLOCK = 1 << 16  # numbers in one block of pairwise distances


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
    excluded: tuple[str, ...] = ()

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
        largest = float(np.abs(points).max()) ** 2 * points.size * float(confidence.max() + influence.max()) * count
        if largest > MAX_COST:
            raise GameError("The consensus game cannot be used", "its weights times squared distances are too large")
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
        costs = self.confidence * ((x - self.points) ** 2).sum(axis=1)
        rows = max(1, BLOCK // x.size)  # so many agents at a time: all pairs at once would not fit the memory
        for first in range(0, len(x), rows):
            own = slice(first, first + rows)
            apart = ((x[own, None, :] - x[None, :, :]) ** 2).sum(axis=2)
            costs[own] += (self.influence[own] * apart).sum(axis=1)
        return np.asarray(-costs)

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


def consensus_of(
    positions: Mapping[str, ArrayLike], *, confidence: Mapping[str, float] | None = None, title: str = ""
) -> ConsensusGame:
    """Return the game of agents who sent their ideal points by name, everybody minding everybody alike.

    Who sent NaN, infinity or a number beyond MAX_PAYOFF is left out and named in ``excluded``: one bad message must not
    stop the others. ``confidence`` is 1 where it is not given. Raises GameError when nobody is left or shapes differ.
    """
    points, bad = {}, []
    for name, position in positions.items():
        try:
            points[name] = payoff_array(np.ravel(np.asarray(position)), 1, f"position of {name}")
        except (GameError, TypeError, ValueError):
            bad.append(name)
    if not points:
        raise GameError("There is no consensus game", f"none of {len(positions)} agents sent a usable position")
    if len({point.size for point in points.values()}) > 1:
        lengths = ", ".join(f"{name} {point.size}" for name, point in points.items())
        raise GameError("The positions do not fit", f"their lengths differ: {lengths}")
    weights = np.array([(confidence or {}).get(name, 1.0) for name in points])
    return ConsensusGame(
        np.stack(list(points.values())), weights, title=title, players=tuple(points), excluded=tuple(bad)
    )
