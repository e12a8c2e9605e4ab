"""The geometry of low-rank updates: norms, inner products and means of B A, computed on the factors.

Two trainers with the same B A may have quite different A and B, so all that compares or averages deltas works on the
product. With n updates of rank r, inner products cost (n r)^2 (in + out) a target and no matrix of size out x in is
made: <B1 A1, B2 A2> = sum((B1^T B2) * (A1 A2^T)). All in float64.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.learning.updates.delta import Delta, DeltaSpec

Array = NDArray[np.float64]
_SAME = 1e-13  # relative: squared distances below it are rounding


@dataclass(frozen=True, slots=True)
class Products:
    """n updates. By target: A of shape (n, rank, in), B of shape (n, out, rank) with the scale in it."""

    spec: DeltaSpec
    a: tuple[Array, ...]
    b: tuple[Array, ...]

    def __len__(self) -> int:
        return len(self.a[0])

    def __getitem__(self, rows: NDArray[Any]) -> Products:
        return Products(self.spec, tuple(a[rows] for a in self.a), tuple(b[rows] for b in self.b))

    def scaled(self, factors: Array) -> Products:
        """Return each update times its factor, (n,)."""
        return Products(self.spec, self.a, tuple(b * factors[:, None, None] for b in self.b))

    def dense(self) -> Iterator[Array]:
        """Yield by target the weight changes, (n, out, in)."""
        for a, b in zip(self.a, self.b, strict=True):
            yield b @ a


def products(deltas: Sequence[Delta], spec: DeltaSpec) -> Products:
    """Stack deltas of one form; at least one."""
    a = tuple(np.stack([delta[key][0] for delta in deltas]).astype(np.float64) for key, _, _ in spec.targets)
    b = tuple(
        np.stack([delta[key][1] for delta in deltas]).astype(np.float64) * spec.scale for key, _, _ in spec.targets
    )
    return Products(spec, a, b)


def gram(updates: Products) -> Array:
    """Return the inner products of the updates over all targets, (n, n)."""
    n, total = len(updates), np.zeros((len(updates),) * 2)
    for a, b in zip(updates.a, updates.b, strict=True):
        rank, out = b.shape[2], b.shape[1]
        rows = a.reshape(n * rank, -1)
        columns = b.transpose(1, 0, 2).reshape(out, n * rank)
        total += ((rows @ rows.T) * (columns.T @ columns)).reshape(n, rank, n, rank).sum(axis=(1, 3))
    return (total + total.T) / 2


def norms(updates: Products) -> Array:
    """Return the Frobenius norm of each update's weight change, (n,)."""
    squares = np.zeros(len(updates))
    for a, b in zip(updates.a, updates.b, strict=True):
        squares += ((a @ a.transpose(0, 2, 1)) * (b.transpose(0, 2, 1) @ b)).sum(axis=(1, 2))
    return np.sqrt(np.maximum(squares, 0.0))


def distances(inner: Array) -> Array:
    """Return squared distances from inner products, (n, n); what is only rounding is exactly 0."""
    squares = np.diag(inner)
    sums = squares[:, None] + squares[None, :]
    found = np.maximum(sums - 2 * inner, 0.0)
    found[found <= _SAME * sums] = 0.0
    return found


def clipped(updates: Products, limit: float) -> tuple[Products, Array]:
    """Return the updates with no norm above the limit, and the norms before. Source: Sun et al. 2019, norm clipping."""
    before = norms(updates)
    if (before <= limit).all():
        return updates, before
    return updates.scaled(np.minimum(1.0, limit / np.maximum(before, 1e-300))), before


def mean(updates: Products, weights: Array) -> Delta:
    """Return the weighted mean of the products, cut to rank r by the best approximation (Eckart and Young 1936).

    1. The sum of w B A is one product of factors side by side, of rank n r. 2. QR of both leaves a small core.
    3. Its SVD gives the r largest directions. Where n r is not below the sides of the matrix, that itself is smaller.
    """
    chosen = np.flatnonzero(weights)
    made, spec = {}, updates.spec
    for (key, out, inner), a, b in zip(spec.targets, updates.a, updates.b, strict=True):
        rows = a[chosen].reshape(-1, inner)
        columns = (b[chosen] * weights[chosen, None, None]).transpose(1, 0, 2).reshape(out, -1)
        if len(rows) >= min(out, inner):
            made[key] = shrunk(columns @ rows, spec)
            continue
        left, upper = np.linalg.qr(columns)
        right, lower = np.linalg.qr(rows.T)
        u, s, v = np.linalg.svd(upper @ lower.T)
        made[key] = _balanced(left @ u[:, : spec.rank], s[: spec.rank], v[: spec.rank] @ right.T, spec)
    return made


def shrunk(change: Array, spec: DeltaSpec) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the A and B of rank r nearest to a weight change, (out, in).

    The change is projected on the r first eigenvectors of its smaller Gram matrix: what an SVD gives, in a third of
    the time. That squares the condition number does no harm, since only the largest directions are kept.
    """
    if change.shape[0] < change.shape[1]:
        a, b = shrunk(change.T, spec)
        return np.ascontiguousarray(b.T), np.ascontiguousarray(a.T)
    _, vectors = np.linalg.eigh(change.T @ change)
    v = vectors[:, : -spec.rank - 1 : -1]
    u = change @ v
    s = np.linalg.norm(u, axis=0)
    return _balanced(u / np.where(s > 0, s, 1.0), s, v.T, spec)


def difference(first: Delta, second: Delta, spec: DeltaSpec) -> float:
    """Return how far two deltas' products lie apart, relative to the larger norm; 0 where both are zero."""
    inner = gram(products([first, second], spec))
    largest = float(max(inner[0, 0], inner[1, 1]))
    return float(np.sqrt(distances(inner)[0, 1] / largest)) if largest > 0 else 0.0


def _balanced(u: Array, s: Array, v: Array, spec: DeltaSpec) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return A and B with the singular values shared out alike and signs fixed by the largest entry of each u."""
    missing = spec.rank - len(s)  # a matrix narrower than the rank
    if missing > 0:
        u, v = np.pad(u, ((0, 0), (0, missing))), np.pad(v, ((0, missing), (0, 0)))
        s = np.pad(s, (0, missing))
    largest = u[np.abs(u).argmax(axis=0), np.arange(u.shape[1])]
    root = np.sqrt(s / spec.scale)
    b = u * (root * np.where(largest < 0, -1.0, 1.0))
    a = v * (root * np.where(largest < 0, -1.0, 1.0))[:, None]
    return a.astype(np.float32), b.astype(np.float32)
