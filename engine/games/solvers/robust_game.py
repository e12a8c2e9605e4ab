"""What is left of a consensus game when the influence of outvoted agents is taken away.

Trimming works coordinate by coordinate on the ideal points. Agent i sorts those of the others, cuts the same weight
``cut_i`` off both ends, and what was cut is given to those who remain, in proportion: it minds the others as much as
before. Cutting weight rather than heads keeps the rule continuous where weights differ, and is the same where they do
not. Trimmed means: Dolev, Lynch, Pinter, Stark, Weihl (1986), "Reaching approximate agreement in the presence of
faults"; in networks LeBlanc, Zhang, Koutsoukos, Sundaram (2013), "Resilient asymptotic consensus in robust
networks"; by coordinate Yin, Chen, Ramchandran, Bartlett (2018), "Byzantine-robust distributed learning".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from engine.games.consensus import ConsensusGame
from engine.games.games import Floats, Game, Profile

MIDDLE = 1.0 - 1e-9  # share of half the weight that is cut at most: what is left then is the median
KEPT = 1 << 24  # numbers of influence that are kept, not made anew each time


def half_cut(influence: Floats) -> Floats:
    """Return the cuts (n,) that leave the weighted median."""
    return np.asarray(0.5 * MIDDLE * influence.sum(axis=1))


def byzantine_cut(influence: Floats, byzantine: int) -> Floats:
    """Return the cuts (n,) that ``byzantine`` agents cannot outweigh, whoever they are; at most the median's."""
    heaviest = np.sort(influence, axis=1)[:, max(0, len(influence) - byzantine) :]
    return np.asarray(np.minimum(heaviest.sum(axis=1), half_cut(influence)))


def remaining(influence: Floats, cut: Floats, points: Floats) -> Floats:
    """Return the influence (n, n) that remains when points (n,) are trimmed; rows add up as before."""
    order = np.argsort(points, kind="stable")
    sorted_ = influence[:, order]
    upto = np.cumsum(sorted_, axis=1)
    total = upto[:, -1:]
    low, high = cut[:, None], total - cut[:, None]
    kept = np.clip(upto, low, high) - np.clip(upto - sorted_, low, high)
    made = np.empty_like(influence)
    made[:, order] = kept
    return filled_up(made, influence)


def filled_up(left: Floats, influence: Floats) -> Floats:
    """Return ``left`` with its rows scaled to add up as those of ``influence``; empty rows stay empty."""
    rows, before = left.sum(axis=1), influence.sum(axis=1)
    return np.asarray(left * np.where(rows > 0, before / np.where(rows > 0, rows, 1.0), 0.0)[:, None])


@dataclass(frozen=True, eq=False)
class ReducedGame(Game):
    """The consensus game ``base`` with less influence: ``influence`` (n, n), or trimmed by ``cut`` (n,)."""

    kind: ClassVar[str] = "reduced consensus"
    base: ConsensusGame
    cut: Floats | None = None
    influence: Floats | None = None
    _held: list[tuple[slice, Floats]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "players", self.base.players)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Those of the game as given."""
        return self.base.sizes

    def parts(self) -> Iterable[tuple[slice, Floats]]:
        """Give blocks of coordinates and the influence (n, n) in each; kept from the first time on if not too large."""
        points = self.base.points
        if self.influence is not None:
            return [(slice(0, points.shape[1]), self.influence)]
        if self._held:
            return self._held
        cut = self.cut
        assert cut is not None
        made = ((slice(k, k + 1), remaining(self.base.influence, cut, points[:, k])) for k in range(points.shape[1]))
        if self.base.influence.size * points.shape[1] > KEPT:
            return made
        self._held.extend(made)
        return self._held

    def best_responses(self, positions: Floats) -> Floats:
        """Return what each agent would choose against the others' positions (n, d)."""
        weight = self._weight()
        best = positions.copy()
        for block, influence in self.parts():
            pull = self.base.confidence[:, None] * self.base.points[:, block] + influence @ positions[:, block]
            best[:, block] = pull / np.where(weight > 0, weight, 1.0)[:, None]
        return np.where(weight[:, None] > 0, best, positions)

    def regrets(self, profile: Profile) -> Floats:
        """Return each agent's weight times the squared distance to its best response."""
        positions = np.stack(profile)
        return np.asarray(self._weight() * ((positions - self.best_responses(positions)) ** 2).sum(axis=1))

    def payoffs(self, profile: Profile) -> Floats:
        """Return the negative costs."""
        x = np.stack(profile)
        costs = self.base.confidence * ((x - self.base.points) ** 2).sum(axis=1)
        for block, influence in self.parts():
            for k in range(x.shape[1])[block]:
                costs += (influence * (x[:, None, k] - x[None, :, k]) ** 2).sum(axis=1)
        return np.asarray(-costs)

    def ranges(self) -> Floats:
        """Return each agent's cost over the diagonal of the box around its point and all that have influence left.

        Liars far away do not widen it: what counts as close must not be theirs to say.
        """
        points = self.base.points
        low, high = points.copy(), points.copy()
        for block, influence in self.parts():
            heard = points[influence.any(axis=0), block]
            if len(heard):
                low[:, block] = np.minimum(low[:, block], heard.min(axis=0))
                high[:, block] = np.maximum(high[:, block], heard.max(axis=0))
        found = self._weight() * ((high - low) ** 2).sum(axis=1)
        return np.where(found > 0, found, 1.0)

    def shares(self) -> Floats:
        """Return how much of each agent's influence on the others is left, 1 for all of it, (n,)."""
        before, after = self.base.influence.sum(axis=0), np.zeros(len(self.base.points))
        for block, influence in self.parts():
            after += influence.sum(axis=0) * len(range(self.base.points.shape[1])[block]) / self.base.points.shape[1]
        return np.where(before > 0, after / np.where(before > 0, before, 1.0), 1.0)

    def check_profile(self, profile: Sequence[ArrayLike]) -> Profile:
        """Check as the game as given does."""
        return self.base.check_profile(profile)

    def _weight(self) -> Floats:
        return np.asarray(self.base.confidence + self.base.influence.sum(axis=1))
