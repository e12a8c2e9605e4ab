"""Agents with the same actions, each pair playing a matrix game: where play leads from given mixed strategies.

Optimistic multiplicative weights (see :mod:`engine.games.solvers.weights`), all agents at once as one product on the
device: the last strategies converge in zero-sum games and to strict equilibria. Where they settle on none, the exact
method for the game is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from engine.games.errors import GameError
from engine.games.games import BimatrixGame, FiniteGame, Floats, PolymatrixGame, regrets_from
from engine.games.options import SolveOptions
from engine.games.solve import solve
from engine.games.tensor_cores import Plan

if TYPE_CHECKING:
    import torch

ITERATIONS = 2000
LOOK = 20  # iterations from one look at the gap to the next
RATE = 1.0  # in payoffs of a range of one
STIR = 1e-3  # share of uniform play mixed into the start: an action with probability zero would never come back


class Play:
    """A game of n agents with k actions: ``start`` (n, k), ``payoffs`` (k, k) or (n, n, k, k)."""

    def __init__(self, start: Floats, payoffs: Floats, names: tuple[str, ...], dtype: torch.dtype) -> None:
        self.names = names
        self.count, self.actions = start.shape
        self.common = payoffs.ndim == 2
        self.payoffs = payoffs.copy()
        if not self.common:
            self.payoffs[np.arange(self.count), np.arange(self.count)] = 0.0
        self.start = _strategies(start, names, dtype)
        if self.common:
            one = float(payoffs.max() - payoffs.min()) * (self.count - 1)
            self.ranges = np.full(self.count, one or 1.0)
        else:
            each = self.payoffs.max(axis=(2, 3)) - self.payoffs.min(axis=(2, 3))
            self.ranges = np.where(each.sum(axis=1) > 0, each.sum(axis=1), 1.0)

    def vectors(self, x: Floats) -> Floats:
        """Return what every action pays every agent against the others' strategies, (n, k)."""
        if self.common:
            return np.asarray((x.sum(axis=0) - x) @ self.payoffs.T)
        return np.asarray(np.einsum("ijab,jb->ia", self.payoffs, x))

    def relative_gap(self, x: Floats) -> float:
        """Return NashConv, each regret by its agent's payoff range."""
        return float((regrets_from(tuple(x), tuple(self.vectors(x))) / self.ranges).sum())

    def nearest_best_response(self, own: int, tolerance: float) -> Floats:
        """Project the start of agent ``own`` on the actions within ``tolerance`` of the range from the best."""
        u = self.vectors(self.start)[own]
        best = u >= u.max() - tolerance * self.ranges[own]
        kept = np.where(best, self.start[own], 0.0)
        return np.asarray(kept + best * (1.0 - kept.sum()) / best.sum())

    def solve(self, device: str, plan: Callable[[torch.device], Plan], options: SolveOptions) -> tuple[Floats, bool]:
        """Return an equilibrium (n, k) and whether its gap is within epsilon."""
        if self.relative_gap(self.start) <= options.epsilon:
            return self.start, True
        found = self._played(device, plan, options.epsilon)
        gap = self.relative_gap(found)
        if gap <= options.epsilon:
            return found, True
        other = self._exact(options)
        exact = self.relative_gap(other)
        return (other, exact <= options.epsilon) if exact < gap else (found, False)

    def _exact(self, options: SolveOptions) -> Floats:
        """Ask the exact method for the game; where all pairs play the same, for an equilibrium alike for everybody.

        Such a one is the second player's strategy in any equilibrium of the payoffs against the identity matrix, since
        who imitates plays only what the other plays most, which are best answers to it (McLennan, Tourky (2010),
        "Simple complexity from imitation games", section 2).
        """
        if self.common:
            imitated = solve(BimatrixGame(self.payoffs, np.eye(self.actions)), options=options)
            return np.tile(imitated.equilibria[0].profile[1], (self.count, 1))
        return np.stack(solve(self._game(), options=options).equilibria[0].profile)

    def _played(self, device: str, plan: Callable[[torch.device], Plan], epsilon: float) -> Floats:
        """Play until the gap is small; return the last strategies."""
        import torch

        place = torch.device(device)
        dtype = getattr(torch, plan(place).dtype)
        middle = (self.payoffs.max() + self.payoffs.min()) / 2 if self.common else 0.0
        matrix = torch.as_tensor(self._matrix(middle), dtype=dtype, device=place)
        x = torch.as_tensor((1 - STIR) * self.start + STIR / self.actions, dtype=dtype, device=place)
        prior, total, last = x.log(), torch.zeros_like(x), torch.zeros_like(x)
        for iteration in range(ITERATIONS):
            if iteration % LOOK == 0:
                shown = x.double().cpu().numpy()
                shown = shown / shown.sum(axis=1, keepdims=True)
                if self.relative_gap(shown) <= epsilon:
                    break
            last = (x.sum(0) - x) @ matrix.T if self.common else (matrix @ x.reshape(-1)).reshape(x.shape)
            total = total + last
            logits = prior + RATE * (total + last)
            raised = (logits - logits.amax(1, keepdim=True)).exp()  # torch's softmax waits for threads, even this small
            x = raised / raised.sum(1, keepdim=True)
        return np.asarray(shown)

    def _matrix(self, middle: float) -> Floats:
        """Return the payoffs by range, (k, k), or (n k, n k) for all agents at once."""
        if self.common:
            return np.asarray((self.payoffs - middle) / self.ranges[0])
        centred = self.payoffs - (self.payoffs.max(axis=(2, 3)) + self.payoffs.min(axis=(2, 3)))[:, :, None, None] / 2
        centred = centred / self.ranges[:, None, None, None]
        size = self.count * self.actions
        return np.ascontiguousarray(centred.transpose(0, 2, 1, 3).reshape(size, size))

    def _game(self) -> FiniteGame:
        edges = {(i, j): self.payoffs[i, j] for i in range(self.count) for j in range(self.count) if i != j}
        if self.count == 2:
            return BimatrixGame(edges[0, 1], edges[1, 0].T)
        return PolymatrixGame((self.actions,) * self.count, edges)


def _strategies(rows: Floats, names: tuple[str, ...], dtype: torch.dtype) -> Floats:
    """Return rows that sum to one exactly, having allowed for the rounding of their type."""
    import torch

    slack = 4.0 * torch.finfo(dtype).eps * rows.shape[1] + 1e-7
    for name, row in zip(names, rows, strict=True):
        if row.min() < -slack or abs(float(row.sum()) - 1.0) > slack:
            raise GameError(
                f"The position of {name} is no mixed strategy",
                f"its {len(row)} numbers are to be probabilities and sum to one",
                "Leave the payoff matrix out where positions are points to agree on.",
            )
    kept = np.maximum(rows, 0.0)
    return np.asarray(kept / kept.sum(axis=1, keepdims=True))
