"""Compiled twin of ``undominated`` in :mod:`engine.games.solvers.vertices_search`: one player's turn of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.games.games import Floats
from engine.games.jit import compiled

Bools = NDArray[np.bool_]


@compiled
def drop(payoffs: Floats, own: Bools, others: Bools) -> bool:
    """Unmark the actions that another pure one strictly dominates; say whether there were any.

    ``payoffs`` (own actions, the others'); ``own`` and ``others`` mark the actions that are left.
    """
    changed = False
    for i in range(len(own)):
        for k in range(len(own)):
            better = own[i] and own[k]
            for j in range(len(others)):
                better = better and (not others[j] or payoffs[k, j] > payoffs[i, j])
                if not better:
                    break
            if better:
                own[i] = False
                changed = True
    return changed
