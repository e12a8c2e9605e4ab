"""One equilibrium of a polymatrix game by complementary pivoting on the whole game.

Howson (1972), "Equilibria of polymatrix games", Management Science 18: the equilibria are the solutions of a linear
complementarity problem. It is solved by Lemke (1965), "Bimatrix equilibrium points and mathematical programming",
Management Science 11; that this ends at a solution: Miller and Zucker (1991), "Copositive-plus Lemke algorithm solves
polymatrix games", Operations Research Letters 10. The path is the one that starts at given strategies, as in van den
Elzen and Talman (1991), "A procedure for finding Nash equilibria in bi-matrix games", ZOR 35: it is far shorter than
from the cover of all ones. Lexicographic, so that degenerate games do not cycle.

1. Turn payoffs into positive costs C, also of each player against itself (a constant), by shifts and powers of two.
2. Find x >= 0 and v with ``w = C x - v >= 0`` for each action, ``sum of x - 1 >= 0`` for each player, and each variable
   zero where its line is not. Add z0 times a cover to the lines: what the starting strategies p cost to the first ones,
   1 to the others. Then x + z0 p are strategies all along.
3. Let z0 enter; the line that is least leaves. Then let the twin of what left enter, again and again, the
   lexicographically least ratio leaving, until z0 leaves.
4. Read the strategies off and solve the final basis again from the payoffs. If rounding led astray, or a path is long,
   begin anew at other strategies, drawn at random.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Generator

import numpy as np

from engine.games.errors import GameError
from engine.games.games import Floats, PolymatrixGame, Profile, regrets_from
from engine.games.options import SolveOptions
from engine.games.results import Outcome, Step, Steps
from engine.games.solvers.lemke_howson_tableau import TIE, Tableau

_WORK = 20_000_000_000  # entries changed in all, unless told otherwise: about ten seconds
_FEWEST = 1000  # pivots, however large the game
CAP = 10_000  # pivots until another start is tried; eight times as many after each round
ROUND = 5
REBUILD = 256  # pivots after which the tableau is made anew, more of them in large games
GOOD = 1e-12  # relative gap above which another start is tried
DONE, MORE, LOST = 1, 0, -1
_EPS = float(np.finfo(np.float64).eps)
_MOST_STARTS = 4 * ROUND
_CHUNK = 1 << 26  # entries changed between two steps that are told, where none is asked for: about 0.1 s


def steps(game: PolymatrixGame, options: SolveOptions) -> Steps:
    """Pivot; a step a pivot. Parameter ``cap``: pivots until another start is tried. ``seed`` decides on those."""
    size, cap = sum(game.sizes) + len(game.sizes), int(options.parameters.get("cap", CAP))
    limit = options.iterations or max(_FEWEST, _WORK // size**2)
    if cap < 1:
        raise GameError("The cap cannot be used", f"{cap} is below 1")
    done, best_gap = 0, math.inf
    best: tuple[Profile, ...] = ()
    why = f"{limit} pivots were not enough"
    for attempt in itertools.count():
        if done >= limit or attempt == _MOST_STARTS:
            break
        path = Path(game, _start(game, options, attempt))
        status = yield from _follow(path, min(cap * 8 ** (attempt // ROUND), limit - done), options.stride, done)
        done += path.pivots
        if status == MORE:
            continue
        profile = path.finish()
        payoffs, ranges = game.payoff_vectors(profile), game.ranges()
        regrets = regrets_from(profile, payoffs)
        yield Step(done, profile, float(regrets.sum()), "Howson")
        gap = float((regrets / ranges).sum())
        if gap < best_gap:
            best, best_gap, why = (profile,), gap, "rounding errors led the paths astray"
        largest = np.array([np.abs(of_one).max() for of_one in payoffs])
        if gap <= GOOD + _EPS * sum(game.sizes) * float((largest / ranges).sum()):  # no finer than payoffs are known
            break
    solved = best_gap <= options.epsilon
    return Outcome(best, iterations=done, complete=solved, message="" if solved else why)


class Path:
    """Lemke's path from one start. Labels: the lines w, their twins x and v in the same order, then z0."""

    def __init__(self, game: PolymatrixGame, start: Profile, *, reference: bool = False) -> None:
        self.game = game
        self.pivots = 0
        self._matrix = _complementarity(game)
        self.size, actions = len(self._matrix), sum(game.sizes)
        self._right = np.zeros(self.size)
        self._right[actions:] = -1.0
        # 2. The cover.
        self._start = np.concatenate(start)
        self._cover = np.ones(self.size)
        self._cover[:actions] = self._matrix[:actions, :actions] @ self._start
        self._reference = reference
        self.tableau = Tableau(np.column_stack([-self._matrix, -self._cover]), self._right, 0, self.size)
        # 3. The cover enters for the last line: of equal ones it is the lexicographically least.
        self._z0 = 2 * self.size
        self._entering = 2 * self.size - 1
        self.tableau.pivot(self.size - 1, self.size)

    def advance(self, limit: int) -> int:
        """Do at most ``limit`` pivots and return how it stands: DONE, MORE or LOST."""
        done, status, every = 0, MORE, max(REBUILD, self.size)
        while status == MORE and done < limit:
            if self.pivots and self.pivots % every == 0:
                self._rebuild()
            part = min(limit - done, every - self.pivots % every)
            count, status = self._exchange(part) if self._reference else self._compiled(part)
            done += count
            self.pivots += count
        return status

    def _rebuild(self) -> None:
        """Solve for the basic variables anew, to drop rounding errors."""
        columns = np.column_stack([np.eye(self.size), -self._matrix, -self._cover])
        t, others = self.tableau, np.column_stack([columns[:, self.tableau.free], self._right])
        with contextlib.suppress(np.linalg.LinAlgError):
            t.t[...] = np.linalg.solve(columns[:, t.basic], others)

    def _exchange(self, limit: int) -> tuple[int, int]:
        tableau = self.tableau
        for count in range(limit):
            column = int(tableau.place[self._entering])
            row = tableau.leaving_row(column)
            if row < 0:
                return count, LOST
            cover = -1 - int(tableau.place[self._z0])
            if tableau.t[cover, column] > 0.0 and _ratio(tableau, cover, column) <= _ratio(tableau, row, column) + TIE:
                row = cover
            leaving = int(tableau.basic[row])
            tableau.pivot(row, column)
            if leaving == self._z0:
                return count + 1, DONE
            self._entering = leaving + self.size if leaving < self.size else leaving - self.size
        return limit, MORE

    def _compiled(self, limit: int) -> tuple[int, int]:
        from engine.games.solvers import howson_jit as jit

        t = self.tableau
        count, status, self._entering = jit.exchange_all(t.t, t.basic, t.free, t.place, self._entering, limit)
        return count, status

    def profile(self) -> Profile:
        """Return the strategies here."""
        values = self.tableau.values(self.size, self.size + 1)
        actions = self._start.size
        return self._strategies(values[:actions] + values[-1] * self._start)

    def finish(self) -> Profile:
        """Return the strategies of the final basis, solved again from the payoffs."""
        # 4. Of the lines that are tight and the variables that are basic.
        place = self.tableau.place
        tight, basic = place[: self.size] >= 0, place[self.size : 2 * self.size] < 0
        if tight.sum() != basic.sum():
            return self.profile()
        try:
            found = np.linalg.solve(self._matrix[np.ix_(tight, basic)], -self._right[tight])
        except np.linalg.LinAlgError:
            return self.profile()
        values = np.zeros(self.size)
        values[basic] = np.where(np.isfinite(found), np.maximum(found, 0.0), 0.0)
        return self._strategies(values[: self._start.size])

    def _strategies(self, values: Floats) -> Profile:
        parts = np.split(values, np.cumsum(self.game.sizes)[:-1])
        return tuple(part / part.sum() if part.any() else np.full(part.size, 1.0 / part.size) for part in parts)


