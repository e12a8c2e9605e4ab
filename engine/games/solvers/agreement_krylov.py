"""The linear system of a large consensus game by Krylov iteration: all right-hand sides side by side.

Symmetric influence: conjugate gradients; Hestenes, Stiefel (1952), "Methods of conjugate gradients for solving linear
systems", section 3, with the diagonal as preconditioner. Otherwise BiCGSTAB; van der Vorst (1992), "Bi-CGSTAB: a fast
and smoothly converging variant of Bi-CG", algorithm 3.1. Every column has scalars of its own; a column that is done
stands still. NashConv of an iterate follows from its residual r (rows scaled to diagonal 1) alone: agent i's regret is
``(c_i + sum_j w_ij) |r_i|^2``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from engine.games.games import Floats
from engine.games.solvers.sparse import SparseRows

SPARSE = 0.1  # share of influences that are not zero up to which they are kept as a sparse matrix
ACCURACY = 1e-13  # of a column's residual, relative to its right-hand side
_TINY = 1e-300
Apply = Callable[[Floats], Floats]


def operator(weight: Floats, influence: Floats) -> Apply:
    """Return ``x -> x - D^-1 W x``, the system with every row scaled to diagonal 1."""
    few = np.count_nonzero(influence) < SPARSE * influence.size
    held = SparseRows.of(influence) if few else influence
    return lambda x: np.asarray(x - (held @ x) / weight[:, None])


def conjugate_gradients(apply: Apply, weight: Floats, right: Floats, x: Floats) -> Iterator[tuple[Floats, Floats]]:
    """Yield iterates and residuals (n, d) of ``apply(x) = right``; ``weight * apply`` must be symmetric.

    In the inner product weighted by ``weight`` the scaled system is symmetric, which is what the diagonal
    preconditioner does to the plain one.
    """
    inner = weight[:, None]
    r = right - apply(x)
    p, square = r, (inner * r * r).sum(axis=0)
    goal = ACCURACY**2 * np.maximum((inner * right * right).sum(axis=0), _TINY)
    while (square > goal).any():
        ap = apply(p)
        alpha = _ratio(square, (inner * p * ap).sum(axis=0), square > goal)
        x, r = x + alpha * p, r - alpha * ap
        yield x, r
        last, square = square, (inner * r * r).sum(axis=0)
        p = r + _ratio(square, last, square > goal) * p


def bicgstab(apply: Apply, right: Floats, x: Floats) -> Iterator[tuple[Floats, Floats]]:
    """Yield iterates and residuals (n, d) of ``apply(x) = right``."""
    r = right - apply(x)
    shadow, p = r, r
    rho = (shadow * r).sum(axis=0)
    goal = ACCURACY**2 * np.maximum((right * right).sum(axis=0), _TINY)
    open_ = (r * r).sum(axis=0) > goal
    while open_.any():
        v = apply(p)
        alpha = _ratio(rho, (shadow * v).sum(axis=0), open_)
        s = r - alpha * v
        t = apply(s)
        omega = _ratio((t * s).sum(axis=0), (t * t).sum(axis=0), open_)
        x, r = x + alpha * p + omega * s, s - omega * t
        yield x, r
        last, rho = rho, (shadow * r).sum(axis=0)
        p = r + _ratio(rho * alpha, last * omega, open_) * (p - omega * v)
        open_ = (r * r).sum(axis=0) > goal


def _ratio(above: Floats, below: Floats, wanted: NDArray[np.bool_]) -> Floats:
    usable = wanted & (np.abs(below) > _TINY)
    return np.where(usable, above / np.where(usable, below, 1.0), 0.0)
