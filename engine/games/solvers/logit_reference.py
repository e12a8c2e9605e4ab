"""The continuation behind :mod:`engine.games.solvers.logit`, in plain NumPy; its compiled twin is ``logit_jit``.

Unknowns: the log-probability of every action and lambda. Equations, for a player whose likeliest action is r:
``p_j - p_r = lambda (u_j - u_r) + c_j - c_r`` for its other actions j, and its probabilities sum to one. ``c`` is where
the branch begins at lambda 0: the log-probabilities of the centroid, or of a profile near it. Lengths and angles are
relative to where the path is, each coordinate x divided by ``1 + |x|``: where lambda is in the thousands, a fold would
else be a needle.
Source: Turocy (2005), "A dynamic homotopy interpretation of the logistic quantal response equilibrium correspondence",
sections 3 and 4; Allgower and Georg (1990), "Numerical Continuation Methods", chapters 2 and 6.
"""

from __future__ import annotations

import numpy as np

from engine.games.games import Floats
from engine.games.solvers.tensor_form import TensorForm, payoffs_and_jacobian

WENT_ON, STUCK, BRANCHED = 0, 1, 2  # how an advance ends
MOST_TURNS = 6  # of Newton's iteration at a point
FAR, AIM, CLOSE = 0.3, 0.05, 3e-4  # how far the first correction may go, should go; where corrections end
CONTRACT = 0.5  # by which each correction has to be smaller than the last
TURN, GROW = 0.7, 3.0  # least cosine between tangents; by how much a step may grow
SMALL_STEP, SMALLEST_STEP, LONGEST_STEP = 1e-4, 1e-9, 10.0
FIRST_STEP = 0.1


def equations(form: TensorForm, prior: Floats, point: Floats) -> tuple[Floats, Floats]:
    """Return the equations' values (width,) and their derivative by the point, shape (width, width + 1)."""
    logs, pace = point[:-1], point[-1]
    shares = np.exp(logs)
    payoffs, slopes = payoffs_and_jacobian(form, shares)
    excess = logs - prior - pace * payoffs
    matrix = np.column_stack((np.eye(form.width) - pace * slopes * shares, -payoffs))
    values = np.empty(form.width)
    for begin, end in zip(form.starts, form.starts[1:], strict=False):
        own, best = slice(begin, end), begin + int(np.argmax(logs[begin:end]))
        values[own] = excess[own] - excess[best]
        matrix[own] -= matrix[best].copy()
        values[best] = shares[own].sum() - 1.0
        matrix[best] = 0.0
        matrix[best, own] = shares[own]
    return values, matrix


def first_state(form: TensorForm, prior: Floats) -> Floats:
    """Return the state at lambda 0: the point, its tangent (lambda growing), step length, sign of the determinant."""
    point = np.append(prior, 0.0)
    _, matrix = equations(form, prior, point)
    square = np.vstack((matrix, np.eye(form.width + 1)[-1]))
    sign, solved = signed_solve(square, np.eye(form.width + 1)[:, -1:])
    tangent = solved[:, 0]
    return np.concatenate((point, tangent / length(tangent, point), [FIRST_STEP, sign]))


def length(direction: Floats, point: Floats) -> float:
    """Return how long a direction is, seen from a point."""
    return float(np.linalg.norm(direction / (1.0 + np.abs(point))))


def cosine(first: Floats, second: Floats, point: Floats) -> float:
    """Return the cosine of the angle between two directions, seen from a point."""
    dot = float((first * second / (1.0 + np.abs(point)) ** 2).sum())
    return dot / (length(first, point) * length(second, point))


def correct(
    form: TensorForm, prior: Floats, old: Floats, tangent: Floats, step: float
) -> tuple[Floats | None, float, float]:
    """Return the corrected point followed by its tangent (None where this fails), the first correction, the sign.

    1. Newton in the plane through the predicted point across the tangent. 2. It has to begin near, to contract, and to
    end close. 3. The last matrix gives the new tangent and the sign of the determinant.
    """
    point, span = old + step * tangent, old.size
    across = tangent / (1.0 + np.abs(old)) ** 2
    first = before = 0.0
    for turn in range(MOST_TURNS):
        if point[:-1].max() > 1.0 or point[-1] < 0.0:
            return None, 2 * FAR, 0.0
        values, matrix = equations(form, prior, point)
        square = np.vstack((matrix, across))
        sides = np.column_stack((np.append(values, 0.0), np.eye(span)[-1]))
        solved = solution(square, sides)
        if solved is None:
            return None, 2 * FAR, 0.0
        correction, ahead = solved.T
        moved = float((np.abs(correction) / (1.0 + np.abs(point))).max())
        point -= correction
        first = first if turn else moved
        if not moved <= FAR or (turn and moved > max(CONTRACT * before, CLOSE)):
            return None, first, 0.0
        if moved <= CLOSE:
            return np.concatenate((point, ahead / length(ahead, point))), first, float(np.linalg.slogdet(square).sign)
        before = moved
    return None, first, 0.0


def signed_solve(square: Floats, sides: Floats) -> tuple[float, Floats]:
    """Return the sign of the determinant and the solution; sign 0 where there is none."""
    solved = solution(square, sides)
    return (0.0, sides) if solved is None else (float(np.linalg.slogdet(square).sign), solved)


def solution(square: Floats, sides: Floats) -> Floats | None:
    """Return what solves the linear system; None where nothing does."""
    try:
        solved = np.linalg.solve(square, sides)
    except np.linalg.LinAlgError:
        return None
    return np.asarray(solved, np.float64) if np.isfinite(solved).all() else None


def advance(form: TensorForm, prior: Floats, state: Floats, steps: int, until: float) -> tuple[int, int]:
    """Go on by at most ``steps`` points, or to where lambda is ``until``, in place; return how it ended and how far.

    1. Predict along the tangent, correct. 2. Halve the step where that fails, where the path turns sharply, or where
    the determinant's sign changes: at a fold of the path it keeps its sign. 3. Where it changes however small the step,
    another branch crosses. 4. The next step is such that its first correction goes as far as it should.
    """
    span = prior.size + 1
    for done in range(steps):
        while True:
            old, tangent, step = state[:span], state[span : 2 * span], state[-2]
            new, first, sign = correct(form, prior, old, tangent, step)
            smooth = new is not None and cosine(tangent, new[span:], old) > TURN
            if new is not None and smooth and sign == state[-1]:
                break
            if new is not None and smooth and step <= SMALL_STEP:
                state[: 2 * span], state[-1] = new, sign
                return BRANCHED, done + 1
            if step < SMALLEST_STEP:
                return STUCK, done
            state[-2] = step / 2.0
        state[: 2 * span] = new
        state[-2] = min(LONGEST_STEP, step * min(GROW, max(0.5, np.sqrt(AIM / max(first, 1e-12)))))
        if state[span - 1] >= until:
            return WENT_ON, done + 1
    return WENT_ON, steps
