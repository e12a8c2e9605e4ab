"""Multi-Krum: the mean of the n - f updates of the lowest Krum scores.

Source: Blanchard et al. 2017 (see :mod:`engine.learning.updates.krum`), with m = n - f as in their experiments: with no
bad update all are averaged.
"""

from __future__ import annotations

import numpy as np

from engine.learning.updates.choice import Choice, mean_of
from engine.learning.updates.krum import ranking, scores
from engine.learning.updates.product import Products, distances, gram


def multi_krum(updates: Products, byzantine: int) -> Choice:
    """Return the mean of the n - f best; whether n allows that f is for :func:`krum.required` to say."""
    found = scores(distances(gram(updates)), byzantine)
    chosen = np.zeros(len(updates), dtype=bool)
    chosen[ranking(found)[: len(updates) - byzantine]] = True
    return mean_of(chosen, found)
