"""Krum: the one update that lies closest to its neighbours.

Source: Blanchard, El Mhamdi, Guerraoui, Stainer, Machine Learning with Adversaries: Byzantine Tolerant Gradient
Descent, NeurIPS 2017. It bears f bad updates among n where 2f + 2 < n, that is n >= 2f + 3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.learning.updates.choice import Choice, TooFewError, mean_of
from engine.learning.updates.product import Array, Products, distances, gram

_DIGITS = 12  # scores that agree so far are equal: then the lower trainer comes first


def required(n: int, byzantine: int) -> None:
    """Raise TooFewError unless n >= 2f + 3. With f = 0 there is nothing to bear and any n does."""
    if byzantine > 0 and n < 2 * byzantine + 3:
        raise TooFewError(f"n >= 2f + 3 is needed: {n} < 2 x {byzantine} + 3 = {2 * byzantine + 3}")


def scores(squared: Array, byzantine: int) -> Array:
    """Return each update's sum of squared distances to its n - f - 2 nearest others, (n,), from distances (n, n)."""
    n = len(squared)
    nearest = min(max(n - byzantine - 2, 1), n - 1)
    others = squared[~np.eye(n, dtype=bool)].reshape(n, n - 1)
    found: Array = np.sort(others, axis=1)[:, :nearest].sum(axis=1)
    return found


def ranking(found: Array) -> NDArray[np.intp]:
    """Return the updates' numbers from the best score to the worst; equal scores keep their order."""
    unit = float(found.max(initial=0.0)) or 1.0
    return np.argsort(np.round(found / unit, _DIGITS), kind="stable")


def krum(updates: Products, byzantine: int) -> Choice:
    """Return the update of the lowest score; whether n allows that f is for :func:`required` to say."""
    found = scores(distances(gram(updates)), byzantine)
    chosen = np.zeros(len(updates), dtype=bool)
    chosen[ranking(found)[0]] = True
    return mean_of(chosen, found)
