"""Solve with a Cholesky factor: NumPy factors, but has nothing that goes on from there."""

from __future__ import annotations

import numpy as np

from engine.games.games import Floats

BLOCK = 64  # rows that are substituted one by one; what lies beside them is a product of matrices


def cholesky_solve(factor: Floats, right: Floats) -> Floats:
    """Return x with ``factor @ factor.T @ x = right``, (n,) or (n, d); ``factor`` (n, n) is lower triangular.

    1. Downwards: take from each block of rows what the rows above it give, then substitute within the block.
    2. Upwards with the transpose alike.
    """
    from engine.games.solvers.cholesky_jit import downwards, upwards

    factor, n = np.ascontiguousarray(factor), len(factor)
    x = np.array(right, np.float64, order="C").reshape(n, -1)
    blocks = [(begin, min(begin + BLOCK, n)) for begin in range(0, n, BLOCK)]
    for begin, end in blocks:
        x[begin:end] -= factor[begin:end, :begin] @ x[:begin]
        downwards(factor, x, begin, end)
    for begin, end in reversed(blocks):
        x[begin:end] -= factor[end:, begin:end].T @ x[end:]
        upwards(factor, x, begin, end)
    return x.reshape(right.shape)
