"""One equilibrium of each of many bimatrix games: the pure check, then Lemke-Howson on those that have no pure one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.games.games import Floats
from engine.games.kernels.module import Accelerator

CHECK_WARPS = 4
SMALL = 32  # labels up to which one warp pivots a game; else four
SHARED_MOST = 48 << 10  # shared memory from which on more warps of a game share the work


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Strategies ``x`` (g, n) and ``y`` (g, m), NaN where none was found; ``pivots`` (g,), 0 of pure ones."""

    x: Floats
    y: Floats
    pivots: NDArray[np.int64]


def shared_bytes(n: int, m: int) -> int:
    """Return the shared memory that Lemke-Howson takes for a game: two tableaux, scratch, labels."""
    numbers = m * (n + 1) + n * (m + 1) + 2 * (n + m) + 1
    return 8 * numbers + 4 * (4 * (n + m) + 1)


def fits(device: Accelerator, n: int, m: int) -> bool:
    """Return whether games of this shape can be pivoted on the device."""
    return shared_bytes(n, m) <= device.block_shared


def bytes_a_game(n: int, m: int) -> int:
    """Return how much memory one game takes: both payoffs thrice (given, picked, scaled) and scratch, strategies."""
    return 72 * n * m + 32 * (n + m) + 64


def solve_bimatrix(device: Accelerator, a: Floats, b: Floats | None, *, cap: int, attempts: int) -> Found:
    """Solve games of payoffs ``a`` and ``b``, both (g, n, m); without ``b`` they are zero-sum.

    ``attempts`` labels are dropped one after the other, each for at most ``cap`` pivots. Nothing is verified here.
    """
    with device.active():
        xp = device.xp
        first = xp.ascontiguousarray(xp.asarray(a, dtype=xp.float64))
        second = -first if b is None else xp.ascontiguousarray(xp.asarray(b, dtype=xp.float64))
        games, n, m = first.shape
        cells = device.to_host(pure_cells(device, first, second))
        x, y, pivots = np.full((games, n), np.nan), np.full((games, m), np.nan), np.zeros(games, np.int64)
        pure = np.flatnonzero(cells >= 0)
        x[pure], y[pure] = 0.0, 0.0
        x[pure, cells[pure] // m], y[pure, cells[pure] % m] = 1.0, 1.0
        rest = np.flatnonzero(cells < 0)
        if rest.size and fits(device, n, m):
            index = xp.asarray(rest)
            found = follow_paths(device, first[index], second[index], label=0, cap=cap, attempts=attempts)
            values_x, values_y, pivots[rest] = (device.to_host(part) for part in found)
            x[rest], y[rest] = _normalised(values_x), _normalised(values_y)
            pivots[rest] = np.where(pivots[rest] < 0, -1 - pivots[rest], pivots[rest])
        return Found(x, y, pivots)


def pure_cells(device: Accelerator, a: Any, b: Any) -> Any:
    """Return each game's first pure equilibrium by rows as ``row * m + column``, -1 where there is none."""
    games, n, m = a.shape
    found = device.xp.empty(games, device.xp.int32)
    arguments = (a, b, np.int32(games), np.int32(n), np.int32(m), found)
    grid = (-(-games // CHECK_WARPS), 1, 1)
    device.kernel("pure_check.cu", "pure_check")(grid, (32 * CHECK_WARPS, 1, 1), arguments, 8 * n * CHECK_WARPS)
    return found


def follow_paths(device: Accelerator, a: Any, b: Any, *, label: int, cap: int, attempts: int) -> tuple[Any, Any, Any]:
    """Return the values at the ends of the paths, zero where none ended, and the pivots (negative less one, then)."""
    xp = device.xp
    games, n, m = a.shape
    x, y, pivots = xp.empty((games, n)), xp.empty((games, m)), xp.empty(games, xp.int32)
    shared = shared_bytes(n, m)
    threads = 32 if n + m <= 2 * SMALL and shared <= SHARED_MOST else 128
    numbers = (np.int32(number) for number in (games, n, m, label, attempts, cap))
    arguments = (scaled(xp, a), scaled(xp, b), *numbers, x, y, pivots)
    device.kernel("lemke_howson.cu", f"lemke_howson<{threads}>")((games, 1, 1), (threads, 1, 1), arguments, shared)
    return x, y, pivots


def scaled(xp: Any, payoffs: Any) -> Any:
    """Return each game's payoffs in [1, 2], by a shift and a power of two: ties stay ties, and integers exact."""
    least, most = payoffs.min(axis=(1, 2), keepdims=True), payoffs.max(axis=(1, 2), keepdims=True)
    exponent = xp.where(most > least, xp.frexp(most - least)[1], 0)
    return (payoffs - least) * xp.ldexp(xp.ones(exponent.shape), xp.clip(-exponent, -1000, 1000)) + 1.0


def _normalised(values: Floats) -> Floats:
    """Return strategies; NaN where there are only zeros."""
    total = values.sum(axis=1, keepdims=True)
    return np.where(total > 0, values / np.where(total > 0, total, 1.0), np.nan)
