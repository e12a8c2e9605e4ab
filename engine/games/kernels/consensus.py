"""Many consensus games of one shape: their equilibria by batched linear solves, and best responses by a kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.games.errors import GameError
from engine.games.games import Floats
from engine.games.kernels.module import Accelerator

THREADS = 128


def shared_bytes(n: int, d: int) -> int:
    """Return the shared memory of a game of n agents in d dimensions."""
    return 8 * (2 * n * d + n + THREADS // 32)


def best_responses(
    device: Accelerator, points: Floats, confidence: Floats, influence: Floats, start: Floats, sweeps: int
) -> tuple[Floats, Floats]:
    """Let all agents of each game answer the others at once, ``sweeps`` times from ``start``.

    Shapes (g, n, d), (g, n), (g, n, n), (g, n, d). Returns the positions and the largest step of the last sweep (g,).
    Raises GameError where a game does not fit into shared memory.
    """
    games, n, d = points.shape
    shared = shared_bytes(n, d)
    if shared > device.block_shared:
        raise GameError("The games are too large", f"{n} agents in {d} dimensions do not fit into shared memory")
    with device.active():
        xp = device.xp
        given = [xp.ascontiguousarray(xp.asarray(part, dtype=xp.float64)) for part in (points, confidence, influence)]
        positions, moved = xp.array(start, dtype=xp.float64, order="C"), xp.zeros(games)
        arguments = (*given, np.int32(n), np.int32(d), np.int32(sweeps), positions, moved)
        kernel = device.kernel("consensus.cu", "nash_equilibrium_kernel")
        kernel((games, 1, 1), (THREADS, 1, 1), arguments, shared)
        return device.to_host(positions), device.to_host(moved)


def solve_consensus(
    device: Accelerator, points: Floats, confidence: Floats, influence: Floats
) -> tuple[Floats, NDArray[np.bool_]]:
    """Solve ``(C + L) x = C p`` for each game, shapes as above: positions (g, n, d), and which are unique (g,).

    Where some agents are anchored to no ideal point, the equilibrium is not unique; those positions are NaN.
    """
    with device.active():
        xp = device.xp
        p, c, w = (xp.asarray(part, dtype=xp.float64) for part in (points, confidence, influence))
        unique = _anchored(c, w)
        eye = xp.eye(c.shape[1])
        system = eye * (c + w.sum(axis=2))[:, :, None] - w
        # Games without a unique answer must not spoil the batch: they become the identity.
        system = xp.where(unique[:, None, None], system, eye)
        found = xp.linalg.solve(system, c[:, :, None] * p)
        found = xp.where(unique[:, None, None], found, xp.nan)
        return device.to_host(found), device.to_host(unique)


def _anchored(confidence: Any, influence: Any) -> Any:
    """Return whether every agent minds somebody who minds ... somebody with an ideal point of weight."""
    reached = confidence > 0
    minds = influence > 0
    for _ in range(confidence.shape[1]):
        reached = reached | (minds & reached[:, None, :]).any(axis=2)
    return reached.all(axis=1)
