"""Many polymatrix games of one shape at once: payoffs by one batched product, zero-sum ones by PRM+.

In zero-sum polymatrix games the averages of players without regret are an equilibrium: Cai and Daskalakis (2011), "On
minmax theorems for multiplayer games". In others they need not be, and the gaps say so.
"""

from __future__ import annotations

from typing import Any

from engine.games.games import Floats
from engine.games.kernels.module import Accelerator

FLOOR = 1e-30  # regrets are cut here, which stands for zero
CHECK = 64  # iterations from one look at the gaps to the next


def payoff_vectors(xp: Any, edges: Any, profiles: Any) -> Any:
    """Return every player's payoff of each action, (g, players, k).

    ``edges[:, i, j]`` (g, players, players, k, k) is what i gets from its game with j, ``profiles`` (g, players, k).
    """
    games, players, actions = profiles.shape
    return xp.matmul(_flat(edges), profiles.reshape(games, -1, 1)).reshape(games, players, actions)


def ranges(edges: Any) -> Any:
    """Return for each player the sum of its pairs' payoff ranges, 1 where that is nothing, (g, players)."""
    found = (edges.max(axis=(3, 4)) - edges.min(axis=(3, 4))).sum(axis=2)
    return found + (found == 0)


def solve_zero_sum_polymatrix(
    device: Accelerator, edges: Floats, *, epsilon: float, iterations: int
) -> tuple[Floats, Floats]:
    """Return averaged strategies (g, players, k) and their relative gaps (g,) after predictive regret matching+.

    Ends when every gap is at most ``epsilon``, or after so many iterations; all players move at once, averages are
    weighted by t^2, all in fp64. An edge from a player to itself must be zero.
    """
    with device.active():
        xp = device.xp
        given = xp.asarray(edges, dtype=xp.float64)
        games, players, _, actions, _ = given.shape
        spread = ranges(given)
        scale = spread.max(axis=1)[:, None, None]  # one for all players: sums must stay zero
        matrix = _flat(given)
        shape = (games, players, actions)
        regret, gain, total = xp.full(shape, FLOOR), xp.zeros(shape), xp.zeros(shape)
        average, gaps = total, xp.full(games, xp.inf)
        for t in range(1, iterations + 1):
            play = xp.maximum(regret + gain, FLOOR)
            play = play / play.sum(axis=2, keepdims=True)
            payoff = xp.matmul(matrix, play.reshape(games, -1, 1)).reshape(shape) / scale
            gain = payoff - (play * payoff).sum(axis=2, keepdims=True)
            regret = xp.maximum(regret + gain, FLOOR)
            total = total + float(t * t) * play
            if t % CHECK == 0 or t == iterations:
                average = total / total.sum(axis=2, keepdims=True)
                vectors = xp.matmul(matrix, average.reshape(games, -1, 1)).reshape(shape)
                regrets = xp.maximum(vectors.max(axis=2) - (average * vectors).sum(axis=2), 0.0)
                gaps = (regrets / spread).sum(axis=1)
                if float(gaps.max()) <= epsilon:
                    break
        return device.to_host(average), device.to_host(gaps)


def _flat(edges: Any) -> Any:
    """Return the edges as one matrix a game, (g, players k, players k)."""
    games, players, _, actions, _ = edges.shape
    return edges.transpose(0, 1, 3, 2, 4).reshape(games, players * actions, players * actions)
