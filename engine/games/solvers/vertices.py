"""All equilibria of a game of two players: the vertices of both best-response polytopes that match.

In fp64 by the compiled :mod:`engine.games.solvers.vertices_jit` (whose clear form is ``vertices_search``); wherever
rounding leaves a doubt, a tie above all, anew in the exact arithmetic of :mod:`engine.games.solvers.rational`. A
nondegenerate game has finitely many equilibria, each such a pair; a degenerate one may have infinitely many, convex
combinations of its extreme ones, which are listed.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.games.errors import GameError
from engine.games.games import BimatrixGame, Floats, MatrixGame, payoff_array, regrets_from
from engine.games.options import SolveOptions
from engine.games.results import Outcome, Step, Steps
from engine.games.solvers import rational

Pair = tuple[Floats, Floats]
MAX_VERTICES = 4_000_000  # of one polytope in fp64: some 250 MB
MAX_SMALL = 1_000_000  # of one polytope in exact arithmetic, with small integers: some 250 MB
MAX_BASES = 200_000  # of one polytope in exact arithmetic, with long ones: minutes
MAX_NUMBERS = 10_000  # payoffs a player; a larger game has no chance to end
MAX_LISTED = 1000  # pure equilibria given of a game that is too large
MAX_EQUILIBRIA = 100_000
_ROOM = 1 << 24  # probabilities in a list of equilibria: 128 MB
_LABELS = 62  # a mask of labels is one signed integer in the compiled search
_COMPARISONS = 100_000_000  # of payoffs, to find dominated actions: a tenth of a second
_MATCHES = 4096
_CHUNK = 20_000  # vertices from one step to the next in fp64
_PAUSE = 0.1  # seconds from one step to the next in exact arithmetic


@dataclass(frozen=True, slots=True, eq=False)
class Reduced:
    """A game without the actions that another pure one strictly dominates; ``rows`` and ``columns`` are left."""

    a: Floats
    b: Floats
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]

    def spread(self, x: ArrayLike, y: ArrayLike) -> Pair:
        """Return strategies of the whole game from those of the actions left."""
        full_x, full_y = np.zeros(self.a.shape[0]), np.zeros(self.a.shape[1])
        full_x[self.rows], full_y[self.columns] = x, y
        return full_x, full_y

    def most(self, count: int) -> int:
        """Return how many equilibria may be listed, at most so many."""
        return max(1, min(count, _ROOM // sum(self.a.shape)))

    def payoffs(self) -> tuple[Floats, Floats]:
        """Return both players' payoffs by their own actions first: (n, m) and (m, n)."""
        if self.a.shape == (len(self.rows), len(self.columns)):
            return self.a, np.ascontiguousarray(self.b.T)
        kept = np.ix_(self.rows, self.columns)
        return np.ascontiguousarray(self.a[kept]), np.ascontiguousarray(self.b[kept].T)


@dataclass(slots=True, eq=False)
class Search:
    """What is known on the way: equilibria, vertices visited, and why it stopped early, if it did."""

    game: Reduced
    options: SolveOptions
    found: list[Pair] = field(default_factory=list)
    visited: int = 0
    stopped: str = ""
    message: str = ""
    _seconds: float = 0.0
    _told: int = 0

    def tell(self, note: str, since: float) -> Step:
        """Return a step with the latest equilibrium, and add up the time that was needed for it."""
        self._seconds += time.perf_counter() - since
        n, m = self.game.a.shape
        profile = self.found[-1] if self.found else (np.full(n, 1 / n), np.full(m, 1 / m))
        self._told = max(self._told + 1, self.visited)
        vectors = self.game.a @ profile[1], profile[0] @ self.game.b
        return Step(self._told, profile, float(regrets_from(profile, vectors).sum()), note)

    def limit(self, own: int) -> int:
        """Return how many vertices of one polytope may be visited."""
        return self.options.iterations or own

    def ends(self, count: int, own: int) -> bool:
        """Say whether to stop: so many vertices of one polytope were visited, or the time is nearly up."""
        if self._seconds > 0.8 * self.options.time_limit_s:
            self.stopped = f"the time limit of {self.options.time_limit_s:g} s"
        elif count >= self.limit(own):
            self.stopped = f"{count} vertices of one polytope"
        elif len(self.found) >= self.game.most(MAX_EQUILIBRIA):
            self.stopped = f"{len(self.found)} equilibria"
        return bool(self.stopped)


