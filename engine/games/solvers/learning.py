"""What all learning dynamics share: scaled payoffs, the state of the players, averages, and the run over steps.

Players learn from the payoffs of their actions against what the others play. Everything here is in payoffs moved and
scaled to a range of one a player, so that neither offsets nor units matter. A player's state is one array, a row each:
X its strategy, U the payoffs of its actions against the others' X, SX and SU the weighted sums of both, FIRST and
SECOND what the dynamic remembers.

With two players, and in polymatrix games, the average of U is the payoff vector against the average of X, so NashConv
of the average costs O(n). In other games it is not (payoffs are products of several strategies), and the average is
evaluated afresh.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.games.errors import GameError
from engine.games.games import (
    BimatrixGame,
    FiniteGame,
    Floats,
    MatrixGame,
    PolymatrixGame,
    Profile,
    TensorGame,
    regrets_from,
)
from engine.games.options import SolveOptions
from engine.games.results import Outcome, Step, Steps
from engine.games.solvers.pacing import batches
from engine.games.solvers.sparse import SparseRows
from engine.games.verify import gap_of

X, U, SX, SU, FIRST, SECOND = range(6)
# Where the numbers of a run lie that its compiled twin changes or needs, in Learning.numbers.
TIME, WEIGHT, AVERAGE, ALTERNATE, POWER, RATE, VARIANT, NUMBERS = range(8)
LAST, MEAN, NEARER = 0, 1, 2  # values of the parameter ``average``
ITERATIONS = 100_000
PYTHON = 4e4  # multiplications that could be done while NumPy is called for one player
CALL = 60.0  # the same for one compiled iteration
DENSE = 1 << 23  # numbers up to which a polymatrix game is one dense matrix


class Table:
    """A game's payoffs, each player's moved to its middle and divided by its range; evaluates them."""

    def __init__(self, game: FiniteGame) -> None:
        self.ranges = game.ranges()
        self.sizes = game.sizes
        self.two: tuple[Floats, Floats] | None = None  # A (n, m) and B' (m, n), column by column in memory
        self._tensor: TensorGame | None = None
        self._whole: Any = None  # a polymatrix game: all pairs in one matrix, dense or sparse
        if len(self.sizes) == 2:
            a, b = _two(game)
            self.two = np.asfortranarray(_scaled(a, self.ranges[0])), np.asfortranarray(_scaled(b, self.ranges[1]).T)
        elif isinstance(game, PolymatrixGame):
            self._whole = _whole(game, self.ranges)
        else:
            tensors = zip(game.to_tensor().tensors, self.ranges, strict=True)
            self._tensor = TensorGame(tuple(_scaled(tensor, size) for tensor, size in tensors))
        self._ends = np.cumsum(self.sizes)[:-1]

    @property
    def linear(self) -> bool:
        """Whether payoffs are linear in all opponents together, so that averages of payoffs are payoffs of averages."""
        return self._tensor is None

    @property
    def cost(self) -> float:
        """Multiplications of one evaluation."""
        if self.two is not None:
            return 2.0 * self.two[0].size + CALL
        if self._tensor is None:
            return PYTHON * len(self.sizes) + float(self._whole.size)
        return PYTHON * len(self.sizes) + len(self.sizes) * float(math.prod(self.sizes))

    def vectors(self, profile: Profile) -> Profile:
        """Return the payoffs of all actions, a vector each player."""
        if self.two is not None:
            return self.two[0] @ profile[1], self.two[1] @ profile[0]
        if self._tensor is not None:
            return self._tensor.payoff_vectors(profile)
        return tuple(np.split(self._whole @ np.concatenate(profile), self._ends))

    def vector(self, profile: Profile, player: int) -> Floats:
        """Return the payoffs of one player's actions."""
        if self.two is not None:
            return np.asarray(self.two[player] @ profile[1 - player])
        return self.vectors(profile)[player]


@dataclass(frozen=True)
class Dynamic:
    """One way of learning. ``advance(run, count)`` does at most ``count`` iterations and stops at the target.

    ``average``, ``alternate``, ``power``, ``rate`` and ``variant`` are what the parameters of these names are by
    default; ``alternate`` holds for two players, more move at once. ``stuck``: whether it never leaves a face of the
    simplex, so that starts which rest on one are moved off it.
    """

    name: str
    advance: Callable[[Learning, int], None]
    average: int = MEAN
    alternate: bool = False
    power: float = 0.0
    rate: float = 0.0
    variant: int = 0
    stuck: bool = False


