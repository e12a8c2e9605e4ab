"""Predictive regret matching+ in fp32: in some hundred cheap iterations, a rough profile of a large matrix game.

Farina, Kroer and Sandholm (2021), "Faster game solving via predictive Blackwell approachability", section 6: players
alternate, quadratic averaging. The products with the matrix are in fp32, the averages in fp64 with the payoff vectors
beside them, so that the gap costs nothing more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.games.games import Floats, Profile
from engine.games.solvers.zero_sum_scale import gap_between, gap_in

Singles = NDArray[np.float32]
_FAR = 100.0  # times the spread of what the players can be sure of


class RoughPlay:
    """The state of the two players of a scaled game. Payoffs far from the value are cut off: a guess needs none."""

    def __init__(self, matrix: Floats, start: Profile | None = None) -> None:
        n, m = matrix.shape
        self._whole = matrix
        self._payoffs = (matrix - 1.5).astype(np.float32)
        self._cut = bool(np.abs(self._payoffs).max() > _FAR)
        if self._cut:
            self._payoffs.clip(-_FAR, _FAR, out=self._payoffs)
        begin = start or (np.full(n, 1.0 / n), np.full(m, 1.0 / m))
        self.x, self.y = (part.astype(np.float32) for part in begin)
        self._up = self._payoffs @ self.y
        self._regrets = (np.zeros(n, np.float32), np.zeros(m, np.float32))
        self._foreseen = (np.zeros(n, np.float32), np.zeros(m, np.float32))
        self._sums = (np.zeros(n), np.zeros(m))
        self._vectors = (np.zeros(n), np.zeros(m))
        self._weight = 0.0
        self.iteration = 0

    def step(self) -> None:
        """Do one iteration: player 1 moves, then player 2, who saw it."""
        (mine, theirs), (my_hope, their_hope) = self._regrets, self._foreseen
        self.x = _match(mine + my_hope, self.x)
        down = self.x @ self._payoffs
        np.subtract(self.y @ down, down, out=their_hope)
        np.maximum(theirs + their_hope, 0.0, out=theirs)
        self.y = _match(theirs + their_hope, self.y)
        up = self._payoffs @ self.y
        np.subtract(up, up @ self.x, out=my_hope)
        np.maximum(mine + my_hope, 0.0, out=mine)
        self.iteration += 1
        weight = float(self.iteration) ** 2
        self._weight += weight
        of_x, of_y = self._sums
        of_up, of_down = self._vectors
        for total, latest in ((of_x, self.x), (of_y, self.y), (of_up, up), (of_down, down)):
            total += np.float32(weight) * latest

    def average(self) -> tuple[tuple[Floats, Floats], float]:
        """Return the averaged profile and its gap."""
        x, y = (total / total.sum() for total in self._sums)
        if self._cut:
            return (x, y), gap_in(self._whole, (x, y))
        up, down = self.payoff_vectors()
        return (x, y), gap_between((x, y), up, down)

    def payoff_vectors(self) -> tuple[Floats, Floats]:
        """Return the averaged payoffs of the rows and of the columns, an offset left out."""
        up, down = self._vectors
        return up / self._weight, down / self._weight

    def supports(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which actions are played noticeably now: more than a twentieth of a uniform share."""
        return self.x * (20 * len(self.x)) > 1.0, self.y * (20 * len(self.y)) > 1.0


def _match(regrets: Singles, else_keep: Singles) -> Singles:
    positive = np.maximum(regrets, 0.0)
    total = positive.sum()
    return positive / total if total > 0.0 else else_keep
