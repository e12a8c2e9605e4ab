"""Substitution within one block of a triangular matrix, compiled."""

from __future__ import annotations

from engine.games.games import Floats
from engine.games.jit import compiled_ieee


@compiled_ieee
def downwards(factor: Floats, x: Floats, begin: int, end: int) -> None:
    """Solve with the block of a lower triangular ``factor`` for these rows of ``x`` (n, d), in place."""
    for i in range(begin, end):
        for k in range(begin, i):
            for c in range(x.shape[1]):
                x[i, c] -= factor[i, k] * x[k, c]
        for c in range(x.shape[1]):
            x[i, c] /= factor[i, i]


@compiled_ieee
def upwards(factor: Floats, x: Floats, begin: int, end: int) -> None:
    """Solve with the transpose of the block for these rows of ``x`` (n, d), in place."""
    for i in range(end - 1, begin - 1, -1):
        for c in range(x.shape[1]):
            x[i, c] /= factor[i, i]
        for k in range(begin, i):
            for c in range(x.shape[1]):
                x[k, c] -= factor[i, k] * x[i, c]