class Learning:
    """A run of a dynamic: ``players`` are the states (6, n_i), ``numbers`` what TIME, WEIGHT, ... index."""

    def __init__(self, game: FiniteGame, options: SolveOptions, dynamic: Dynamic) -> None:
        self.game = game
        self.table = Table(game)
        self.compiled = True  # where there is a twin
        self.target = options.epsilon
        given = options.parameters.get
        default = dynamic.alternate and len(game.sizes) == 2
        self.numbers = np.zeros(NUMBERS)
        self.numbers[AVERAGE] = _among(given("average", dynamic.average), "average", (LAST, MEAN, NEARER))
        self.numbers[ALTERNATE] = _among(given("alternate", default), "alternate", (0, 1))
        self.numbers[POWER] = _between(given("power", dynamic.power), "power", 0.0, 8.0)
        self.numbers[RATE] = _between(given("rate", dynamic.rate), "rate", 0.0, 1e6)
        self.numbers[VARIANT] = dynamic.variant
        start = game.uniform() if options.start is None else game.check_profile(options.start)
        if dynamic.stuck:
            start = self._loosened(start, options)
        self.players = tuple(np.zeros((6, size)) for size in game.sizes)
        for state, x, u in zip(self.players, start, self.table.vectors(start), strict=True):
            state[X], state[U] = x, u

    def twin(self) -> tuple[Floats, Floats, Floats, Floats] | None:
        """Return payoffs and states for a compiled twin; None where the reference is to run.

        The payoffs, (m, n) and (n, m), have a row for each action of the other player.
        """
        if self.table.two is None or not self.compiled:
            return None
        a, b = self.table.two
        first, second = self.players
        return a.T, b.T, first, second

    @property
    def time(self) -> int:
        """Iterations done."""
        return int(self.numbers[TIME])

    @property
    def last(self) -> Profile:
        """The strategies played now; the arrays are the run's own."""
        return tuple(state[X] for state in self.players)

    def mean(self) -> Profile:
        """The weighted average of the strategies played; before the first iteration the start."""
        weight = self.numbers[WEIGHT]
        return self.last if weight == 0 else tuple(state[SX] / weight for state in self.players)

    def regrets(self, mean: bool) -> Floats:
        """Return the scaled regrets of the average or of the last strategies."""
        if not mean or self.numbers[WEIGHT] == 0:
            return regrets_from(self.last, tuple(state[U] for state in self.players))
        profile = self.mean()
        if not self.table.linear:
            return regrets_from(profile, self.table.vectors(profile))
        return regrets_from(profile, tuple(state[SU] / self.numbers[WEIGHT] for state in self.players))

    def report(self) -> tuple[Profile, float, float]:
        """Return the profile to show, its NashConv in payoff units, and the relative one."""
        wanted = int(self.numbers[AVERAGE])
        mean = wanted == MEAN
        regrets = self.regrets(mean)
        if wanted == NEARER:
            averaged = self.regrets(True)
            mean = bool(averaged.sum() < regrets.sum())
            regrets = averaged if mean else regrets
        profile = self.mean() if mean else self.last
        return tuple(x / x.sum() for x in profile), float(regrets @ self.table.ranges), float(regrets.sum())

    def reached(self) -> bool:
        """Whether what is to be shown meets the target."""
        wanted = int(self.numbers[AVERAGE])
        near = wanted != MEAN and float(self.regrets(False).sum()) <= self.target
        return near or (wanted != LAST and float(self.regrets(True).sum()) <= self.target)

    def refresh(self, players: range) -> None:
        """Evaluate the payoffs of these players anew."""
        last = self.last
        if len(players) == len(self.players):
            for state, u in zip(self.players, self.table.vectors(last), strict=True):
                state[U] = u
        else:
            for player in players:
                self.players[player][U] = self.table.vector(last, player)

    def add_up(self) -> None:
        """Count this iteration: average its strategies and payoffs in, with weight ``time ** power``."""
        self.numbers[TIME] += 1
        weight = self.numbers[TIME] ** self.numbers[POWER]
        self.numbers[WEIGHT] += weight
        for state in self.players:
            state[SX] += weight * state[X]
            state[SU] += weight * state[U]

    def _loosened(self, start: Profile, options: SolveOptions) -> Profile:
        """Mix a little chance into a start that rests where some action is not played, but is no equilibrium."""
        vectors = self.table.vectors(start)
        moves = max(float(np.abs(x * (u - x @ u)).max()) for x, u in zip(start, vectors, strict=True))
        if moves > 1e-12 or float(regrets_from(start, vectors).sum()) <= options.epsilon:
            return start
        rng = np.random.default_rng(options.seed)
        return tuple((1 - 1e-6) * x + 1e-6 * rng.dirichlet(np.ones(len(x))) for x in start)


