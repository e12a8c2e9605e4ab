"""Equilibria of small games of n players, support by support.

Source: Porter, Nudelman and Shoham (2008), "Simple search methods for finding a Nash equilibrium", section 4, for the
order of supports and for leaving out those with a conditionally dominated action.

1. Without actions that another one always beats, over and over. 2. All pure equilibria, by inspection. 3. Where at most
two players have a choice: :mod:`engine.games.solvers.vertices`. 4. Three players of two actions: by elimination,
exactly (:mod:`engine.games.solvers.supports_exact`). 5. Otherwise each support profile, small and balanced ones first:
leave it out where an action in it is worse than another one whatever the others play in it, or where it has more
equations than unknowns; else Newton from several starts (one where two players mix: the equations are linear then).
6. Keep what is an equilibrium and not there yet.
Isolated solutions can be missed by the fifth, and the answer says so. Parameter ``starts``: how many.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from engine.games.games import BimatrixGame, FiniteGame, Floats, Profile, TensorGame
from engine.games.options import SolveOptions
from engine.games.results import Outcome, Step, Steps
from engine.games.solvers.supports_exact import ONE, Elimination
from engine.games.solvers.tensor import stable_outcomes
from engine.games.solvers.tensor_form import TensorForm, regrets_of, tensor_form
from engine.games.solvers.tensor_newton import action_payoffs, restrict

STARTS = 24
MOST_SUPPORTS = 200_000
MOST_FOUND = 10_000
ENOUGH = 1e-9  # sum of relative regrets of an equilibrium
SAME = 1e-6  # two profiles nearer than that are one
TURNS = 25  # of Newton's iteration from a start
PAUSE = 16  # supports from one step to the next
Marks = tuple[tuple[int, ...], ...]  # the actions of each player in a support


def steps(game: FiniteGame, options: SolveOptions) -> Steps:
    """Search all supports; a step shows the equilibrium found last. ``iterations``: at most so many supports."""
    kept = undominated(tensor_form(game), game.sizes)
    if all(len(actions) == size for actions, size in zip(kept, game.sizes, strict=True)):
        return (yield from _all_of(game, options))
    small = TensorGame(tuple(tensor[np.ix_(*kept)] for tensor in game.to_tensor().tensors))
    walk = _all_of(small, options)
    while True:
        try:
            step = next(walk)
        except StopIteration as end:
            outcome: Outcome = end.value
            profiles = tuple(_spread(profile, kept, game.sizes) for profile in outcome.profiles)
            return replace(outcome, profiles=profiles)
        yield replace(step, profile=_spread(step.profile, kept, game.sizes))


def _spread(profile: Profile, kept: Marks, sizes: tuple[int, ...]) -> Profile:
    """Return strategies of the whole game from those of the actions kept."""
    made = tuple(np.zeros(size) for size in sizes)
    for whole, actions, part in zip(made, kept, profile, strict=True):
        whole[list(actions)] = part
    return made


def undominated(form: TensorForm, sizes: tuple[int, ...]) -> Marks:
    """Return the actions of each player that are left when those which another one always beats are gone."""
    worse = _Dominated(form)
    marks: Marks = tuple(tuple(range(size)) for size in form.sizes)
    while True:
        left = tuple(
            tuple(action for action in mark if not worse.mask(player, marks)[action])
            for player, mark in enumerate(marks)
        )
        if left == marks:
            break
        marks = left
    every: list[tuple[int, ...]] = [(0,) for _ in sizes]
    for player, mark in zip(form.players, marks, strict=True):
        every[player] = mark
    return tuple(every)


def _all_of(game: FiniteGame, options: SolveOptions) -> Steps:
    form = tensor_form(game)
    if form.sizes.size == 2:
        return (yield from _two_players(game, form, options))
    found = Found(game, form)
    pure = all_pure(game, MOST_FOUND + 1)
    for profile in pure[:MOST_FOUND]:
        found.profiles.append(form.flatten(profile))
    yield found.step(1, "pure")
    if form.sizes.size < 2:
        few = len(pure) <= MOST_FOUND
        return found.outcome(1, few, "" if few else f"only the first {MOST_FOUND} equilibria are listed")
    if tuple(form.sizes) == (2, 2, 2) and _eliminate(game, form, found):
        yield found.step(2, "elimination")
        return found.outcome(2, True, "infinitely many: the ends of their sets are listed" if found.endless() else "")
    tried, ended = yield from search(form, found, options)
    starts = int(options.parameters.get("starts", STARTS))
    message = f"Newton from {starts} starts on each of {tried} supports: equilibria may be missing"
    return found.outcome(tried + 1, False, message if ended else message + ", and larger supports were left out")


def all_pure(game: FiniteGame, most: int) -> list[Profile]:
    """Return the first ``most`` equilibria in pure strategies, in the order of the outcomes."""
    places = np.flatnonzero(stable_outcomes(game))[:most]
    eyes = [np.eye(size) for size in game.sizes]
    return [
        tuple(eye[action] for eye, action in zip(eyes, np.unravel_index(place, game.sizes), strict=True))
        for place in places
    ]


@dataclass(slots=True, eq=False)
class Found:
    """The equilibria found so far, flat."""

    game: FiniteGame
    form: TensorForm
    profiles: list[Floats] = field(default_factory=list)

    def add(self, flat: Floats) -> bool:
        """Keep a profile that is an equilibrium and not there yet; return whether it was kept."""
        form = self.form
        if float(regrets_of(form, flat, action_payoffs(form, flat)).sum()) > ENOUGH:
            return False
        if any(np.abs(flat - other).max() <= SAME for other in self.profiles):
            return False
        self.profiles.append(flat)
        return True

    def step(self, iteration: int, note: str) -> Step:
        """Return a step with the equilibrium found last, the centroid where there is none."""
        flat = self.profiles[-1] if self.profiles else self.form.uniform()
        profile = self.form.profile(flat)
        return Step(iteration, profile, float(self.game.regrets(profile).sum()), f"{note}: {len(self.profiles)} found")

    def endless(self) -> bool:
        """Whether two differ in one player alone: what lies between them is then an equilibrium as well."""
        each = [self.form.profile(flat) for flat in self.profiles]
        apart = ([np.abs(x - y).max() > SAME for x, y in zip(*pair, strict=True)] for pair in combinations(each, 2))
        return any(sum(players) == 1 for players in apart)

    def outcome(self, iterations: int, complete: bool, message: str) -> Outcome:
        """Return what was found."""
        profiles = tuple(self.form.profile(flat) for flat in self.profiles)
        return Outcome(profiles, iterations=iterations, complete=complete, message=message)


def _two_players(game: FiniteGame, form: TensorForm, options: SolveOptions) -> Steps:
    """Let vertex enumeration do it, and put the players without a choice back in."""
    from engine.games.solvers import vertices

    tensors = game.to_tensor().tensors
    first, second = (tensors[player].reshape(tuple(form.sizes)) for player in form.players)
    walk = vertices.steps(BimatrixGame(first, second), options)
    while True:
        try:
            step = next(walk)
        except StopIteration as end:
            outcome: Outcome = end.value
            break
        yield replace(step, profile=form.profile(np.concatenate(step.profile)))
    profiles = tuple(form.profile(np.concatenate(profile)) for profile in outcome.profiles)
    return replace(outcome, profiles=profiles, method="vertices")


def _eliminate(game: FiniteGame, form: TensorForm, found: Found) -> bool:
    """Solve a game of three players with two actions exactly; return whether these are all equilibria."""
    tensors = game.to_tensor().tensors
    own_first = [np.moveaxis(tensors[player].reshape(2, 2, 2), place, 0) for place, player in enumerate(form.players)]
    exact = Elimination(own_first)
    found.profiles[:] = []
    for point in exact.points:
        found.profiles.append(np.array([share for part in point for share in (float(part), float(ONE - part))]))
    return exact.certain


def search(form: TensorForm, found: Found, options: SolveOptions) -> Generator[Step, None, tuple[int, bool]]:
    """Go through the supports; return how many were tried and whether all were."""
    most = options.iterations or MOST_SUPPORTS
    pause = options.stride or PAUSE
    rng = np.random.default_rng(options.seed)
    starts = int(options.parameters.get("starts", STARTS))
    worse = _Dominated(form)
    for seen, marks in enumerate(supports(form), 1):
        if seen > most or len(found.profiles) >= MOST_FOUND:
            return seen - 1, False
        new = False
        if _solvable(marks) and not worse.has_one(marks):
            for flat in _solve(form, marks, starts, rng):
                new |= found.add(flat)
        if new or seen % pause == 0:
            yield found.step(seen + 1, "supports of " + " x ".join(str(len(mark)) for mark in marks))
    return seen, True


def supports(form: TensorForm) -> Iterator[Marks]:
    """Yield the support profiles in which somebody mixes: few actions first, then balanced ones."""
    sizes = [int(size) for size in form.sizes]
    for total in range(len(sizes) + 1, sum(sizes) + 1):
        for counts in sorted(_shares(sizes, total), key=lambda made: (max(made) - min(made), made)):
            yield from product(*(combinations(range(n), k) for n, k in zip(sizes, counts, strict=True)))


def _shares(sizes: list[int], total: int) -> Iterator[tuple[int, ...]]:
    """Yield the ways to give each player at least one action and at most all, ``total`` together."""
    if len(sizes) == 1:
        if 1 <= total <= sizes[0]:
            yield (total,)
        return
    rest = len(sizes) - 1
    for count in range(max(1, total - sum(sizes[1:])), min(sizes[0], total - rest) + 1):
        for others in _shares(sizes[1:], total - count):
            yield count, *others


def _solvable(marks: Marks) -> bool:
    """Whether nobody has to be made indifferent by more equations than the others have unknowns."""
    unknowns = sum(len(mark) - 1 for mark in marks)
    return all(2 * (len(mark) - 1) <= unknowns for mark in marks)


class _Dominated:
    """Which actions are worse than another one whatever the others play in their supports; remembered."""

    def __init__(self, form: TensorForm) -> None:
        self._tensors = []
        for player, row in enumerate(form.payoffs):
            order = [player, *(other for other in range(form.sizes.size) if other != player)]
            self._tensors.append(row.reshape([int(form.sizes[other]) for other in order]))
        self._known: dict[tuple[int, Marks], NDArray[np.bool_]] = {}

    def has_one(self, marks: Marks) -> bool:
        """Whether a player has such an action in its support."""
        return any(self.mask(player, marks)[list(mark)].any() for player, mark in enumerate(marks))

    def mask(self, player: int, marks: Marks) -> NDArray[np.bool_]:
        """Return for each action of a player whether another one beats it."""
        others = marks[:player] + marks[player + 1 :]
        mask = self._known.get((player, others))
        if mask is None:
            tensor = self._tensors[player]
            lines = tensor[np.ix_(range(tensor.shape[0]), *others)].reshape(tensor.shape[0], -1)
            mask = np.array([(lines > line).all(axis=1).any() for line in lines])
            if len(self._known) > MOST_SUPPORTS:
                self._known.clear()
            self._known[player, others] = mask
        return mask


def _solve(form: TensorForm, marks: Marks, starts: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Yield what Newton finds on a support, without negative probabilities."""
    from engine.games.solvers.tensor_newton_jit import newton

    keep = np.zeros(form.width, dtype=bool)
    for start, mark in zip(form.starts, marks, strict=False):
        keep[start + np.array(mark)] = True
    small = restrict(form, keep)
    whole = np.ones(small.width, dtype=bool)
    linear = sum(len(mark) > 1 for mark in marks) == 2
    for _ in range(1 if linear else starts):
        part = rng.exponential(size=small.width)
        part /= np.repeat(np.add.reduceat(part, small.starts[:-1]), small.sizes)
        if newton(small.payoffs, small.sizes, small.starts, whole, part, TURNS) and part.min() >= -1e-9:
            flat = np.zeros(form.width)
            flat[keep] = np.maximum(part, 0.0)
            yield flat / np.repeat(np.add.reduceat(flat, form.starts[:-1]), form.sizes)
