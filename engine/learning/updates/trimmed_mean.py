"""Trimmed mean: of each number of the weight change, without the f largest and the f smallest.

Source: Yin, Chen, Ramchandran, Bartlett, Byzantine-Robust Distributed Learning: Towards Optimal Statistical Rates,
ICML 2018. Coordinates of the factors mean nothing by themselves, so it works on the dense product, target by target.
"""

from __future__ import annotations

import numpy as np

from engine.learning.updates.choice import Choice, TooFewError
from engine.learning.updates.product import Products


def required(n: int, byzantine: int) -> None:
    """Raise TooFewError unless something is left to average."""
    if n <= 2 * byzantine:
        raise TooFewError(f"n > 2f is needed: {n} <= 2 x {byzantine}")


def trimmed_mean(updates: Products, byzantine: int) -> Choice:
    """Return the mean of the middle n - 2f of each coordinate. Raises TooFewError where nothing is left."""
    n = len(updates)
    required(n, byzantine)
    blocks = tuple(np.sort(change, axis=0)[byzantine : n - byzantine].mean(axis=0) for change in updates.dense())
    return Choice(np.ones(n, dtype=bool), blocks=blocks)
