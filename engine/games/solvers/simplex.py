"""Matrix games by linear programming on a condensed tableau, with the self-dual parametric rule.

The game, scaled so that its value v is between 1 and 2, is the pair of programs ``max 1'q: M q <= 1`` and
``min 1'p: M'p >= 1`` with ``y = q v`` and ``x = p v`` for ``v = 1 / 1'q`` (Dantzig 1951, "A proof of the equivalence
of the programming problem and the game problem"). The tableau holds no unit columns (Tucker 1960).

1. Every basis solves the same two programs with ``mu`` times a random positive amount added to each constraint, for
   ``mu`` large enough. So any basis is a start: the empty one, or what another method guessed.
2. The largest ``mu`` for which the basis stops being feasible names a row or a column (Vanderbei, "Linear
   Programming", section 7.3); the ratio test gives the other (Harris 1973: of nearly equal ratios the largest pivot).
3. Pivot, and go on until ``mu`` is 0. Ties have probability zero while ``mu`` is positive, so degenerate games do not
   cycle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from engine.games.games import Floats, MatrixGame
from engine.games.options import SolveOptions
from engine.games.results import Outcome, Step, Steps
from engine.games.solvers.zero_sum_scale import gap_in, scaled, strategy, told

Labels = NDArray[np.int64]
Pivots = Callable[[Floats, Labels, Labels, int], tuple[int, float, bool]]
FEASIBLE = 1e-11  # what is less negative than this counts as zero
SMALLEST_PIVOT = 1e-9
_LOOK = 64  # pivots between two looks at whether the gap is small enough
_UPDATES = 300_000_000  # numbers of the tableau to update between two steps that are told: about a tenth of a second
_RETRIES = 5


@dataclass(slots=True, eq=False)
class Tableau:
    """A basis and its tableau.

    ``table`` (n + 2, m + 2): the tableau, then the column of values and of what ``mu`` adds to them, and the two rows
    of reduced costs likewise. ``basic`` (n,) and ``free`` (m,) name its rows and columns: j for column j of the game,
    ``sizes[1]`` + i for row i. ``mu`` is 0 at the solution; ``stuck`` when rounding left nothing to pivot on.
    """

    table: Floats
    basic: Labels
    free: Labels
    sizes: tuple[int, int]
    mu: float = np.inf
    stuck: bool = False

    @property
    def done(self) -> bool:
        """Whether no pivot is left to do."""
        return self.stuck or self.mu <= 0.0

    def perturb(self, seed: int, first: tuple[Floats, Floats] | None = None) -> None:
        """Begin anew from this basis: set at random what ``mu`` adds to the values and takes from the costs.

        ``first`` are numbers from 0 to 1 for rows and columns; what has a small one is the first to be exchanged.
        """
        table = self.table
        rows, columns = chance(seed, len(table) - 2, table.shape[1] - 2)
        if first is not None:
            rows, columns = first[0] + 0.1 * rows, first[1] + 0.1 * columns
        table[:-2, -1] = 0.5 + rows
        table[-1, :-2] = -0.5 - columns
        table[-2:, -2:] = 0.0
        self.mu, self.stuck = np.inf, False

    def advance(self, limit: int, pivots: Pivots | None = None) -> int:
        """Do at most ``limit`` pivots, compiled unless ``pivots`` says otherwise; return how many were done."""
        count, self.mu, self.stuck = (pivots or _compiled())(self.table, self.basic, self.free, limit)
        return count

    def profile(self) -> tuple[Floats, Floats]:
        """Return the strategies of this basis for this ``mu``; uniform ones while it has no actions."""
        n, m = self.sizes
        mu = self.mu if np.isfinite(self.mu) else 0.0
        q, p = np.zeros(m), np.zeros(n)
        mine, theirs = self.free >= m, self.basic < m
        q[self.basic[theirs]] = (self.table[:-2, -2] + mu * self.table[:-2, -1])[theirs]
        p[self.free[mine] - m] = -(self.table[-2, :-2] + mu * self.table[-1, :-2])[mine]
        return strategy(p), strategy(q)

    def supports(self) -> tuple[Labels, Labels]:
        """Return the row and the column actions in the basis; as many of the one as of the other."""
        m = self.sizes[1]
        return self.free[self.free >= m] - m, self.basic[self.basic < m]


def cold(matrix: Floats, seed: int = 0) -> Tableau:
    """Return the tableau of the empty basis. What does well against uniform play enters it first: half the pivots."""
    n, m = matrix.shape
    table = np.zeros((n + 2, m + 2))
    table[:n, :m] = matrix
    table[:n, m] = 1.0
    table[n, :m] = 1.0
    made = Tableau(table, np.arange(m, m + n), np.arange(m), (n, m))
    made.perturb(seed, (1.0 - _share(matrix.mean(axis=1)), _share(matrix.mean(axis=0))))
    return made


def _share(values: Floats) -> Floats:
    """Return where the values are between the least, 0, and the largest, 1."""
    above = values - values.min()
    return np.asarray(above / max(above.max(), SMALLEST_PIVOT))


def pivoting(matrix: Floats, tableau: Tableau, options: SolveOptions, done: int = 0, most: int = 0) -> Steps:
    """Pivot to the end; ``matrix`` is the whole game, ``done`` how many iterations there were before.

    At most ``most`` pivots are done (0: many more than it should take), and no more than the options allow.

    The outcome is complete when no pivot was left, or none was needed to come within epsilon. In the first case others
    have to say whether the profile is good enough.
    """
    start, retries = done, 0
    chunk = options.stride or max(1, _UPDATES // tableau.table.size)
    limit = done + (most or 50 * sum(matrix.shape) + 1000)
    if options.iterations:
        limit = min(limit, options.iterations)
    while not tableau.done and done < limit:
        look = min(limit, done + _LOOK - (done - start) % _LOOK)  # the same ones at any stride
        done += tableau.advance(min(chunk, look - done))
        if tableau.stuck and retries < _RETRIES:
            retries += 1
            tableau.perturb(options.seed + retries)
        profile = tableau.profile()
        gap = gap_in(matrix, profile)
        yield Step(done, profile, gap, "pivot")
        if done == look and gap <= options.epsilon:
            return Outcome((profile,), iterations=done)
    return Outcome((tableau.profile(),), iterations=done, complete=tableau.mu <= 0.0)


def steps(game: MatrixGame, options: SolveOptions) -> Steps:
    """Solve a zero-sum game by pivoting from the empty basis; a step a pivot, or as many as take a moment."""
    form = scaled(game.a, options)
    tableau = cold(form.matrix, options.seed)
    outcome = yield from told(pivoting(form.matrix, tableau, form.options), form)
    if outcome.complete:
        return outcome
    if tableau.mu <= 0.0:
        return replace(outcome, message="rounding errors kept the basis from being exact enough")
    return replace(outcome, message=f"stopped after {outcome.iterations} pivots")


def solve_matrix(a: Floats, seed: int = 0) -> tuple[Floats, Floats]:
    """Return an equilibrium (x, y) of a payoff matrix, (n, m) to at most some hundred actions a side; compiled.

    The same as pivoting from :func:`cold`, all in one call. Nothing is checked: the caller verifies, where it matters.
    """
    from engine.games.solvers.simplex_jit import solve  # compiled on first use

    for attempt in range(_RETRIES):
        x, y, good = solve(
            np.ascontiguousarray(a, np.float64), *chance(seed + attempt, *a.shape), 50 * sum(a.shape) + 1000
        )
        if good:
            break
    return x, y


@lru_cache(maxsize=8)
def chance(seed: int, n: int, m: int) -> tuple[Floats, Floats]:
    """Return n and m random numbers between 0 and 1, the same ones for a seed; not to be written to."""
    random = np.random.default_rng(seed)
    made = random.random(n), random.random(m)
    for part in made:
        part.flags.writeable = False
    return made


def reference_pivots(table: Floats, basic: Labels, free: Labels, limit: int) -> tuple[int, float, bool]:
    """Do at most ``limit`` pivots in place; return how many, the ``mu`` reached, and whether it is stuck."""
    for count in range(limit):
        mu, row, column = _infeasible(table)
        if mu == 0.0:
            return count, 0.0, False
        if row < 0:
            row = _ratio_test(table[:-2, column], table[:-2, -2] + mu * table[:-2, -1])
        else:
            column = _ratio_test(-table[row, :-2], -(table[-2, :-2] + mu * table[-1, :-2]))
        if row < 0 or column < 0:
            return count, mu, True
        pivot(table, row, column)
        basic[row], free[column] = free[column], basic[row]
    return limit, _infeasible(table)[0], False


def pivot(table: Floats, row: int, column: int) -> None:
    """Exchange what names ``row`` and ``column``, in place, borders and all."""
    inverse = 1.0 / table[row, column]
    left = table[:, column].copy()
    left[row] = 0.0
    table[:, column] = 0.0
    table[row] *= inverse
    table[row, column] = inverse
    table -= left[:, None] * table[row]


def _infeasible(table: Floats) -> tuple[float, int, int]:
    """Return the largest ``mu`` at which something is infeasible with its row or its column, the other being -1."""
    values, costs = table[:-2, -2], table[-2, :-2]
    lowest = np.where(values < -FEASIBLE, -values / np.maximum(table[:-2, -1], SMALLEST_PIVOT), 0.0)
    highest = np.where(costs > FEASIBLE, costs / np.maximum(-table[-1, :-2], SMALLEST_PIVOT), 0.0)
    row, column = int(lowest.argmax()), int(highest.argmax())
    if highest[column] > lowest[row]:
        return float(highest[column]), -1, column
    return float(lowest[row]), row, -1


def _ratio_test(entries: Floats, values: Floats) -> int:
    usable = entries > SMALLEST_PIVOT
    if not usable.any():
        return -1
    safe = np.where(usable, entries, 1.0)
    bound = np.where(usable, (values + FEASIBLE) / safe, np.inf).min()
    return int(np.where(usable & (values / safe <= bound), entries, 0.0).argmax())


def _compiled() -> Pivots:
    from engine.games.solvers.simplex_jit import pivots  # compiled on first use

    return pivots


def compiled_pivot() -> Callable[[Floats, int, int], None]:
    """Return the compiled twin of :func:`pivot`."""
    from engine.games.solvers.simplex_jit import pivot as twin

    return twin
