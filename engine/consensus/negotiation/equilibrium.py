"""The game of a round: agents with ideal points, confidences and reputations, and its one equilibrium.

Agent i at y_i gets ``u_i = -c_i |y_i - x_i|^2 - kappa * sum_j w_j |y_i - y_j|^2``. With W the sum of weights and
S = sum_j w_j y_j, setting its gradient to zero gives ``(c_i + kappa W) y_i = c_i x_i + kappa S``. Multiplied by
``w_i / (c_i + kappa W)`` and added up, S / W is the mean of the ideals weighted by ``w_i c_i / (c_i + kappa W)``: all
in O(n d). It is the consensus game of :mod:`engine.games.consensus` with ``w_ij = kappa w_j``, which is how it is
checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.games.consensus import ConsensusGame
from engine.games.games import Floats
from engine.games.verify import gap_of

START_WEIGHT = 100  # the reputation with which agents begin; everybody's weight off chain


@dataclass(frozen=True, slots=True, eq=False)
class WeightedGame:
    """A round's game: ``ideals`` (n, d), ``confidences`` (n,) above 0, ``weights`` (n,) above 0, and kappa."""

    ideals: Floats
    confidences: Floats
    weights: Floats
    coupling: float

    def best_responses(self, positions: Floats) -> Floats:
        """Return what each agent would choose against the others' positions (n, d)."""
        own = self.weights[:, None] * positions
        pull = self.coupling * (own.sum(axis=0) - own)
        return np.asarray((self.confidences[:, None] * self.ideals + pull) / self._stiffness()[:, None])

    def there_and_back(self, positions: Floats) -> Floats:
        """Return the positions (n, d) after each agent moved to its best response, in the order of rows and back.

        One after another they lower a common potential each time, ``sum_i w_i c_i |y_i - x_i|^2 + kappa sum_{i<j} w_i
        w_j |y_i - y_j|^2``; all at once, agents of little confidence would swap places for long. Going back as well,
        nobody is better off for coming first.
        """
        back = WeightedGame(self.ideals[::-1], self.confidences[::-1], self.weights[::-1], self.coupling)
        return np.ascontiguousarray(back.in_turn(self.in_turn(positions)[::-1])[::-1])

    def in_turn(self, positions: Floats) -> Floats:
        """Return the positions (n, d) after each agent moved to its best response, in the order of rows."""
        w, stiffness = self.weights[:, None], self._stiffness()[:, None]
        anchors, grows = self.confidences[:, None] * self.ideals, 1.0 + self.coupling * w / stiffness
        # The sum S of w_j y_j after agent i is linear in the one before: all of them by one running sum.
        scale = np.cumprod(grows, axis=0)
        steps = (w * anchors / stiffness - grows * w * positions) / scale
        before = self.weights @ positions + np.cumsum(steps, axis=0) - steps
        sums = np.concatenate([np.ones((1, 1)), scale[:-1]]) * before
        return np.asarray((anchors + self.coupling * (sums - w * positions)) / stiffness)

    def gap(self, positions: Floats) -> float:
        """Return the largest relative regret: the squared way to a best response over the squared diagonal.

        The diagonal is that of the box around all ideals, as in ``ConsensusGame.ranges``; without one the regret
        itself counts.
        """
        away = ((positions - self.best_responses(positions)) ** 2).sum(axis=1)
        diagonal = self.diagonal() ** 2
        return float(away.max() / diagonal if diagonal > 0 else (self._stiffness() * away).max())

    def diagonal(self) -> float:
        """Return the length of the diagonal of the box around all ideals."""
        return float(np.linalg.norm(self.ideals.max(axis=0) - self.ideals.min(axis=0)))

    def consensus(self) -> Floats:
        """Return S / W at the equilibrium, (d,)."""
        pull = self.pulls()
        centre = self.ideals[0]  # an offset common to all must not cost digits
        return np.asarray(centre + pull @ (self.ideals - centre))

    def pulls(self) -> Floats:
        """Return each agent's share in the consensus, (n,), adding up to 1."""
        pull = self.weights * self.confidences / (self.confidences + self.coupling * self.weights.sum())
        return np.asarray(pull / pull.sum())

    def equilibrium(self) -> Floats:
        """Return where each agent stands at the equilibrium, (n, d)."""
        share = self.confidences / (self.confidences + self.coupling * self.weights.sum())
        middle = self.consensus()
        return np.asarray(middle + share[:, None] * (self.ideals - middle))

    def to_game(self) -> ConsensusGame:
        """Return the same game as engine.games knows it, for what checks it."""
        influence = np.tile(self.coupling * self.weights, (len(self.weights), 1))
        np.fill_diagonal(influence, 0.0)
        return ConsensusGame(self.ideals, self.confidences, influence)

    def verified_gap(self, positions: Floats) -> float:
        """Return the largest relative regret as :mod:`engine.games.verify` finds it, by another way than ``gap``."""
        game = self.to_game()
        found = gap_of(game, tuple(positions))
        return float((found.regrets / game.ranges()).max())

    def _stiffness(self) -> Floats:
        return np.asarray(self.confidences + self.coupling * (self.weights.sum() - self.weights))


def capped(weights: Sequence[int]) -> list[int]:
    """Return weights of which none is above a third of the sum given (at least 1): nobody decides alone."""
    limit = max(1, sum(weights) // 3)
    return [min(weight, limit) for weight in weights]