def all_equilibria(a: ArrayLike, b: ArrayLike) -> list[Pair]:
    """Return all (extreme) equilibria (x (n,), y (m,)) of the payoffs ``a`` and ``b``, both (n, m).

    Raises GameError where the payoffs are none, or where the search is given up (see the limits of this module).
    """
    mine, theirs = payoff_array(a, 2, "payoff matrix of player 1"), payoff_array(b, 2, "payoff matrix of player 2")
    if mine.shape != theirs.shape:
        raise GameError("The payoff matrices do not fit", f"their shapes are {mine.shape} and {theirs.shape}")
    game = reduced(mine, theirs)
    found = _at_once(game)
    if found is not None:
        return found
    search = Search(game, SolveOptions())
    for _ in _searched(search):
        pass
    if search.stopped:
        raise GameError("The equilibria could not all be found", f"stopped at {search.stopped}", "Reduce the game.")
    return search.found


def steps(game: BimatrixGame | MatrixGame, options: SolveOptions) -> Steps:
    """Find all equilibria; a step shows the latest one found, its iteration counts vertices visited."""
    pair = game.to_bimatrix() if isinstance(game, MatrixGame) else game
    search = Search(reduced(pair.a, pair.b), options)
    exact = yield from _searched(search)
    yield search.tell("exact" if exact else "vertices", time.perf_counter())
    if search.stopped:
        search.found += pure_equilibria(search.game, search.found, MAX_LISTED)
        search.message = f"stopped at {search.stopped}; there may be more equilibria"
    return Outcome(
        tuple(search.found),
        iterations=search.visited,
        complete=not search.stopped,
        method="exact" if exact else "",
        message=search.message,
    )


def reduced(a: Floats, b: Floats) -> Reduced:
    """Return the game without strictly dominated actions, again and again; large ones as they are."""
    n, m = a.shape
    own, theirs = np.ones(n, np.bool_), np.ones(m, np.bool_)
    if n * m * (n + m) <= _COMPARISONS:
        from engine.games.solvers.vertices_drop_jit import drop

        transposed = np.ascontiguousarray(b.T)
        while drop(a, own, theirs) | drop(transposed, theirs, own):
            pass
    return Reduced(a, b, np.flatnonzero(own), np.flatnonzero(theirs))


def pure_equilibria(game: Reduced, known: list[Pair], most: int) -> list[Pair]:
    """Return the first equilibria in pure strategies that are not among the known ones, at most so many."""
    most = game.most(most)
    best = (game.a == game.a.max(axis=0)) & (game.b == game.b.max(axis=1, keepdims=True))
    have = {(int(x.argmax()), int(y.argmax())) for x, y in known if x.max() == y.max() == 1.0}
    made = []
    for i, j in np.argwhere(best)[: most + len(have)].tolist():
        if (i, j) not in have:
            made.append((np.eye(1, game.a.shape[0], i)[0], np.eye(1, game.a.shape[1], j)[0]))
    return made[:most]


def _at_once(game: Reduced) -> list[Pair] | None:
    """Return all equilibria by one compiled call; None where that is in doubt or the game too large."""
    n, m = len(game.rows), len(game.columns)
    if n + m > _LABELS:
        return None
    from engine.games.solvers import vertices_jit as jit

    code, keys, xs, ys = jit.both(*game.payoffs(), np.empty(_MATCHES, np.int64), MAX_VERTICES)
    if code != jit.DONE:
        return None
    order = np.argsort(keys)
    if game.a.shape == (n, m):
        return [(xs[k], ys[k]) for k in order]
    return [game.spread(xs[k], ys[k]) for k in order]


def _searched(search: Search) -> Generator[Step, None, bool]:
    """Fill in what ``search`` finds; return whether that took exact arithmetic."""
    n, m = len(search.game.rows), len(search.game.columns)
    if min(n, m) == 1:  # who has a choice mixes the best actions at will
        search.found = pure_equilibria(search.game, [], MAX_EQUILIBRIA)
        search.ends(0, 1)
        search.message = _described(1, 1, len(search.found)) if len(search.found) > 1 else ""
        return True
    if n * m > MAX_NUMBERS:
        search.stopped = f"the start: {n} x {m} actions, not strictly dominated, are too many"
        return False
    if n + m <= _LABELS and not search.options.parameters.get("exact"):
        sure = yield from _walked(search)
        if sure or search.stopped:
            return False
        search.found.clear()
    yield from _enumerated(search)
    return True


