"""Zero-sum polymatrix games by one linear program.

Cai, Candogan, Daskalakis and Papadimitriou (2016), "Zero-sum polymatrix games: a generalization of minmax", Mathematics
of Operations Research 41, section 3. What a player's payoff gains by a factor, and by a term that only another's action
decides, changes no best response; so games count as zero-sum that become so by these.

1. Take from each pair's payoffs what depends on one action alone. What is left of both must cancel out, with one
   positive factor a player; the factors follow from pair to pair.
2. Add terms that only the other's action decides, so that each pair's payoffs cancel out.
3. Minimise the sum of v_i, with x_i strategies and v_i at least what each action of i gets. The sum is never below
   zero, and where it is zero the strategies are an equilibrium.
"""

from __future__ import annotations

import numpy as np

from engine.games.errors import GameError
from engine.games.games import Floats, PolymatrixGame, Profile, regrets_from
from engine.games.options import SolveOptions
from engine.games.results import Outcome, Step, Steps
from engine.games.solvers.linear_program import Program, minimise
from engine.games.solvers.sparse import SparseRows

_SAME = 1e-9  # relative to the ranges: a difference that counts as none
_FEASIBLE = 1e-10  # the program's tolerance
Edges = dict[tuple[int, int], Floats]


def steps(game: PolymatrixGame, options: SolveOptions) -> Steps:
    """Solve the program, one step. Raises GameError where the game is not zero-sum."""
    edges = pairwise_zero_sum(game)
    if edges is None:
        raise GameError(
            "The linear program does not fit this game",
            "it is not zero-sum, not even with other units for some players",
            "Use the method howson.",
        )
    return (yield from program(game, edges, options))


def program(game: PolymatrixGame, edges: Edges, options: SolveOptions) -> Steps:
    """Solve the linear program of the payoffs that :func:`pairwise_zero_sum` gave."""
    yield Step(0, game.uniform(), float(game.regrets(game.uniform()).sum()), "linear program")
    profile, message = _solve(game, edges, options)
    if profile is None:
        return Outcome(complete=False, message=message)
    regrets = regrets_from(profile, game.payoff_vectors(profile))
    yield Step(1, profile, float(regrets.sum()), "linear program")
    reached = float((regrets / game.ranges()).sum()) <= options.epsilon
    return Outcome((profile,), iterations=1, complete=reached, message="" if reached else f"HiGHS: {message}")


def pairwise_zero_sum(game: PolymatrixGame) -> Edges | None:
    """Return payoffs of the same best responses in which each pair's cancel out; None where there are none."""
    game = _in_ranges(game)
    factors = _factors(game)
    if factors is None:
        return None
    # 2. What i's action alone decides is kept of i's payoffs, and taken from j's.
    made: Edges = {}
    for i, j in _pairs(game):
        ours, theirs = factors[i] * _edge(game, i, j), factors[j] * _edge(game, j, i)
        rows, columns = ours.mean(axis=1, keepdims=True), theirs.mean(axis=1, keepdims=True)
        made[i, j] = (_interaction(ours) - _interaction(theirs).T) / 2 + rows - columns.T
        made[j, i] = -made[i, j].T
    return made


def _in_ranges(game: PolymatrixGame) -> PolymatrixGame:
    """Return the game in units of each player's payoff range, so that no product below under- or overflows."""
    level, ranges = game.levelled(), game.ranges()
    assert isinstance(level, PolymatrixGame)
    return PolymatrixGame(game.sizes, {(i, j): matrix / ranges[i] for (i, j), matrix in level.edges.items()})


def _factors(game: PolymatrixGame) -> Floats | None:
    """Return a positive factor a player with which what is left of each pair cancels out; None where none do."""
    # 1. From a player whose factor is known to its neighbours, each connected part of the players on its own.
    ranges = game.ranges()
    left = {pair: _interaction(_edge(game, *pair)) for i, j in _pairs(game) for pair in ((i, j), (j, i))}
    ties: dict[int, list[int]] = {player: [] for player in range(len(game.sizes))}
    for i, j in _pairs(game):
        sizes = [float(np.abs(left[pair]).max()) / ranges[pair[0]] for pair in ((i, j), (j, i))]
        if max(sizes) > _SAME:
            if min(sizes) <= _SAME:
                return None
            ties[i].append(j)
            ties[j].append(i)
    factors = np.zeros(len(game.sizes))
    for first in range(len(factors)):
        waiting = [] if factors[first] else [first]
        factors[first] = factors[first] or 1.0 / ranges[first]
        while waiting:
            i = waiting.pop()
            for j in ties[i]:
                if not factors[j]:
                    factors[j] = factors[i] * float(np.linalg.norm(left[i, j]) / np.linalg.norm(left[j, i]))
                    waiting.append(j)
                rest = factors[i] * left[i, j] + factors[j] * left[j, i].T
                if np.abs(rest).max() > _SAME * factors[i] * ranges[i]:
                    return None
    return factors


def _solve(game: PolymatrixGame, edges: Edges, options: SolveOptions) -> tuple[Profile | None, str]:
    # 3. Variables x, then v; a line an action, then a line a player.
    players, actions = len(game.sizes), sum(game.sizes)
    owner = np.repeat(np.arange(players), game.sizes)
    starts = np.concatenate([[0], np.cumsum(game.sizes)])
    lines = np.zeros((actions + players, actions + players))
    lines[np.arange(actions), actions + owner] = -1.0
    for (i, j), payoffs in edges.items():
        lines[starts[i] : starts[i + 1], starts[j] : starts[j + 1]] = payoffs
    lines[actions + owner, np.arange(actions)] = 1.0
    ones = np.repeat([0.0, 1.0], [actions, players])
    program = Program(
        cost=ones,
        rows=SparseRows.of(lines),
        least=np.where(ones, 1.0, -np.inf),
        most=ones,
        lower=np.where(ones, -np.inf, 0.0),
        upper=np.full(len(ones), np.inf),
    )
    found = minimise(program, tolerance=_FEASIBLE, time_limit_s=options.time_limit_s)
    message = found.message
    if found.x is None:
        return None, message
    parts = [np.maximum(part, 0.0) for part in np.split(found.x[:actions], np.cumsum(game.sizes)[:-1])]
    if not all(part.any() for part in parts):
        return None, message
    return tuple(part / part.sum() for part in parts), message


def _pairs(game: PolymatrixGame) -> list[tuple[int, int]]:
    return sorted({(min(pair), max(pair)) for pair in game.edges})


def _edge(game: PolymatrixGame, i: int, j: int) -> Floats:
    return game.edges[i, j] if (i, j) in game.edges else np.zeros((game.sizes[i], game.sizes[j]))


def _interaction(payoffs: Floats) -> Floats:
    """Return what neither action decides alone: the payoffs less the means of rows and columns."""
    rows, columns = payoffs.mean(axis=1, keepdims=True), payoffs.mean(axis=0, keepdims=True)
    return np.asarray(payoffs - rows - columns + payoffs.mean())
