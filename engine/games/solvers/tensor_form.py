"""Payoff tensors as the solvers of n-player games want them, and the contractions that they all need.

Payoffs run from 0 to 1 for each player (an offset or a unit changes nothing), each tensor has its player's own axis
first, and players with a single action are left out. A profile is one flat vector, player after player.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.games.games import FiniteGame, Floats, Profile

Ints = NDArray[np.int64]
ROUNDING = "the payoffs are so large for their range that rounding alone leaves this gap"


@dataclass(frozen=True, slots=True, eq=False)
class TensorForm:
    """A normalised game of ``k`` players who have a choice; ``width`` is the number of their actions together.

    ``payoffs`` (k, outcomes): row i is player i's tensor, its own axis first, then the others' in order, flat.
    ``sizes`` (k,): actions. ``starts`` (k + 1,): where each player begins in a flat profile. ``players``: which players
    of the game these are, ``all_sizes`` the actions of all.
    """

    payoffs: Floats
    sizes: Ints
    starts: Ints
    players: tuple[int, ...]
    all_sizes: tuple[int, ...]

    @property
    def width(self) -> int:
        """Length of a flat profile."""
        return int(self.starts[-1])

    def uniform(self) -> Floats:
        """Return the centroid, flat."""
        return np.asarray(np.repeat(1.0 / self.sizes, self.sizes))

    def flatten(self, profile: Profile) -> Floats:
        """Return a profile of the game as a flat vector."""
        return np.concatenate([np.empty(0), *(profile[player] for player in self.players)])

    def profile(self, flat: Floats) -> Profile:
        """Return a flat vector as a profile of the game, cut at zero and summing to one."""
        made = [np.ones(1) for _ in self.all_sizes]
        for place, player in enumerate(self.players):
            part = np.maximum(flat[self.starts[place] : self.starts[place + 1]], 0.0)
            made[player] = part / part.sum()
        return tuple(made)


def tensor_form(game: FiniteGame) -> TensorForm:
    """Return the normalised form of a game that can be written as tensors."""
    tensors = game.to_tensor().tensors
    all_sizes = tensors[0].shape
    players = tuple(player for player, size in enumerate(all_sizes) if size > 1)
    sizes = np.array([all_sizes[player] for player in players], dtype=np.int64)
    payoffs = np.empty((len(players), tensors[0].size))
    for place, player in enumerate(players):
        tensor = np.moveaxis(tensors[player], player, 0).reshape(-1)
        low, high = float(tensor.min()), float(tensor.max())
        np.subtract(tensor, low, out=payoffs[place])
        payoffs[place] /= (high - low) or 1.0
    starts = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)]).astype(np.int64)
    return TensorForm(payoffs, sizes, starts, players, all_sizes)


def payoffs_and_jacobian(form: TensorForm, flat: Floats) -> tuple[Floats, Floats]:
    """Return every action's payoff, shape (width,), and its derivative by every probability, (width, width).

    Row j of the derivative holds, in the columns of another player, the payoff of action j against each of that
    player's actions when the rest play ``flat``; a player's own block is zero. One pass over each tensor: the axes of
    the others are contracted one by one, and what is left before each is met once more with the product of those after.
    """
    payoffs, jacobian = np.zeros(form.width), np.zeros((form.width, form.width))
    spans = [slice(int(a), int(b)) for a, b in zip(form.starts, form.starts[1:], strict=False)]
    for player, own in enumerate(spans):
        others = [spans[other] for other in range(len(spans)) if other != player]
        after = [np.ones(1)]
        for other in reversed(others[1:]):
            after.append(np.outer(flat[other], after[-1]).ravel())
        rest = form.payoffs[player].reshape(own.stop - own.start, -1)
        for other, weights in zip(others, reversed(after[: len(others)]), strict=True):
            rest = rest.reshape(rest.shape[0], other.stop - other.start, -1)
            jacobian[own, other] = rest @ weights
            rest = flat[other] @ rest
        payoffs[own] = rest.ravel()
    return payoffs, jacobian


def regrets_of(form: TensorForm, flat: Floats, payoffs: Floats) -> Floats:
    """Return what each player would gain by its best response, in units of its payoff range."""
    if not form.players:
        return np.zeros(1)
    best = np.maximum.reduceat(payoffs, form.starts[:-1])
    return np.asarray(np.maximum(best - np.add.reduceat(flat * payoffs, form.starts[:-1]), 0.0))
