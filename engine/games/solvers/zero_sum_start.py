"""Predictive regret matching+ in fp32: in some hundred cheap iterations, a rough profile of a large matrix game.

Farina, Kroer and Sandholm (2021), "Faster game solving via predictive Blackwell approachability", section 6: players
alternate, quadratic averaging. The products with the matrix are in fp32, the averages in fp64. The gap is computed from
the whole matrix where it is told: products in fp32 would blur it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.games.games import Floats, Profile

Singles = NDArray[np.float32]
_FAR = 100.0  # times the spread of what the players can be sure of by pure strategies


class RoughPlay:
    """The state of the two players of a scaled game. Payoffs far from the value are cut off: a guess needs none."""

    def __init__(self, matrix: Floats, start: Profile | None = None) -> None:
        n, m = matrix.shape
        self._payoffs = (matrix - 1.5).clip(-_FAR, _FAR).astype(np.float32)
        self.x, self.y = np.full(n, 1.0 / n, np.float32), np.full(m, 1.0 / m, np.float32)
        self._regrets = (np.zeros(n, np.float32), np.zeros(m, np.float32))
        if start is not None:  # regrets in proportion to it make it what is played next
            self.x, self.y = (part.astype(np.float32) for part in start)
            self._regrets = (self.x.copy(), self.y.copy())
        self._foreseen = (np.zeros(n, np.float32), np.zeros(m, np.float32))
        self._sums = (np.zeros(n), np.zeros(m))
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
        weight = np.float32(self.iteration) ** 2
        for total, latest in zip(self._sums, (self.x, self.y), strict=True):
            total += weight * latest

    def average(self) -> tuple[Floats, Floats]:
        """Return the averaged profile."""
        x, y = self._sums
        return x / x.sum(), y / y.sum()

    def supports(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which actions are played noticeably now: more than a twentieth of a uniform share."""
        return self.x * (20 * len(self.x)) > 1.0, self.y * (20 * len(self.y)) > 1.0


def _match(regrets: Singles, else_keep: Singles) -> Singles:
    positive = np.maximum(regrets, 0.0)
    total = positive.sum()
    return positive / total if total > 0.0 else else_keep
