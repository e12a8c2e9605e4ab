"""Best-response iteration in consensus games: all agents move at once to where the others make them happiest.

The map is affine, ``x -> (C + D)^-1 (C p + W x)`` with D the row sums of W, so distances to the equilibrium shrink by
the spectral radius of ``(C + D)^-1 W`` an iteration (and the gap, a square, by its square). Below one whenever every
agent listens, perhaps through others, to one that is confident. Source: the Jacobi iteration, Varga (1962), "Matrix
Iterative Analysis", section 3.1; games of opinions, Bindel, Kleinberg, Oren (2015), "How bad is forming your own
opinion?", section 2.
"""

from __future__ import annotations

import numpy as np

from engine.games.consensus import ConsensusGame
from engine.games.errors import GameError
from engine.games.games import Floats
from engine.games.options import SolveOptions
from engine.games.results import Outcome, Step, Steps
from engine.games.solvers.pacing import batches

ITERATIONS = 100_000
OBSERVED = 16  # iterations over which the rate is measured
REVERSED = -0.9  # cosine between two moves from which on they count as going back and forth
NEGLIGIBLE = 1e-280  # squared moves below this say nothing about a rate


class Iteration:
    """Best responses from somewhere on: ``positions`` (n, d), the ``gap`` there, both relative and in payoff units.

    ``damping`` in [0, 1) is the share of the old position that is kept; None begins with 0 and takes 1/2 once the
    moves go back and forth without getting shorter (two agents who only copy each other swap for ever).
    """

    def __init__(self, game: ConsensusGame, positions: Floats, damping: float | None = None) -> None:
        if damping is not None and not 0 <= damping < 1:
            raise GameError("The damping cannot be used", f"{damping} is not at least 0 and below 1")
        self.game = game
        self.positions = positions
        self.damping = damping or 0.0
        self.count = 0
        self._automatic = damping is None
        self._weight = game.confidence + game.influence.sum(axis=1)
        self._scale = self._weight / game.ranges()
        self._sizes: list[float] = []
        self._look()

    def advance(self, count: int, target: float) -> None:
        """Do ``count`` iterations, fewer when the relative gap reaches ``target`` before."""
        for _ in range(count):
            if self.relative <= target:
                return
            before = self._move
            self.positions = self.positions + (1.0 - self.damping) * before
            self.count += 1
            self._look()
            if self._automatic and self.damping == 0.0 and self._swings(before):
                self.damping = 0.5
                self._sizes.clear()

    @property
    def rate(self) -> float | None:
        """By what factor the moves shrank an iteration, lately; None where nothing can be said."""
        sizes = [size for size in self._sizes if size > NEGLIGIBLE]
        if len(sizes) < 3:
            return None
        return float((sizes[-1] / sizes[0]) ** (0.5 / (len(sizes) - 1)))

    def _look(self) -> None:
        self._move = self.game.best_responses(self.positions) - self.positions
        squares = (self._move**2).sum(axis=1)
        self.gap = float(self._weight @ squares)
        self.relative = float(self._scale @ squares)
        self._sizes = [*self._sizes[1 - OBSERVED :], float(squares.sum())]

    def _swings(self, before: Floats) -> bool:
        if len(self._sizes) < 2:
            return False
        old, new = self._sizes[-2:]
        return new > 0.81 * old and float((before * self._move).sum()) < REVERSED * float(np.sqrt(old * new))


def start_of(game: ConsensusGame, options: SolveOptions) -> Floats:
    """Return where to begin: the start of the options, else the ideal points, shape (n, d)."""
    return game.points if options.start is None else np.stack(game.check_profile(options.start))


def steps(game: ConsensusGame, options: SolveOptions) -> Steps:
    """Iterate best responses to epsilon; parameter ``damping`` as in :class:`Iteration`.

    The rate in the outcome is the observed one.
    """
    run = Iteration(game, start_of(game, options), options.parameters.get("damping"))
    yield Step(0, tuple(run.positions), run.gap)
    limit = options.iterations or ITERATIONS
    for count in batches(limit, options.stride, float(game.influence.size * game.points.shape[1])):
        if run.relative <= options.epsilon:
            break
        run.advance(count, options.epsilon)
        yield Step(run.count, tuple(run.positions), run.gap, "damped" if run.damping else "")
    reached = run.relative <= options.epsilon
    why = "" if reached else f"the gap was still {run.gap:.3g} after {run.count:,} iterations"
    if run.damping:
        why = f"{why}{'; ' if why else ''}moves damped by {run.damping:g}"
    return Outcome((tuple(run.positions),), iterations=run.count, complete=reached, message=why, rate=run.rate)
