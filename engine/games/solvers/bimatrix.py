"""One equilibrium of a bimatrix game, the quickest way first; each answer is checked before it counts.

1. Inspection: about two of three random games have an equilibrium in pure strategies.
2. Lemke-Howson, its paths capped and the next label tried, as some paths are much longer than others.
3. Logit tracing, which does not mind how long those paths are.
"""

from __future__ import annotations

import numpy as np

from engine.games.games import BimatrixGame
from engine.games.options import SolveOptions
from engine.games.results import Outcome, Step, Steps
from engine.games.solvers.lemke_howson import search
from engine.games.solvers.pure import as_profile, first_pure

_PIVOTS = 50_000_000_000  # numbers changed by pivoting before tracing is tried: about ten seconds
_FEWEST = 1000  # pivots, however large the game


def steps(game: BimatrixGame, options: SolveOptions) -> Steps:
    """Run through the phases; ``Step.note`` names the one. ``options.iterations`` bounds each."""
    pure = first_pure(game.a, game.b)
    if pure is not None:
        profile = as_profile(game, np.array(pure))
        yield Step(1, profile, float(game.regrets(profile).sum()), "pure")
        return Outcome((profile,), iterations=1, method="pure")
    labels = sum(game.sizes)
    limit = options.iterations or max(_FEWEST, _PIVOTS // (2 * game.a.size))
    pivoted = yield from search(game, 0, min(max(32, labels // 2), limit), limit, options.stride)
    if _reached(game, pivoted, options.epsilon):
        return Outcome(pivoted.profiles, iterations=pivoted.iterations, method="lemke-howson")
    from engine.games.solvers import logit

    before, tracing = pivoted.iterations, logit.steps(game, options)
    while True:
        try:
            step = next(tracing)
        except StopIteration as end:
            traced: Outcome = end.value
            break
        yield Step(before + step.iteration, step.profile, step.gap, step.note or "logit")
    answers = [outcome for outcome in (pivoted, traced) if outcome.profiles]
    best = min(answers, key=lambda outcome: _gap(game, outcome), default=traced)
    return Outcome(
        best.profiles,
        iterations=before + traced.iterations,
        complete=_reached(game, best, options.epsilon),
        method="lemke-howson" if best is pivoted else "logit",
        message=f"Lemke-Howson: {pivoted.message}; logit: {traced.message or 'an equilibrium was reached'}",
    )


def _reached(game: BimatrixGame, outcome: Outcome, epsilon: float) -> bool:
    return bool(outcome.profiles) and _gap(game, outcome) <= epsilon


def _gap(game: BimatrixGame, outcome: Outcome) -> float:
    return float((game.regrets(outcome.profiles[0]) / game.ranges()).sum())
