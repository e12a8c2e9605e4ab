"""Min/max decimation: at most two points a bucket, with exactly the envelope of the data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def decimate(x: Floats, y: Floats, buckets: int) -> tuple[Floats, Floats]:
    """Reduce a curve to the lowest and the highest point of each of ``buckets`` runs of points, in order of x.

    Every local extreme of a run survives, so the drawn curve covers the same pixels. Points that are not finite are
    left out; a curve of at most ``2 * buckets`` finite points comes back whole.
    """
    if buckets < 1:
        raise ValueError(f"needs at least one bucket, got {buckets}")
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if not np.isfinite(y).all():
        keep = np.isfinite(y)
        x, y = x[keep], y[keep]
    n = len(y)
    if n <= 2 * buckets:
        return x, y
    edges = np.linspace(0, n, buckets + 1).astype(np.intp)
    starts = edges[:-1]
    low, high = np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)
    # The first index that attains each extreme: positions of equality, cut at the bucket's start.
    run = np.repeat(np.arange(buckets), np.diff(edges))
    at_low, at_high = _first(y == low[run], starts), _first(y == high[run], starts)
    picked = np.sort(np.concatenate([at_low, at_high]))
    return x[picked], y[picked]


def _first(hits: NDArray[np.bool_], starts: NDArray[np.intp]) -> NDArray[np.intp]:
    positions = np.flatnonzero(hits)
    return positions[np.searchsorted(positions, starts)]


def span(arrays: Sequence[ArrayLike]) -> tuple[float, float]:
    """The least and the greatest finite value of several arrays; (0, 1) when there is none."""
    lows, highs = [], []
    for values in arrays:
        finite = np.asarray(values, dtype=np.float64)
        finite = finite[np.isfinite(finite)]
        if len(finite):
            lows.append(float(finite.min()))
            highs.append(float(finite.max()))
    return (min(lows), max(highs)) if lows else (0.0, 1.0)