def _walked(search: Search) -> Generator[Step, None, bool]:
    """Search in fp64, a chunk of vertices after the other; False where there is a doubt."""
    from engine.games.solvers import vertices_jit as jit

    a, theirs = search.game.payoffs()
    n, m = a.shape
    (first, x_scale), (second, y_scale) = jit.polytope(theirs), jit.polytope(a)
    spare = jit.start(first), jit.start(second)
    matches, table = np.empty(_MATCHES, np.int64), np.zeros(1, np.int64)
    most, keys = search.limit(MAX_VERTICES), list[int]()
    for matrix in (first, second):
        walk, code, before = jit.start(matrix), jit.MORE, search.visited
        while True:
            since, count = time.perf_counter(), int(walk.state[jit.VISITED])
            code, walk = jit.run(walk, table, matches, min(search.options.stride or _CHUNK, max(most - count, 1)))
            search.visited = before + int(walk.state[jit.VISITED])
            ys, walk.state[jit.FOUND] = matches[: walk.state[jit.FOUND]].copy(), 0
            xs = jit.swapped(ys, n, m)
            keys += xs.tolist()
            pairs = zip(jit.points(spare[0], xs, x_scale), jit.points(spare[1], ys, y_scale), strict=True)
            search.found += [search.game.spread(x, y) for x, y in pairs]
            yield search.tell("vertices", since)
            if code != jit.MORE or search.ends(search.visited - before, MAX_VERTICES):
                break
        if code != jit.DONE:
            return False
        table = walk.table
    search.found = [search.found[k] for k in np.argsort(keys)]
    return len(keys) % 2 == 1  # as in every nondegenerate game


def _enumerated(search: Search) -> Generator[Step, None, None]:
    """Search in exact arithmetic, and describe the set of equilibria."""
    a, theirs = search.game.payoffs()
    first = yield from _exact_vertices(search, theirs)
    if not search.stopped:
        second = yield from _exact_vertices(search, a)
        if not search.stopped:
            yield from _paired(search, first, second)


def _exact_vertices(search: Search, payoffs: Floats) -> Generator[Step, None, rational.Vertices]:
    """Enumerate the vertices of one polytope: compiled as long as the integers are small, else as long as they get."""
    matrix, units = rational.whole(payoffs)
    side = rational.Vertices(units)
    if sum(payoffs.shape) <= _LABELS and max(map(max, matrix)) < 1 << 31:
        small = yield from _small_vertices(search, np.array(matrix, np.int64), side)
        if small or search.stopped:
            return side
    since = time.perf_counter()
    for count, tableau in enumerate(rational.bases_of(matrix)):
        if search.ends(count, MAX_BASES):
            break
        side.add(tableau)
        search.visited += 1
        if search.options.stride or time.perf_counter() - since > _PAUSE:
            yield search.tell("exact", since)
            since = time.perf_counter()
    return side


def _small_vertices(search: Search, matrix: NDArray[np.int64], side: rational.Vertices) -> Generator[Step, None, bool]:
    """Fill in ``side`` by the compiled search; False when its integers became too large."""
    from engine.games.solvers import rational_jit as jit

    walk, before = jit.start(matrix, 1 << 8), search.visited
    while True:
        since, count = time.perf_counter(), int(walk.state[jit.VISITED])
        chunk = min(search.options.stride or _CHUNK, max(search.limit(MAX_SMALL) - count, 1))
        code, walk = jit.run(walk, chunk)
        count = int(walk.state[jit.VISITED])
        search.visited = before + count
        yield search.tell("exact", since)
        if code != jit.MORE or search.ends(count, MAX_SMALL):
            break
    side.points.update(zip(walk.masks[:count].tolist(), walk.points[:count], strict=True))
    return bool(code == jit.DONE)


def _paired(search: Search, first: rational.Vertices, second: rational.Vertices) -> Generator[Step, None, None]:
    """Match the vertices, rounding their strategies correctly."""
    known: list[dict[int, Floats]] = [{}, {}]
    pairs, since = list[tuple[int, int]](), time.perf_counter()
    for group in rational.pairs_of(first, second):
        for pair in group:
            for strategies, side, mask in zip(known, (first, second), pair, strict=True):
                if mask not in strategies:
                    strategies[mask] = np.array([float(share) for share in side.strategy(mask)])
            search.found.append(search.game.spread(known[0][pair[0]], known[1][pair[1]]))
        pairs += group
        if time.perf_counter() - since > _PAUSE:
            yield search.tell("exact", since)
            since = time.perf_counter()
        if search.ends(0, MAX_BASES):
            return
    search.found = [search.found[k] for k in sorted(range(len(pairs)), key=pairs.__getitem__)]
    parts = rational.components(pairs)
    if len(parts) < len(pairs):
        search.message = _described(len(parts), rational.nash_subsets(pairs), len(pairs))


def _described(parts: int, subsets: int | None, extreme: int) -> str:
    counted = f"{parts} component{'s' * (parts != 1)}"
    if subsets:
        counted += f", {subsets} maximal Nash subset{'s' * (subsets != 1)}"
    return f"infinitely many: {counted}; the {extreme} extreme ones are listed"