def _follow(path: Path, most: int, stride: int, before: int) -> Generator[Step, None, int]:
    """Yield the path's steps and return how it ended."""
    chunk = stride or max(1, _CHUNK // path.size**2)
    status = MORE
    while status == MORE and path.pivots < most:
        status = path.advance(min(chunk, most - path.pivots))
        if status == MORE:
            profile = path.profile()
            gap = float(regrets_from(profile, path.game.payoff_vectors(profile)).sum())
            yield Step(before + path.pivots, profile, gap, "Howson")
    return status


def _ratio(tableau: Tableau, row: int, column: int) -> float:
    return float(tableau.t[row, -1] / tableau.t[row, column])


def _start(game: PolymatrixGame, options: SolveOptions, attempt: int) -> Profile:
    if attempt == 0:
        return game.uniform() if options.start is None else game.check_profile(options.start)
    chance = np.random.default_rng([options.seed, attempt])
    return tuple(chance.dirichlet(np.ones(size)) for size in game.sizes)


def _complementarity(game: PolymatrixGame) -> Floats:
    """Return the matrix M of ``w = M (x, v) + q``: costs, the players' values, and the sums of the strategies."""
    # 1. Scaled by powers of two and moved by another one, so that what was an integer stays exact.
    players, actions = len(game.sizes), sum(game.sizes)
    starts = np.concatenate([[0], np.cumsum(game.sizes)])
    made = np.zeros((actions + players, actions + players))
    made[:actions, :actions] = 2.0 ** -math.ceil(math.log2(players))
    scales = [math.ldexp(1.0, max(-1000, min(1000, -math.frexp(spread)[1]))) for spread in game.ranges().tolist()]
    for (i, j), payoffs in game.edges.items():
        block = slice(starts[i], starts[i + 1]), slice(starts[j], starts[j + 1])
        made[block] += (payoffs.max() - payoffs) * scales[i]
    for player in range(players):
        own = slice(starts[player], starts[player + 1])
        made[own, actions + player] = -1.0
        made[actions + player, own] = 1.0
    return made