def iterate(run: Learning, count: int, update: Callable[[Floats, Floats], None]) -> None:
    """Do iterations in which every player updates its state by ``update(state, numbers)``: the clear reference.

    All at once, or one after the other, each against what those before it play by now.
    """
    everybody = range(len(run.players))
    for _ in range(count):
        if run.reached():
            return
        for player in everybody:
            if run.numbers[ALTERNATE] and player:
                run.refresh(range(player, player + 1))
            update(run.players[player], run.numbers)
        run.refresh(everybody[:-1] if run.numbers[ALTERNATE] else everybody)
        run.add_up()


def learn(game: FiniteGame, options: SolveOptions, dynamic: Dynamic) -> Steps:
    """Run a dynamic until epsilon or the last iteration; the answer is the best profile that was shown."""
    run = Learning(game, options, dynamic)
    best, gap, relative = run.report()
    yield Step(0, best, gap)
    least = relative
    for count in batches(options.iterations or ITERATIONS, options.stride, run.table.cost):
        if relative <= run.target and gap_of(game, best).relative > options.epsilon:
            run.target = relative / 2 or -1.0  # rounding in the sums: the payoffs themselves say no
        elif relative <= run.target:
            break
        dynamic.advance(run, count)
        profile, gap, relative = run.report()
        if relative <= least:
            best, least = profile, relative
        yield Step(run.time, profile, gap)
    least = gap_of(game, best).relative
    if least <= options.epsilon:
        return Outcome((best,), iterations=run.time)
    why = f"{dynamic.name} was still {least:.3g} of the payoff range from an equilibrium after {run.time:,} iterations"
    if not isinstance(game, MatrixGame):
        why += "; in games that are not zero-sum it need not settle"
    return Outcome((best,), iterations=run.time, complete=False, message=why)


def _two(game: FiniteGame) -> tuple[Floats, Floats]:
    if isinstance(game, MatrixGame):
        return game.a, -game.a
    if isinstance(game, BimatrixGame):
        return game.a, game.b
    first, second = game.to_tensor().tensors
    return first, second


def _whole(game: PolymatrixGame, ranges: Floats) -> Any:
    """Return all pairs as one matrix, sparse where it would be large: one product instead of one a pair."""
    size, first = sum(game.sizes), np.cumsum((0, *game.sizes))
    scaled = {(i, j): _scaled(matrix, ranges[i]) for (i, j), matrix in game.edges.items()}
    if size**2 <= DENSE:
        made = np.zeros((size, size))
        for (i, j), matrix in scaled.items():
            made[first[i] : first[i + 1], first[j] : first[j + 1]] = matrix
        return made
    rows, columns, values = [np.empty(0, int)], [np.empty(0, int)], [np.empty(0)]
    for (i, j), matrix in scaled.items():
        at = np.indices(matrix.shape)
        rows.append(at[0].ravel() + first[i])
        columns.append(at[1].ravel() + first[j])
        values.append(matrix.ravel())
    return SparseRows.from_entries(np.concatenate(rows), np.concatenate(columns), np.concatenate(values), (size, size))


def _scaled(values: Floats, size: float) -> Floats:
    return np.asarray((values - (values.max() + values.min()) / 2) / size)


def _among(value: float, name: str, allowed: tuple[int, ...]) -> float:
    if value not in allowed:
        raise GameError(f"The parameter {name} cannot be used", f"{value} is none of {', '.join(map(str, allowed))}")
    return float(value)


def _between(value: float, name: str, low: float, high: float) -> float:
    if not low <= value <= high:
        raise GameError(f"The parameter {name} cannot be used", f"{value} is not between {low:g} and {high:g}")
    return float(value)
