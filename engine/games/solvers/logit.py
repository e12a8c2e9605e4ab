"""The logit homotopy: quantal response equilibria followed from the centroid to an equilibrium.

Where everybody plays each action in proportion to ``exp(lambda u)``, lambda 0 is the centroid, and as lambda grows
without bound the path that begins there ends in an equilibrium, which McKelvey and Palfrey call the logit solution.
Sources: McKelvey and Palfrey (1995), "Quantal response equilibria for normal form games"; Turocy (2005), "A dynamic
homotopy interpretation of the logistic quantal response equilibrium correspondence".

1. Payoffs from 0 to 1 for each player, so that lambda means the same for all. 2. Follow the path, folds included
(:mod:`engine.games.solvers.logit_reference`). 3. Where another branch crosses it, the game is symmetric: begin again a
little off the centroid, so that the path takes one of the arms. 4. When lambda is large, Newton on the support in use;
if that does not bring a better profile, on to larger lambdas.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from engine.games.games import FiniteGame, Floats, Profile
from engine.games.options import SolveOptions
from engine.games.results import Outcome, Step, Steps
from engine.games.solvers import logit_reference as reference
from engine.games.solvers.logit_trace import Trace
from engine.games.solvers.tensor_form import ROUNDING, TensorForm, regrets_of, tensor_form
from engine.games.solvers.tensor_newton import action_payoffs, polish

Walk = Generator[tuple[int, Floats, str], None, tuple[int, Floats, str]]
LEVELS = (1e6, 1e9, 1e12)  # lambdas at which Newton is tried
ENOUGH = 1e-11  # sum of relative regrets that ends it
MOST_POINTS = 20_000
MOST_RESTARTS = 3
SHIFT = 0.02  # how far off the centroid a restart begins, in log-probability
CROSSED = "another branch crosses the path"
CHUNK = 2e7  # operations between two looks at the clock


def logit_limit(game: FiniteGame) -> Profile:
    """Return the limit of the logit path, or the nearest to an equilibrium that was reached."""
    form = tensor_form(game)
    walk = follow(form, SolveOptions())
    while True:
        try:
            next(walk)
        except StopIteration as end:
            return form.profile(end.value[1])


def steps(game: FiniteGame, options: SolveOptions) -> Steps:
    """Follow the logit path to its limit; a step shows a point of it and its lambda.

    ``start``: near which profile the path begins, instead of the centroid.
    """
    form = tensor_form(game)
    walk = follow(form, options)
    while True:
        try:
            iteration, flat, note = next(walk)
        except StopIteration as end:
            iteration, flat, message = end.value
            break
        yield _step(game, iteration, form.profile(flat), note)
    profile = form.profile(flat)
    iteration += 1
    yield _step(game, iteration, profile, "Newton")
    done = float((game.regrets(profile) / game.ranges()).sum()) <= options.epsilon
    return Outcome((profile,), iterations=iteration, complete=done, message="" if done else message)


def follow(form: TensorForm, options: SolveOptions) -> Walk:
    """Yield iteration, flat profile and note of points on the path; return iteration, best profile, why it ended."""
    if form.width == 0:
        return 0, np.empty(0), "no player has a choice"
    compiled = not options.parameters.get("reference")
    limit = options.iterations or MOST_POINTS
    chunk = options.stride or max(1, int(CHUNK / (10 * form.payoffs.size + 4 * form.width**3)))
    done, best, least, why = 0, form.uniform(), np.inf, ""
    for attempt in range(MOST_RESTARTS + 1):
        trace = Trace(form, _prior(form, options, attempt), compiled)
        for level in LEVELS:
            while trace.pace < level and not why:
                ended, taken = trace.advance(min(chunk, limit - done), level)
                done += taken
                yield done, trace.flat, f"λ = {trace.pace:.4g}"
                why = _stopped(ended, attempt, done >= limit)
            if why != CROSSED:
                best, least = _better(form, trace.flat, best, least)
            if least <= ENOUGH or why:
                break
        if not why or least <= ENOUGH or done >= limit:
            break
        why = ""
    if least <= ENOUGH:
        return done, best, ROUNDING
    return done, best, why or "lambda became as large as fp64 allows"


def _stopped(ended: int, attempt: int, at_limit: bool) -> str:
    """Return why a path is left, empty where it goes on."""
    if at_limit:
        return "the limit of iterations was reached"
    if ended == reference.STUCK:
        return "the path could not be followed further"
    if ended == reference.BRANCHED and attempt < MOST_RESTARTS:
        return CROSSED
    return ""


def _better(form: TensorForm, flat: Floats, best: Floats, least: float) -> tuple[Floats, float]:
    """Return the better one of the best so far and the present point after Newton, with its sum of regrets."""
    flat = flat / np.repeat(np.add.reduceat(flat, form.starts[:-1]), form.sizes)
    regrets = float(regrets_of(form, flat, action_payoffs(form, flat)).sum())
    flat, regrets = polish(form, flat, regrets, least=ENOUGH)
    return (flat, regrets) if regrets < least else (best, least)


def _prior(form: TensorForm, options: SolveOptions, attempt: int) -> Floats:
    """Return the log-probabilities at lambda 0."""
    begin = form.uniform()
    if options.start is not None:
        begin = 0.99 * form.flatten(options.start) + 0.01 * begin
    shift = np.random.default_rng(options.seed).uniform(-SHIFT, SHIFT, form.width) * attempt
    shares = begin * np.exp(shift)
    return np.asarray(np.log(shares / np.repeat(np.add.reduceat(shares, form.starts[:-1]), form.sizes)))


def _step(game: FiniteGame, iteration: int, profile: Profile, note: str) -> Step:
    return Step(iteration, profile, float(game.regrets(profile).sum()), note)
