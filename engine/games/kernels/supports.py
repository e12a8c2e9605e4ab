"""All equilibria of many small bimatrix games: every pair of supports of equal size, a thread each.

That is all there are in nondegenerate games. Where a pair is too close to call the game is marked unsure, and an exact
method has to look at it (:mod:`engine.games.solvers.vertices`). The mark is cautious: payoffs that are small integers
make singular systems even where the game is not degenerate.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.games.errors import GameError
from engine.games.games import Floats
from engine.games.kernels.bimatrix import scaled
from engine.games.kernels.module import Accelerator

LARGEST = 8  # actions a player: a pair's system must fit into a thread's registers
THREADS = 128
GAMES_A_LAUNCH = 32_768
EXPECTED = 8  # equilibria a game for which room is made at first


@dataclass(frozen=True, slots=True, eq=False)
class AllFound:
    """Equilibria number k are of game ``game[k]``: ``x[k]`` (n,), ``y[k]`` (m,); ``unsure`` (g,) may have others.

    They are sorted by game, then by the size of the supports, then by the supports.
    """

    game: NDArray[np.int64]
    x: Floats
    y: Floats
    unsure: NDArray[np.bool_]


def equal_supports(device: Accelerator, a: Floats, b: Floats) -> AllFound:
    """Return all equilibria with supports of equal size of games ``a``, ``b``, both (g, n, m), n and m at most 8.

    Raises GameError for larger ones.
    """
    games, n, m = a.shape
    if max(n, m) > LARGEST:
        raise GameError("The games are too large", f"{n} x {m}; to {LARGEST} x {LARGEST} supports are tried on a GPU")
    parts = [
        _some(device, a[start : start + GAMES_A_LAUNCH], b[start : start + GAMES_A_LAUNCH], start)
        for start in range(0, games, GAMES_A_LAUNCH)
    ]
    return AllFound(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("game", "x", "y", "unsure")))


def sets_of(count: int, size: int) -> NDArray[np.uint32]:
    """Return all sets of ``size`` of ``count`` actions as bits, in lexicographic order."""
    return np.array([sum(1 << k for k in chosen) for chosen in combinations(range(count), size)], np.uint32)


def _some(device: Accelerator, a: Floats, b: Floats, start: int) -> AllFound:
    games, n, m = a.shape
    with device.active():
        xp = device.xp
        ours, theirs = (scaled(xp, xp.asarray(payoffs, dtype=xp.float64)) for payoffs in (a, b))
        unsure = xp.zeros(games, xp.int32)
        sizes: list[Any] = []
        found: list[Any] = []
        x: list[Any] = []
        y: list[Any] = []
        for size in range(1, min(n, m) + 1):
            one = _of_size(device, ours, theirs, size, unsure)
            for made, part in zip((found, x, y), one, strict=True):
                made.append(part)
            sizes.append(np.full(len(one[0]), size))
        pairs = np.concatenate(found)
        order = np.lexsort((pairs[:, 2], pairs[:, 1], np.concatenate(sizes), pairs[:, 0]))
        return AllFound(
            start + pairs[order, 0].astype(np.int64),
            np.concatenate(x)[order],
            np.concatenate(y)[order],
            device.to_host(unsure) > 0,
        )


def _of_size(device: Accelerator, a: Any, b: Any, size: int, unsure: Any) -> tuple[Any, Any, Any]:
    """Return the pairs found (k, 3), x (k, n) and y (k, m); launches again with more room where it did not suffice."""
    xp = device.xp
    games, n, m = a.shape
    kernel = device.kernel("support_pairs.cu", f"support_pairs<{size}>")
    rows, columns = (xp.asarray(sets_of(count, size)) for count in (n, m))
    grid = (-(-len(rows) * len(columns) // THREADS), games, 1)
    room = EXPECTED * games
    while True:
        count, doubts = xp.zeros(1, xp.int32), xp.zeros(games, xp.int32)
        found, x, y = xp.zeros((room, 3), xp.uint32), xp.zeros((room, n)), xp.zeros((room, m))
        sizes = (rows, np.int32(len(rows)), columns, np.int32(len(columns)), np.int32(room))
        arguments = (a, b, np.int32(n), np.int32(m), *sizes, count, doubts, found, x, y)
        kernel(grid, (THREADS, 1, 1), arguments, 16 * n * m)
        number = int(device.to_host(count)[0])
        if number <= room:
            unsure += doubts
            return tuple(device.to_host(part[:number]) for part in (found, x, y))
        room = number
