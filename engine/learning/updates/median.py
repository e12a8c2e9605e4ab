"""Median: the middle value of each number of the weight change; of two middle values their mean.

Source: Yin, Chen, Ramchandran, Bartlett, Byzantine-Robust Distributed Learning: Towards Optimal Statistical Rates,
ICML 2018. On the dense product, target by target.
"""

from __future__ import annotations

import numpy as np

from engine.learning.updates.choice import Choice
from engine.learning.updates.product import Products


def median(updates: Products, byzantine: int) -> Choice:
    """Return the median of each coordinate; it bears bad updates as long as they are fewer than half."""
    blocks = tuple(np.median(change, axis=0) for change in updates.dense())
    return Choice(np.ones(len(updates), dtype=bool), blocks=blocks)
