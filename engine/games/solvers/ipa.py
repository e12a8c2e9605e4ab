"""Iterated polymatrix approximation with Newton: fast, and rough in that nothing promises that it ends well.

At a profile x, what each player gets from each pair of actions when the rest play x makes a polymatrix game, exact in
value and slope at x. Its equilibrium is found by pivoting from x, the profile moves half-way there, and so on. Every
such equilibrium also guesses a support, on which Newton's method may end the search at once.
Source: Govindan and Wilson (2004), "Computing Nash equilibria by iterated polymatrix approximation".

1. Contract the tensors at x. 2. Pivot (:mod:`engine.games.solvers.ipa_lemke`); where that fails, the best responses
stand in. 3. Newton on the support found; end when no regret is left. 4. Move; after many moves begin again elsewhere.
With two players the first polymatrix game is the game itself.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import count

import numpy as np

from engine.games.games import FiniteGame, Floats
from engine.games.options import SolveOptions
from engine.games.results import Outcome, Step, Steps
from engine.games.solvers.ipa_lemke import DONE, GOES_ON, Pivoting, pivot
from engine.games.solvers.tensor_form import ROUNDING, TensorForm, payoffs_and_jacobian, regrets_of, tensor_form
from engine.games.solvers.tensor_newton import action_payoffs, newton_on

Told = tuple[int, Floats, str]
Walk = Generator[Told, None, tuple[int, Floats, float]]
MOST_ITERATIONS = 140
MOST_PIVOTS = 50  # for each action
CHUNK = 5e7  # numbers of the tableau to go through between two looks at the clock
ENOUGH = 1e-9  # sum of relative regrets that ends it
MOVES = 20 * (0.5,) + 15 * (0.3,)  # how far to go towards the answer, from one beginning


def steps(game: FiniteGame, options: SolveOptions) -> Steps:
    """Iterate from the centroid or ``options.start``; a step shows the profile at which the game is approximated."""
    form = tensor_form(game)
    walk = iterate(form, options)
    while True:
        try:
            iteration, flat, note = next(walk)
        except StopIteration as end:
            iteration, flat, regrets = end.value
            break
        profile = form.profile(flat)
        yield Step(iteration, profile, float(game.regrets(profile).sum()), note)
    profile = form.profile(flat)
    found = game.regrets(profile)
    yield Step(iteration + 1, profile, float(found.sum()), "Newton")
    if float((found / game.ranges()).sum()) <= options.epsilon:
        return Outcome((profile,), iterations=iteration + 1)
    message = ROUNDING if regrets <= options.epsilon else f"no equilibrium within {iteration} iterations; try logit"
    return Outcome((profile,), iterations=iteration + 1, complete=False, message=message)


def iterate(form: TensorForm, options: SolveOptions) -> Walk:
    """Yield iteration, flat profile and note; return iteration, best profile and its sum of relative regrets."""
    if form.width == 0:
        return 0, np.empty(0), 0.0
    flat = form.uniform() if options.start is None else form.flatten(options.start)
    best, least = flat, np.inf
    failed = np.zeros(form.width, dtype=bool)
    rng = np.random.default_rng(options.seed)
    target = min(ENOUGH, options.epsilon)
    told = count(1)
    for turn in range(options.iterations or MOST_ITERATIONS):
        payoffs, slopes = _contracted(form, flat, options)
        regrets = float(regrets_of(form, flat, payoffs).sum())
        if regrets < least:
            best, least = flat, regrets
        yield next(told), flat, "polymatrix"
        if least <= target:
            break
        answer = yield from _answer(form, flat, payoffs, slopes, options, told)
        support = answer > 0
        new = None if (support == failed).all() else newton_on(form, support, answer, singular=False)
        failed = support
        if new is not None:
            regrets = float(regrets_of(form, new, action_payoffs(form, new)).sum())
            if regrets < least:
                best, least = new, regrets
            if least <= target:
                break
        move = MOVES[turn % len(MOVES)]
        flat = (1.0 - move) * flat + move * answer
        if (turn + 1) % len(MOVES) == 0:
            flat = rng.exponential(size=form.width)
            flat /= np.repeat(np.add.reduceat(flat, form.starts[:-1]), form.sizes)
    return next(told) - 1, best, least


def polymatrix_costs(form: TensorForm, payoffs: Floats, slopes: Floats) -> Floats:
    """Return the costs, all positive, of the polymatrix game that touches the game, shape (width, width).

    The slopes alone would count each payoff once for every other player; the rest is taken back in equal parts.
    """
    players = form.sizes.size
    owner = np.repeat(np.arange(players), form.sizes)
    back = (players - 2) / (players - 1)
    gains = np.where(owner[:, None] == owner, 0.0, slopes - back * payoffs[:, None])
    return np.asarray(players + 1.0 - gains)


def _answer(
    form: TensorForm, flat: Floats, payoffs: Floats, slopes: Floats, options: SolveOptions, told: Iterator[int]
) -> Generator[Told, None, Floats]:
    """Return an equilibrium of the polymatrix game at ``flat``; the best responses where pivoting fails."""
    best = np.repeat(np.maximum.reduceat(payoffs, form.starts[:-1]), form.sizes)
    found = (payoffs >= best).astype(np.float64)
    if form.sizes.size > 1:
        costs = polymatrix_costs(form, payoffs, slopes)
        run = Pivoting(costs, form.sizes, 0.9 * flat + 0.1 * form.uniform())
        pause = max(1, int(CHUNK / run.table.size))
        for _ in range(0, MOST_PIVOTS * form.width, pause):
            state = _pivot(run, pause, options)
            if state != GOES_ON:
                break
            yield next(told), flat, "pivoting"
        if state == DONE:
            found = np.maximum(run.solution(), 0.0)
    return np.asarray(found / np.repeat(np.add.reduceat(found, form.starts[:-1]), form.sizes))


def _pivot(run: Pivoting, most: int, options: SolveOptions) -> int:
    if options.parameters.get("reference"):
        return pivot(run.table, run.basis, run.place, most)
    from engine.games.solvers import ipa_jit

    return ipa_jit.pivot(run.table, run.basis, run.place, most)


def _contracted(form: TensorForm, flat: Floats, options: SolveOptions) -> tuple[Floats, Floats]:
    if options.parameters.get("reference"):
        return payoffs_and_jacobian(form, flat)
    from engine.games.solvers.tensor_form_jit import contract

    payoffs, slopes = np.empty(form.width), np.empty((form.width, form.width))
    contract(form.payoffs, form.sizes, form.starts, flat, payoffs, slopes)
    return payoffs, slopes
