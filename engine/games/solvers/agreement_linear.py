"""The equilibrium of a consensus game as a linear system: ``(C + L) x = C p`` with ``L = diag(row sums of W) - W``.

Setting each agent's gradient to zero gives its row. C + L is a weakly diagonally dominant M-matrix, regular if and only
if every agent reaches a confident one along influence (Shivakumar, Chew (1974), "A sufficient condition for
nonvanishing of determinants"). Steps:
1. Everybody minds j alike, ``w_ij = b_j``: closed form.
2. Agents that reach no confident one settle among themselves; their positions are then given.
3. The others: LU, or Cholesky where W is symmetric and large, after scaling every row to diagonal 1.
4. Badly conditioned (confidence far smaller than influence): elimination without subtraction, which loses nothing
   to cancellation; Grassmann, Taksar, Heyman (1985), "Regenerative analysis and steady state distributions".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.games.games import Floats
from engine.games.solvers.cholesky import cholesky_solve

Mask = NDArray[np.bool_]

POOR = 1e-7  # reciprocal condition below which rounding would show
SMALL = 256  # agents up to which a look at the condition, and at whether Cholesky would do, costs more than it saves
MAX_CAREFUL = 1500  # agents up to which the slower, careful elimination is done


class Agreement(NamedTuple):
    """Positions (n, d); ``free`` agents (n,) reach no confident one, theirs is one of infinitely many equilibria."""

    positions: Floats
    free: Mask
    how: str


def agree(confidence: Floats, influence: Floats, points: Floats, start: Floats) -> Agreement:
    """Return the equilibrium; where there are many, the limit of damped best responses from ``start`` (n, d)."""
    centre = np.median(points, axis=0)  # an offset common to all must not cost digits, nor one agent far away
    shifted = points - centre
    nobody = np.zeros(len(points), dtype=bool)
    closed = _complete(confidence, influence, shifted)
    if closed is not None:
        return Agreement(closed + centre, nobody, "closed form")
    free = ~anchored(confidence, influence)
    if not free.any():
        weight = confidence + influence.sum(axis=1)
        positions, how = _solve(weight, confidence, influence, confidence[:, None] * shifted)
        return Agreement(positions + centre, free, how)
    positions, how = _with_free(confidence, influence, shifted, start - centre, free)
    return Agreement(positions + centre, free, how)


def anchored(confidence: Floats, influence: Floats) -> Mask:
    """Return which agents reach a confident one along influence, (n,) of booleans."""
    reached = confidence > 0
    front = reached
    while front.any() and not reached.all():
        front = ~reached & (influence[:, front] > 0).any(axis=1)
        reached = reached | front
    return np.asarray(reached)


def _complete(confidence: Floats, influence: Floats, points: Floats) -> Floats | None:
    """Solve the case ``w_ij = b_j``, or return None.

    With B the sum of b and S the sum of ``b_j x_j``, each row reads ``(c_i + B) x_i = c_i p_i + S``. Multiplied by
    ``b_i / (c_i + B)`` and added up: S / B is the mean of p weighted by ``b_i c_i / (c_i + B)``.
    """
    count = len(points)
    if count == 1:
        return points if confidence[0] > 0 else None
    column = influence[0].copy()
    column[0] = influence[1, 0]
    total = column.sum()
    pull = column * (confidence / (confidence + total)) if total > 0 else np.zeros(count)
    if not (total > 0 and pull.sum() > 0 and np.array_equal(influence[1, 2:], column[2:])):
        return None
    alike = influence == column
    np.fill_diagonal(alike, True)
    if not alike.all():
        return None
    middle = (pull / pull.sum()) @ points
    share = confidence / (confidence + total)
    return np.asarray(share[:, None] * points + (total / (confidence + total))[:, None] * middle)


def _solve(weight: Floats, confidence: Floats, influence: Floats, right: Floats) -> tuple[Floats, str]:
    """Solve ``(diag(weight) - W) x = right`` (n, d), all right-hand sides at once; weight = confidence + row sums."""
    least = float((confidence / weight).min())  # the condition number is at most 2 / least
    if len(weight) <= SMALL and least > POOR:
        found = np.linalg.solve(np.eye(len(weight)) - influence / weight[:, None], right / weight[:, None])
        return np.asarray(found, dtype=np.float64), "LU"
    symmetric = np.array_equal(influence, influence.T)
    scale = np.sqrt(weight)[:, None] if symmetric else weight[:, None]
    matrix = influence / (-scale * scale.T) if symmetric else influence / -scale
    np.fill_diagonal(matrix, 1.0)
    # The inverse of an M-matrix has no negative entry: its largest row sum, its norm, is that of the solution for ones.
    sides, how = np.column_stack((right / scale, np.ones(len(weight)))), "Cholesky" if symmetric else "LU"
    try:
        found = (
            cholesky_solve(np.asarray(np.linalg.cholesky(matrix), np.float64), sides)
            if symmetric
            else np.linalg.solve(matrix, sides)
        )
    except np.linalg.LinAlgError:
        found = np.full_like(sides, np.inf)
    condition = float(np.abs(matrix).sum(axis=1).max()) * float(np.abs(found[:, -1]).max())
    if not condition * POOR <= 1.0 and len(weight) <= MAX_CAREFUL:
        return _eliminate(confidence, influence, right), "elimination without subtraction"
    if not np.isfinite(found).all():
        found, how = np.linalg.lstsq(matrix, sides, rcond=None)[0], "least squares"
    return np.asarray(found[:, :-1] / scale if symmetric else found[:, :-1]), how


def _eliminate(confidence: Floats, influence: Floats, right: Floats) -> Floats:
    """Solve the same by taking out one agent after the other, its influence passed on to those it listens to.

    Pivots are sums of what is left of confidence and influence, never differences.
    """
    c, w, b = confidence.copy(), influence.copy(), right.copy()
    pivots = np.empty(len(c))
    for k in range(len(c) - 1, -1, -1):
        pivots[k] = c[k] + w[k, :k].sum()
        passed = w[:k, k] / pivots[k]
        w[:k, :k] += passed[:, None] * w[k, :k]
        c[:k] += passed * c[k]
        b[:k] += passed[:, None] * b[k]
        np.fill_diagonal(w[:k, :k], 0.0)
    for k in range(len(c)):
        b[k] = (b[k] + w[k, :k] @ b[:k]) / pivots[k]
    return b


def _with_free(confidence: Floats, influence: Floats, points: Floats, start: Floats, free: Mask) -> tuple[Floats, str]:
    """Place the agents that nobody confident reaches, then solve for all others around them.

    A group of them that listens only to itself ends at one point: its start averaged by the stationary distribution
    of the chain ``D^-1 W`` on it.
    """
    given = np.zeros_like(points)
    fixed = np.zeros(len(points), dtype=bool)
    members = np.flatnonzero(free)
    inside = influence[np.ix_(members, members)]
    for mine in _closed_groups(inside > 0):
        who = members[mine]
        given[who] = _stationary(inside[np.ix_(mine, mine)]) @ start[who]
        fixed[who] = True
    if fixed.all():
        return given, "stationary mean"
    rest = ~fixed
    held = influence[np.ix_(rest, fixed)]
    within = influence[np.ix_(rest, rest)]
    pull = confidence[rest] + held.sum(axis=1)
    right = confidence[rest, None] * points[rest] + held @ given[fixed]
    given[rest], how = _solve(pull + within.sum(axis=1), pull, within, right)
    return given, how


def _closed_groups(listens: Mask) -> Iterator[Mask]:
    """Yield the groups that listen only to themselves, everybody in them to all others at least by way of some.

    1. Whom somebody listens to, and who of these listens back, is such a group where both are the same. 2. Else go on
    from the one furthest away, which listens to fewer. 3. Who listens to a group is in no other.
    """
    waiting = np.ones(len(listens), dtype=bool)
    while waiting.any():
        first = int(waiting.argmax())
        while True:
            ahead, last = _reached(listens, first)
            back, _ = _reached(listens.T, first)
            if not (ahead & ~back).any():
                break
            outside = np.flatnonzero(ahead & ~back)
            first = last if not back[last] else int(outside[0])
        yield ahead
        waiting &= ~back


def _reached(listens: Mask, first: int) -> tuple[Mask, int]:
    """Return whom agent ``first`` listens to, itself or by way of others, and one of those furthest away."""
    reached = np.zeros(len(listens), dtype=bool)
    reached[first] = True
    front, last = reached, first
    while front.any():
        last = int(front.argmax())
        front = listens[front].any(axis=0) & ~reached
        reached = reached | front
    return reached, last


def _stationary(weights: Floats) -> Floats:
    """Return the distribution that ``D^-1 W`` of a strongly connected group leaves as it is."""
    if len(weights) == 1:
        return np.ones(1)
    rows = weights.sum(axis=1)
    system = np.diag(np.ones(len(weights))) - (weights / rows[:, None]).T
    system[-1] = 1.0
    right = np.zeros(len(weights))
    right[-1] = 1.0
    found = np.maximum(np.linalg.solve(system, right), 0.0)
    return np.asarray(found / found.sum())
