"""Correlated and coarse correlated equilibria by linear programming, the best one by a chosen objective.

Correlated: Aumann (1974), "Subjectivity and correlation in randomized strategies"; coarse: Moulin, Vial (1978),
"Strategically zero-sum games". The unknowns are the probabilities P of the N outcomes and each player's payoff v_i.
1. ``v_i`` is what P pays player i; P adds up to one.
2. Correlated: for each player and each pair of its actions (told a, plays b), b pays no more than a where a is told.
3. Coarse: no single action of player i pays more than v_i against Q_i, what P says of the others. Q_i are unknowns
   too, so that the program has some 3 N entries a player and not N for each of its actions.
4. The objective: 0 the sum of payoffs, 1 the least payoff of any player as large as it can be, 2 the sum as small as
   it can be (the worst equilibrium, for the price of anarchy). HiGHS solves it.

Payoffs are moved and scaled to a range of one a player first. Parameter ``objective``: 0, 1 or 2.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from engine.games.errors import GameError
from engine.games.games import FiniteGame, Floats, TensorGame
from engine.games.options import SolveOptions
from engine.games.results import Outcome, Step, Steps
from engine.games.solvers.linear_program import Program, minimise
from engine.games.solvers.sparse import SparseRows

WELFARE, LEAST, WORST = 0, 1, 2
MAX_ENTRIES = 4_000_000  # numbers in the program; HiGHS takes minutes for these
TOLERANCE = 1e-10  # of HiGHS, in scaled payoffs


def correlated(game: FiniteGame, options: SolveOptions) -> Steps:
    """Find the best correlated equilibrium; the steps are uniform play and the marginals of the answer."""
    return (yield from _steps(game, options, coarse=False))


def coarse(game: FiniteGame, options: SolveOptions) -> Steps:
    """Find the best coarse correlated equilibrium."""
    return (yield from _steps(game, options, coarse=True))


class Joint(NamedTuple):
    """A distribution, shape ``game.sizes`` (None where HiGHS gave up), what HiGHS says, and its iterations."""

    joint: Floats | None
    message: str
    iterations: int


def best_joint(
    game: FiniteGame, *, coarse: bool = False, objective: float = WELFARE, time_limit_s: float = math.inf
) -> Joint:
    """Return the best (coarse) correlated equilibrium by ``objective`` (0, 1 or 2, see above).

    Raises GameError for an unknown objective and for games that are too large for a linear program.
    """
    if objective not in (WELFARE, LEAST, WORST):
        raise GameError(
            "The parameter objective cannot be used",
            f"{objective} is none of 0 (welfare), 1 (least payoff), 2 (worst welfare)",
        )
    _check_size(game, coarse)
    tensor = game.to_tensor()
    rows = _Rows(tensor, coarse)
    program = rows.program(int(objective))
    for presolve in (True, False):  # it finds some programs infeasible that are not, where payoffs differ by 1e-9
        found = minimise(program, tolerance=TOLERANCE, time_limit_s=time_limit_s, presolve=presolve)
        if found.optimal or found.timed_out:
            break
    if found.x is None or not found.optimal:
        return Joint(None, found.message, found.iterations)
    joint = np.maximum(found.x[: tensor.tensors[0].size], 0.0).reshape(tensor.sizes)
    return Joint(np.asarray(joint / joint.sum()), found.message, found.iterations)


def _steps(game: FiniteGame, options: SolveOptions, *, coarse: bool) -> Steps:
    uniform = game.uniform()
    yield Step(0, uniform, float(game.regrets(uniform).sum()), "uniform")
    objective = options.parameters.get("objective", WELFARE)
    found = best_joint(game, coarse=coarse, objective=objective, time_limit_s=options.time_limit_s)
    if found.joint is None:
        return Outcome((uniform,), iterations=found.iterations, complete=False, message=f"HiGHS: {found.message}")
    axes = range(found.joint.ndim)
    marginals = tuple(found.joint.sum(axis=tuple(a for a in axes if a != own)) for own in axes)
    yield Step(max(1, found.iterations), marginals, float(game.regrets(marginals).sum()), "marginals")
    return Outcome(joints=(found.joint,), iterations=found.iterations, coarse=coarse)


def _check_size(game: FiniteGame, coarse: bool) -> None:
    outcomes = math.prod(game.sizes)
    entries = outcomes * (4 * len(game.sizes) if coarse else sum(game.sizes))
    if entries > MAX_ENTRIES:
        raise GameError(
            "The game is too large for a linear program",
            f"{outcomes} outcomes make {entries} entries, at most {MAX_ENTRIES} are allowed",
            "Coarse equilibria need fewer." if not coarse else "",
        )


class _Triples:
    """Rows of a sparse matrix with their right-hand sides, gathered piece by piece."""

    def __init__(self) -> None:
        self._rows: list[Any] = []
        self._columns: list[Any] = []
        self._values: list[Any] = []
        self.right: list[float] = []

    def add(self, columns: Any, values: Any, right: float = 0.0) -> None:
        """Add rows, ``columns`` and ``values`` (rows, entries a row) or one row (entries,)."""
        columns, values = np.broadcast_arrays(np.atleast_2d(columns), np.atleast_2d(values))
        first = len(self.right)
        self._rows.append(np.repeat(np.arange(first, first + len(columns)), columns.shape[1]))
        self._columns.append(columns.ravel())
        self._values.append(values.ravel())
        self.right.extend([right] * len(columns))

    def append(self, other: _Triples) -> None:
        """Add the rows of another after these."""
        self._rows += [rows + len(self.right) for rows in other._rows]
        self._columns += other._columns
        self._values += other._values
        self.right += other.right

    def matrix(self, width: int) -> SparseRows:
        """Return the matrix."""
        parts = (np.concatenate(part) for part in (self._rows, self._columns, self._values))
        rows, columns, values = parts
        return SparseRows.from_entries(rows, columns, values, (len(self.right), width))


class _Rows:
    """The constraints: unknowns are P, then every Q_i (coarse only), then v, then the least payoff where wanted."""

    def __init__(self, game: TensorGame, coarse: bool) -> None:
        self.upper, self.equal = _Triples(), _Triples()
        self.ranges = game.ranges()
        self.middles = np.array([(t.max() + t.min()) / 2 for t in game.tensors])
        outcomes = game.tensors[0].size
        widths = [outcomes // size for size in game.sizes] if coarse else []
        self.first_value = outcomes + sum(widths)
        self.equal.add(np.arange(outcomes), np.ones(outcomes), 1.0)
        index = np.arange(outcomes).reshape(game.sizes)
        place = outcomes
        for player, size in enumerate(game.sizes):
            u = np.moveaxis((game.tensors[player] - self.middles[player]) / self.ranges[player], player, 0)
            u, mine = u.reshape(size, -1), np.moveaxis(index, player, 0).reshape(size, -1)
            value = self.first_value + player
            self.equal.add(np.append(mine.ravel(), value), np.append(u.ravel(), -1.0))
            if coarse:
                self._add_coarse(u, mine, np.arange(place, place + u.shape[1]), value)
                place += u.shape[1]
            else:
                self._add_pairs(u, mine)

    def _add_pairs(self, u: Floats, mine: Any) -> None:
        for told in range(len(u)):
            others = np.arange(len(u)) != told
            if others.any():
                self.upper.add(mine[told], u[others] - u[told])

    def _add_coarse(self, u: Floats, mine: Any, marginal: Any, value: int) -> None:
        size, width = u.shape
        self.equal.add(np.column_stack([mine.T, marginal]), np.append(np.ones(size), -1.0))
        columns = np.append(marginal, value)
        self.upper.add(np.broadcast_to(columns, (size, width + 1)), np.column_stack([u, np.full(size, -1.0)]))

    def program(self, objective: int) -> Program:
        """Return the linear program; the inequalities come first."""
        cost = self._cost(objective)
        self.upper.append(self.equal)
        right = np.array(self.upper.right)
        least = right.copy()
        least[: len(right) - len(self.equal.right)] = -np.inf
        lower = np.zeros(len(cost))
        lower[self.first_value :] = -np.inf
        return Program(cost, self.upper.matrix(len(cost)), least, right, lower, np.full(len(cost), np.inf))

    def _cost(self, objective: int) -> Floats:
        """Return the costs; adds the rows of the least payoff."""
        players, largest = len(self.ranges), self.ranges.max()
        cost = np.zeros(self.first_value + players)
        if objective != LEAST:
            cost[self.first_value :] = (1.0 if objective == WORST else -1.0) * self.ranges / largest
            return cost
        lift = self.middles.mean()
        for player in range(players):
            columns = np.array([self.first_value + players, self.first_value + player])
            values = np.array([1.0, -self.ranges[player] / largest])
            self.upper.add(columns, values, float((self.middles[player] - lift) / largest))
        return np.append(cost, -1.0)
