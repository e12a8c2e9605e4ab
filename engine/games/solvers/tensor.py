"""The automatic choice for games of n players: what is cheap first, then what is reliable.

1. Look for a pure equilibrium: three of five random games have one. 2. The logit homotopy. 3. Where it could not be
followed to its end, the polymatrix approximation from where it stopped. Parameter ``pure`` 0 leaves out the first.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.games.games import FiniteGame, Profile
from engine.games.options import SolveOptions
from engine.games.results import Outcome, Step, Steps
from engine.games.solvers import ipa, logit


def steps(game: FiniteGame, options: SolveOptions) -> Steps:
    """Solve by the first of the three that succeeds; ``Outcome.method`` says which."""
    found = first_pure(game) if options.parameters.get("pure", 1) and options.start is None else None
    if found is not None:
        yield Step(1, found, float(game.regrets(found).sum()), "pure")
        return Outcome((found,), iterations=1, method="pure")
    outcome = yield from logit.steps(game, options)
    before = outcome.iterations
    if outcome.complete or before >= (options.iterations or before + 1):
        return replace(outcome, method="logit")
    left = options.iterations - before if options.iterations else 0
    other = yield from _shifted(ipa.steps(game, replace(options, iterations=left, start=outcome.profiles[0])), before)
    if other.complete:
        return replace(other, method="ipa", iterations=before + other.iterations)
    return replace(outcome, method="logit", iterations=before + other.iterations)


def first_pure(game: FiniteGame) -> Profile | None:
    """Return the first equilibrium in pure strategies in the order of the outcomes, None where there is none."""
    stable = stable_outcomes(game)
    at = int(np.argmax(stable))
    if not stable.flat[at]:
        return None
    chosen = np.unravel_index(at, game.sizes)
    return tuple(np.eye(size)[action] for size, action in zip(game.sizes, chosen, strict=True))


def stable_outcomes(game: FiniteGame) -> NDArray[np.bool_]:
    """Return for each outcome whether no player gains by changing its action alone, shape ``game.sizes``."""
    stable = np.ones(game.sizes, dtype=bool)
    for player, tensor in enumerate(game.to_tensor().tensors):
        stable &= tensor == tensor.max(axis=player, keepdims=True)
    return stable


def _shifted(walk: Steps, before: int) -> Steps:
    """Count on from ``before``."""
    while True:
        try:
            step = next(walk)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
        yield replace(step, iteration=step.iteration + before)
