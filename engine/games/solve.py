"""Drives a method: step by step for who watches, or to the end; and verifies what it answers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from engine.games.errors import GameError
from engine.games.games import FiniteGame, Game, Profile
from engine.games.methods import AUTO, Finds, Method, method_for
from engine.games.options import SolveOptions
from engine.games.results import Equilibrium, Outcome, Solution, Status, Step
from engine.games.verify import correlated_gap, gap_of


class Solving(Iterator[Step]):
    """A run of a method: iterate for its steps, at whatever speed; ``solution`` is there when it ended."""

    def __init__(self, game: Game, method: Method, options: SolveOptions) -> None:
        if options.device not in method.devices:
            raise GameError(
                f"{method.title} does not run on {options.device}", f"it runs on {', '.join(method.devices)}"
            )
        if options.start is not None:
            game.check_profile(options.start)
        self.game = game
        self.method = method
        self.options = options
        self.solution: Solution | None = None
        self._last: Step | None = None
        self._best: Step | None = None
        self._found: dict[bytes, Profile] = {}  # of a method that looks for all
        self._near = options.epsilon * float(game.ranges().max())
        self._seconds = 0.0
        self._steps = method.solver()(game, options)

    def __next__(self) -> Step:
        """Do one step. Stops the iteration when the method ended or the time is up."""
        if self.solution is not None:
            raise StopIteration
        if self._seconds >= self.options.time_limit_s:
            self._end(self._so_far(f"the time limit of {self.options.time_limit_s:g} s"))
            raise StopIteration
        started = time.perf_counter()
        try:
            step = next(self._steps)
        except StopIteration as end:
            self._seconds += time.perf_counter() - started
            self._end(end.value)
            raise StopIteration from None
        self._seconds += time.perf_counter() - started
        self._last = step
        if self._best is None or step.gap < self._best.gap:
            self._best = step
        if self.method.finds is Finds.ALL and step.gap <= self._near:
            self._found.setdefault(b"".join(part.tobytes() for part in step.profile), step.profile)
        return step

    def cancel(self) -> Solution:
        """Stop here; the solution is the best that is known."""
        if self.solution is None:
            self._end(self._so_far("stopped"), Status.CANCELLED)
        assert self.solution is not None
        return self.solution

    def drain(self, watch: Callable[[Step], object] = lambda step: None) -> Solution:
        """Run to the end, showing each step to ``watch``, and return the solution."""
        for step in self:
            watch(step)
        assert self.solution is not None
        return self.solution

    def _so_far(self, why: str) -> Outcome:
        if self._last is None or self._best is None:
            return Outcome(message=why, complete=False)
        if self._found:
            found = tuple(self._found.values())
            return Outcome(found, iterations=self._last.iteration, message=why, complete=False)
        # Who learns is where it is; a method that looks for an equilibrium may have been nearer before.
        shown = self._best if self.method.finds is Finds.ONE else self._last
        complete = self.method.finds is not Finds.ALL  # if it is verified: one is all that was asked for
        return Outcome((shown.profile,), iterations=self._last.iteration, message=why, complete=complete)

    def _end(self, outcome: Outcome, status: Status | None = None) -> None:
        self._steps.close()
        nothing = not (outcome.profiles or outcome.joints or outcome.complete)
        if nothing and self._best is not None and self.method.finds is not Finds.ALL:
            outcome = replace(outcome, profiles=(self._best.profile,))
        found = _verified(self.game, outcome)
        good = tuple(item for item in found if item.gap.relative <= self.options.epsilon)
        if status is None:
            status = _status(outcome, len(found), len(good))
            robust = [item for item in found if item.reduced and item.reduced.relative <= self.options.epsilon]
            if status is Status.NOT_CONVERGED and robust:
                status = Status.ROBUST
        message = outcome.message
        if status is Status.NOT_CONVERGED and outcome.complete:  # the method knows nothing of it
            gap = min((item.gap.relative for item in found), default=math.inf)
            missed = f"the answer was verified to {gap:.2g} of the payoff range, not to {self.options.epsilon:g}"
            message = f"{message}; {missed}" if message else missed
        # Profiles that miss epsilon are shown only where there is nothing better.
        kept = good or found[:1]
        name = self.method.key if outcome.method in ("", self.method.key) else f"{self.method.key}: {outcome.method}"
        self.solution = Solution(
            kept,
            name,
            status,
            outcome.iterations,
            self._seconds,
            self.options.epsilon,
            self.options.device,
            message,
            outcome.rate,
        )


def solve(
    game: Game,
    method: str = AUTO,
    options: SolveOptions | None = None,
    watch: Callable[[Step], object] = lambda step: None,
) -> Solution:
    """Solve a game by a method of :mod:`engine.games.methods` and return the verified solution.

    Raises GameError where the method, its device or the start does not fit the game.
    """
    return Solving(game, method_for(game, method), options or SolveOptions()).drain(watch)


def _verified(game: Game, outcome: Outcome) -> tuple[Equilibrium, ...]:
    if outcome.joints:
        assert isinstance(game, FiniteGame)
        found = []
        for joint in outcome.joints:
            gap = correlated_gap(game, joint, coarse=outcome.coarse)
            axes = range(joint.ndim)
            marginals = tuple(joint.sum(axis=tuple(a for a in axes if a != player)) for player in axes)
            found.append(Equilibrium(marginals, gap, joint))
        return tuple(found)
    profiles = tuple(game.check_profile(profile) for profile in outcome.profiles)
    reduced = [gap_of(outcome.reduced, profile) if outcome.reduced else None for profile in profiles]
    return tuple(
        Equilibrium(profile, gap_of(game, profile), reduced=inside)
        for profile, inside in zip(profiles, reduced, strict=True)
    )


def _status(outcome: Outcome, found: int, good: int) -> Status:
    if good < found or (found == 0 and not outcome.complete):
        return Status.INCOMPLETE if good else Status.NOT_CONVERGED
    return Status.SOLVED if outcome.complete else Status.INCOMPLETE
