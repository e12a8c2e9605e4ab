"""One equilibrium of a bimatrix game, the quickest way first; each answer is checked before it counts.

1. Inspection: about two of three random games have an equilibrium in pure strategies.
2. Lemke-Howson from a few labels, each path capped, as some are much longer than others.
3. Howson's pivoting from uniform strategies (van den Elzen and Talman's path): where the players' interests are nearly
   opposed, it takes hundreds of pivots where each label's path takes tens of thousands.
4. Lemke-Howson from all labels, the caps growing.
5. Logit tracing, which does not pivot.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.games.games import BimatrixGame, PolymatrixGame
from engine.games.options import SolveOptions
from engine.games.results import Outcome, Step, Steps
from engine.games.solvers import howson
from engine.games.solvers.lemke_howson import search
from engine.games.solvers.pure import as_profile, first_pure

_LABELS = 16  # tried by Lemke-Howson at first
_TRACED = 40  # pivots an action from the first starts of Howson's
_WORK = 2_000_000_000  # numbers changed by the pivots of all labels: about a second
_FEWEST, _MOST = 1000, 200_000  # pivots, however large or small the game


def steps(game: BimatrixGame, options: SolveOptions) -> Steps:
    """Run through the phases; ``Step.note`` names the one. ``options.iterations`` bounds each."""
    pure = first_pure(game.a, game.b)
    if pure is not None:
        profile = as_profile(game, np.array(pure))
        yield Step(1, profile, float(game.regrets(profile).sum()), "pure")
        return Outcome((profile,), iterations=1, method="pure")
    done, messages = 0, []
    answers: list[tuple[float, str, Outcome]] = []
    for phase, method in enumerate(("lemke-howson", "howson", "lemke-howson", "logit")):
        outcome = yield from after(done, _phase(phase, game, options))
        done += outcome.iterations
        messages += [f"{method}: {outcome.message}"] if outcome.message else []
        if outcome.profiles:
            gap = float((game.regrets(outcome.profiles[0]) / game.ranges()).sum())
            answers.append((gap, method, outcome))
            if gap <= options.epsilon:
                return Outcome(outcome.profiles, iterations=done, method=method)
    if not answers:
        return Outcome(iterations=done, complete=False, message="; ".join(messages))
    _, method, best = min(answers, key=lambda answer: answer[0])
    return Outcome(best.profiles, iterations=done, complete=False, method=method, message="; ".join(messages))


def after(done: int, phase: Steps) -> Steps:
    """Tell the steps of a phase, counted on from those before, and return its outcome."""
    while True:
        try:
            step = next(phase)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
        yield Step(done + step.iteration, step.profile, step.gap, step.note)


def _phase(phase: int, game: BimatrixGame, options: SolveOptions) -> Steps:
    actions = sum(game.sizes)
    cap = max(32, actions // 2)
    if phase == 0:
        limit = options.iterations or _LABELS * cap
        return search(game, 0, min(cap, limit), limit, options.stride)
    if phase == 1:
        limit = options.iterations or max(_FEWEST, _TRACED * actions)
        both = PolymatrixGame(game.sizes, {(0, 1): game.a, (1, 0): game.b.T})
        parameters = {"cap": -(-limit // 2)}
        return howson.steps(both, replace(options, iterations=limit, parameters=parameters))
    if phase == 2:
        limit = options.iterations or min(_MOST, max(_FEWEST, _WORK // (2 * game.a.size)))
        return search(game, min(_LABELS, actions - 1), min(cap, limit), limit, options.stride)
    from engine.games.solvers import logit

    return logit.steps(game, options)
