"""Federated averaging: the mean of all updates. One bad update can move it anywhere.

Source: McMahan, Moore, Ramage, Hampson, Agüera y Arcas, Communication-Efficient Learning of Deep Networks from
Decentralized Data, AISTATS 2017; trainers hold equally many texts here, so all weigh alike.
"""

from __future__ import annotations

import numpy as np

from engine.learning.updates.choice import Choice, mean_of
from engine.learning.updates.product import Products


def fedavg(updates: Products, byzantine: int) -> Choice:
    """Return the mean of all updates; ``byzantine`` has no part in it."""
    return mean_of(np.ones(len(updates), dtype=bool))
