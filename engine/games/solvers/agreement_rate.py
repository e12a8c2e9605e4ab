"""How fast best responses converge in a consensus game: the spectral radius of ``(C + D)^-1 W``.

The matrix is not negative, so power iteration encloses its radius: for positive v it lies between the least and the
largest ``(T v)_i / v_i``. Source: Collatz (1942), "Einschliessungssatz für die charakteristischen Zahlen von
Matrizen". Where the bounds do not meet (several classes, periods, a second eigenvalue close by), all eigenvalues of
a game of moderate size are computed.
"""

from __future__ import annotations

import numpy as np

from engine.games.consensus import ConsensusGame
from engine.games.games import Floats

MEET = 1e-9  # how close the bounds must come
QUICK = 40  # iterations before eigenvalues are computed instead
EIGEN = 400  # agents up to which they are
SLOW = 1000  # iterations where they are not
WORK = 2e9  # multiplications that the rate may cost


def convergence_rate(game: ConsensusGame) -> float | None:
    """Return the factor by which distances shrink an iteration, in [0, 1]; None where it costs too much to find."""
    weight = game.confidence + game.influence.sum(axis=1)
    listening = weight > 0
    matrix = game.influence / np.where(listening, weight, 1.0)[:, None]
    if not listening.all():  # an agent that minds nothing stays where it is
        matrix[~listening, ~listening] = 1.0
    count = len(weight)
    limit = QUICK if count <= EIGEN else int(min(SLOW, WORK / count**2))
    found = _enclosed(matrix, limit)
    if found is None and count <= EIGEN:
        found = _largest_eigenvalue(matrix, weight, np.array_equal(game.influence, game.influence.T))
    return None if found is None else min(1.0, found)


def _enclosed(matrix: Floats, limit: int) -> float | None:
    v = np.ones(len(matrix))
    for _ in range(limit):
        u = matrix @ v
        if u.min() <= 0:
            return None
        ratio = u / v
        low, high = float(ratio.min()), float(ratio.max())
        if high - low <= MEET * high:
            return (low + high) / 2
        v = u / u.max()
    return None


def _largest_eigenvalue(matrix: Floats, weight: Floats, symmetric: bool) -> float:
    if symmetric and weight.min() > 0:
        root = np.sqrt(weight)
        return float(np.abs(np.linalg.eigvalsh(matrix * (root[:, None] / root))).max())
    return float(np.abs(np.linalg.eigvals(matrix)).max())
