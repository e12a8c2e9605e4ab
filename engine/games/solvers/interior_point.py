"""Matrix games by Mehrotra's predictor-corrector interior point method, in fp64, on the CPU or a GPU.

The scaled game is the pair ``max v: s = M'x - v >= 0`` and ``min w: z = w - M y >= 0`` over strategies x and y, with
``x_i z_i = y_j s_j = mu`` on the central path. Uniform strategies are an interior start, and as all equations are
linear, every iterate stays feasible but for rounding: the gap is ``w - v = x'z + y's``. Mehrotra (1992), "On the
implementation of a primal-dual interior point method"; the normal equations are those of Wright (1997), "Primal-dual
interior-point methods", chapter 11, with v eliminated by centring the columns of M.

1. Scale the columns by ``sqrt(y/s)`` and factor ``N = diag(z/x) + M D M'`` (Cholesky), in the smaller dimension.
2. Predict: the step to ``mu = 0``. How far it may go gives the centring.
3. Correct: the same factors, with the centring and the second-order terms.
4. Go nearly as far as the strategies and slacks stay positive.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.core.arrays import array_module
from engine.games.games import Floats, MatrixGame
from engine.games.options import SolveOptions
from engine.games.results import Outcome, Step, Steps
from engine.games.solvers.cholesky import cholesky_solve
from engine.games.solvers.zero_sum_scale import gap_in, mapped, scaled, strategy, told

LIMIT = 100  # iterations; 10 to 20 are usual
_SHARE = 0.995  # of the way to the boundary
_STALLED = 1e-8  # a shorter step leads nowhere
_GAIN = 0.9  # an iteration without such a factor gains nothing
_PATIENCE = 25  # of these in a row are the end
_REGULAR = (0.0, 1e-13, 1e-10, 1e-7)  # added to the diagonal, as a share of the largest entry, until N factors


def steps(game: MatrixGame, options: SolveOptions) -> Steps:
    """Solve a zero-sum game by interior points; a step an iteration. Raises DependencyError without a GPU asked for."""
    form = scaled(game.a, options)
    outcome = yield from told(interior(form.matrix, form.options), form)
    if outcome.complete:
        return outcome
    if 0 < options.iterations <= outcome.iterations:
        return replace(outcome, message=f"stopped after {outcome.iterations} iterations")
    return replace(outcome, message="rounding errors kept the gap from getting smaller")


def interior(matrix: Floats, options: SolveOptions, done: int = 0) -> Steps:
    """Solve ``matrix``; iterations are counted on from ``done``. Complete when within epsilon."""
    if matrix.shape[0] > matrix.shape[1]:  # swap the players
        return (yield from _swapped(interior(np.ascontiguousarray(-matrix.T), options, done)))
    path = _Path(array_module(options.device), matrix)
    best, least, waited = path.profile(), np.inf, 0
    last = min(done + LIMIT, options.iterations or done + LIMIT)
    while done < last and path.advance():
        done += 1
        profile, gap = path.profile(), path.gap()
        yield Step(done, profile, gap, "interior point")
        waited = 0 if gap < _GAIN * least else waited + 1
        if gap < least:
            best, least = profile, gap
        if least <= options.epsilon or waited == _PATIENCE:
            break
    return Outcome((best,), iterations=done, complete=least <= options.epsilon)


@dataclass(slots=True)
class _Direction:
    x: Any
    s: Any
    y: Any
    z: Any
    v: Any
    w: Any


class _Path:
    """The iterate and one step of the method; ``xp`` is numpy or cupy."""

    def __init__(self, xp: Any, matrix: Floats) -> None:
        n, m = matrix.shape
        self.xp = xp
        self.a = xp.asarray(matrix)
        self.scratch = xp.empty_like(self.a)
        self.x, self.y = xp.full(n, 1.0 / n), xp.full(m, 1.0 / m)
        down, up = self.x @ self.a, self.a @ self.y
        self.v, self.w = down.min() - 0.5, up.max() + 0.5
        self.s, self.z = down - self.v, self.w - up

    def profile(self) -> tuple[Floats, Floats]:
        """Return the strategies, on the CPU."""
        x, y = (self.x, self.y) if self.xp is np else (self.xp.asnumpy(self.x), self.xp.asnumpy(self.y))
        return strategy(x), strategy(y)

    def gap(self) -> float:
        """Return NashConv of the strategies, computed where they are."""
        return gap_in(self.a, (self.x / self.x.sum(), self.y / self.y.sum()))

    def advance(self) -> bool:
        """Do one iteration; return False when rounding leaves no step."""
        with np.errstate(all="ignore"):  # what overflows is not finite, which is looked for
            return self._advance()

    def _advance(self) -> bool:
        products = self.x @ self.z + self.y @ self.s
        count = len(self.x) + len(self.y)
        if not float(products) > 0.0:
            return False
        system = _Normal(self)
        if not system.good:
            return False
        guess = system.solve(-self.x * self.z, -self.y * self.s)
        primal, dual = self._reach(guess)
        ahead = (self.x + primal * guess.x) @ (self.z + dual * guess.z)
        ahead += (self.y + dual * guess.y) @ (self.s + primal * guess.s)
        target = (ahead / products) ** 3 * products / count
        way = system.solve(target - self.x * self.z - guess.x * guess.z, target - self.y * self.s - guess.y * guess.s)
        primal, dual = (min(1.0, _SHARE * reach) for reach in self._reach(way))
        if not max(primal, dual) > _STALLED:
            return False
        self.x, self.s, self.v = self.x + primal * way.x, self.s + primal * way.s, self.v + primal * way.v
        self.y, self.z, self.w = self.y + dual * way.y, self.z + dual * way.z, self.w + dual * way.w
        return bool(np.isfinite(float(self.w - self.v)))

    def _reach(self, way: _Direction) -> tuple[float, float]:
        """Return how far x and s, and y and z, may go: 1 at most for a full step of the predictor."""
        primal = min(self._limit(self.x, way.x), self._limit(self.s, way.s))
        dual = min(self._limit(self.y, way.y), self._limit(self.z, way.z))
        return primal, dual

    def _limit(self, values: Any, change: Any) -> float:
        steepest = float((-change / values).max())
        return min(1.0 / _SHARE, 1.0 / steepest) if steepest > 0.0 else 1.0 / _SHARE


class _Normal:
    """The normal equations of an iterate, factored, and their solution for any complementarity residuals."""

    def __init__(self, path: _Path) -> None:
        xp = path.xp
        self.path = path
        self.weights = path.y / path.s
        self.total = self.weights.sum()
        self.middle = path.a @ self.weights
        root = xp.sqrt(self.weights)
        half = xp.subtract(path.a, (self.middle / self.total)[:, None], out=path.scratch)
        half *= root
        normal = half @ half.T
        # The step keeps the sum of x, so this changes nothing but the condition: without it N is nearly singular along
        # the solution, against which all columns in use are alike.
        normal += normal.diagonal().mean()
        diagonal = path.z / path.x
        normal.ravel()[:: len(diagonal) + 1] += diagonal
        self.factor = _factor(xp, normal)
        self.good = self.factor is not None
        if self.good:
            self.ones = _back(xp, self.factor, xp.ones(len(diagonal)))

    def solve(self, first: Any, second: Any) -> _Direction:
        """Return the direction with ``z dx + x dz = first`` and ``s dy + y ds = second``."""
        path = self.path
        push = second / path.s
        excess = push.sum()
        right = first / path.x + path.a @ push - self.middle * (excess / self.total)
        found = _back(path.xp, self.factor, right)
        w = found.sum() / self.ones.sum()
        x = found - w * self.ones
        v = (self.middle @ x - excess) / self.total
        s = x @ path.a - v
        y = push - self.weights * s
        return _Direction(x=x, s=s, y=y, z=w - path.a @ y, v=v, w=w)


def _factor(xp: Any, normal: Any) -> Any:
    """Return the lower Cholesky factor, of a slightly larger matrix where rounding spoilt it, else None."""
    if not bool(xp.isfinite(normal).all()):
        return None
    diagonal = normal.ravel()[:: len(normal) + 1]
    exact = diagonal.copy()
    for share in _REGULAR:
        diagonal[:] = exact * (1.0 + share) + share * 1e-3
        try:
            factor = xp.linalg.cholesky(normal)
        except np.linalg.LinAlgError:
            continue
        if bool(xp.isfinite(factor).all()):
            return factor
    return None


def _back(xp: Any, factor: Any, right: Any) -> Any:
    if xp is np:
        return cholesky_solve(factor, right)
    triangular = importlib.import_module("cupyx.scipy.linalg").solve_triangular
    return triangular(factor, triangular(factor, right, lower=True), lower=True, trans="T")


def _swapped(inner: Steps) -> Steps:
    outcome = yield from mapped(inner, lambda step: replace(step, profile=step.profile[::-1]))
    return replace(outcome, profiles=tuple(profile[::-1] for profile in outcome.profiles))
