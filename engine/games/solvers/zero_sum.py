"""Zero-sum matrix games of any size, by what is fastest: the automatic method.

1. Pure strategies, where they are good enough: a saddle point, or nearly one.
2. Interchangeable actions are merged (:mod:`engine.games.solvers.zero_sum_symmetry`).
3. Small games: simplex from the empty basis.
4. Larger ones: predictive regret matching+ in fp32 until the played actions settle; pivots from that basis.
5. Whatever still misses epsilon goes to the interior point method.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import numpy as np

from engine.games.games import Floats, MatrixGame
from engine.games.options import SolveOptions
from engine.games.results import Outcome, Step, Steps
from engine.games.solvers.simplex import cold, pivoting
from engine.games.solvers.zero_sum_basis import choose, mending
from engine.games.solvers.zero_sum_scale import SAFE, gap_in, mapped, scaled, told
from engine.games.solvers.zero_sum_start import RoughPlay
from engine.games.solvers.zero_sum_symmetry import Quotient, quotient

SMALL = 200  # actions a side, up to which pivoting from nothing is as fast
_NARROW = 32  # or so few of one player, where that makes no more payoffs than
_FEW = 200_000
_PATIENCE = 10  # pivots an action, several times what it takes
_BLOCK = 50  # iterations between two looks at what is played
_SETTLED = 3.0  # changes of what is played, an iteration: more pivots than that are not saved by going on
_LONGEST = 1000  # iterations of the rough start
_UPDATES = 150_000_000  # products between two steps that are told: less than a tenth of a second


def steps(game: MatrixGame, options: SolveOptions) -> Steps:
    """Solve a zero-sum game; the notes of its steps name the phase, the outcome the method that gave the answer."""
    form = scaled(game.a, options)
    if form.spread <= options.epsilon * form.range:
        yield Step(0, form.pure, form.spread, "pure strategies")
        return Outcome((form.pure,), method="pure")
    return (yield from told(_solve(form.matrix, form.options), form))


def _solve(matrix: Floats, options: SolveOptions) -> Steps:
    merged = quotient(matrix)
    done = 0
    if merged is not None:
        outcome = yield from _lifted(_search(merged.matrix, _projected(options, merged)), merged)
        if gap_in(matrix, _only(outcome)) <= options.epsilon or _spent(outcome.iterations, options):
            return outcome
        done = outcome.iterations  # what looked interchangeable was not quite
    return (yield from _search(matrix, options, done))


def _search(matrix: Floats, options: SolveOptions, done: int = 0) -> Steps:
    """Pivot from a basis that is empty or guessed, and make up with the interior point method for what is missing."""
    if max(matrix.shape) <= SMALL or (min(matrix.shape) <= _NARROW and matrix.size <= _FEW):
        enough = _PATIENCE * sum(matrix.shape) + 500
        outcome = yield from pivoting(matrix, cold(matrix, options.seed), options, done, enough)
        outcome = replace(outcome, method="simplex")
    else:
        play = yield from _rough(matrix, options, done)
        profile = play.average()
        done += play.iteration
        if gap_in(matrix, profile) <= options.epsilon or _spent(done, options):
            outcome = Outcome((profile,), iterations=done, method="prm+")
        else:
            outcome = yield from _mended(matrix, play, options, done)
            outcome = replace(outcome, method="simplex")
            if gap_in(matrix, _only(outcome)) > gap_in(matrix, profile):  # stopped before it got anywhere
                outcome = replace(outcome, profiles=(profile,), method="prm+")
    gap = gap_in(matrix, _only(outcome))
    if gap * SAFE <= options.epsilon:
        return replace(outcome, complete=True)
    if _spent(outcome.iterations, options):
        return replace(outcome, complete=False, message=f"stopped after {outcome.iterations} iterations")
    return (yield from _rescued(matrix, outcome, gap, options))


def _rough(matrix: Floats, options: SolveOptions, done: int) -> Generator[Step, None, RoughPlay]:
    """Play until what is played settles, or the profile is good enough."""
    play = RoughPlay(matrix, options.start)
    every = options.stride or max(1, _UPDATES // matrix.size)
    played = play.supports()
    while play.iteration < _LONGEST and not _spent(done + play.iteration, options):
        play.step()
        if play.iteration % every == 0:
            profile = play.average()
            yield Step(done + play.iteration, profile, gap_in(matrix, profile), "prm+")
        if play.iteration % _BLOCK == 0:
            now = play.supports()
            changes = sum(int((old != new).sum()) for old, new in zip(played, now, strict=True))
            if changes <= _SETTLED * _BLOCK or gap_in(matrix, play.average()) <= options.epsilon:
                break
            played = now
    return play


def _mended(matrix: Floats, play: RoughPlay, options: SolveOptions, done: int) -> Steps:
    x, y = play.average()
    up, down = matrix @ y, x @ matrix
    rows, columns = play.supports()
    count = min(int(rows.sum()), int(columns.sum()))
    mine = choose(play.x.astype(np.float64) * rows, up, count)
    theirs = choose(play.y.astype(np.float64) * columns, -down, count)
    return (yield from mending(matrix, mine, theirs, options, done))


def _rescued(matrix: Floats, known: Outcome, gap: float, options: SolveOptions) -> Steps:
    from engine.games.solvers.interior_point import interior

    done = known.iterations
    outcome = yield from interior(matrix, replace(options, start=None), done)
    reached = gap_in(matrix, _only(outcome))
    outcome = replace(outcome, method="interior-point")
    if reached <= options.epsilon:
        return outcome
    best = outcome if reached < gap else replace(known, iterations=outcome.iterations)
    return replace(best, complete=False, message="rounding errors kept the gap from getting smaller")


def _lifted(inner: Steps, merged: Quotient) -> Steps:
    outcome = yield from mapped(inner, lambda step: replace(step, profile=merged.lift(step.profile)))
    return replace(outcome, profiles=tuple(merged.lift(profile) for profile in outcome.profiles))


def _projected(options: SolveOptions, merged: Quotient) -> SolveOptions:
    if options.start is None:
        return options
    x, y = options.start
    return replace(options, start=merged.together((x, y)))


def _only(outcome: Outcome) -> tuple[Floats, Floats]:
    x, y = outcome.profiles[0]
    return x, y


def _spent(done: int, options: SolveOptions) -> bool:
    return 0 < options.iterations <= done
