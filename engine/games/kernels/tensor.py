"""Many games of n players at once: payoffs of all actions, and regrets, by one pass over each tensor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


def payoff_vectors(xp: Any, tensors: Any, profiles: Sequence[Any]) -> tuple[Any, ...]:
    """Contract each player's tensors with all strategies but its own.

    ``tensors`` (g, players, *sizes), ``profiles[i]`` (g, sizes[i]); returns one (g, sizes[i]) a player. Matrix products
    in batches do the work: the last axes first, as in :meth:`engine.games.games.TensorGame.payoff_vectors`, so that the
    whole tensor is read once a player and what remains is small.
    """
    games, players = tensors.shape[:2]
    sizes = tensors.shape[2:]
    found = []
    for player in range(players):
        left = tensors[:, player]
        for axis in range(players - 1, player, -1):
            left = xp.matmul(left.reshape(games, -1, sizes[axis]), profiles[axis][:, :, None])
        for axis in range(player):
            rest = math.prod(sizes[axis + 1 : player + 1])
            left = xp.matmul(profiles[axis][:, None, :], left.reshape(games, sizes[axis], rest))
        found.append(left.reshape(games, sizes[player]))
    return tuple(found)


def regrets(xp: Any, tensors: Any, profiles: Sequence[Any]) -> Any:
    """Return what each player of each game would gain by its best response, (g, players)."""
    vectors = payoff_vectors(xp, tensors, profiles)
    gained = [u.max(axis=1) - (x * u).sum(axis=1) for x, u in zip(profiles, vectors, strict=True)]
    return xp.maximum(xp.stack(gained, axis=1), 0.0)
