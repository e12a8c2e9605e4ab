"""Families of games, made from a seed: random ones, which are easy, and structured ones, which are not.

Names and parameters follow GAMUT (Nudelman, Wortman, Shoham, Leyton-Brown, 2004, "Run the GAMUT") where it has the
family. Everything random comes from ``np.random.default_rng(seed)`` alone.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from engine.games.consensus import ConsensusGame
from engine.games.errors import GameError
from engine.games.games import (
    MAX_NUMBERS,
    MAX_PLAYERS,
    BimatrixGame,
    FiniteGame,
    Floats,
    MatrixGame,
    PolymatrixGame,
    Profile,
    as_game,
)

DISTRIBUTIONS = ("uniform", "normal", "integers")


def random_game(sizes: Sequence[int], seed: int = 0, distribution: str = "uniform") -> FiniteGame:
    """Return independent payoffs: U[0, 1], N(0, 1), or integers 0 to 3, which make many ties. GAMUT: RandomGame.

    ``sizes``: actions a player; two players give a bimatrix game. Raises GameError when it would be too large.
    """
    shape = _checked(sizes)
    chance = np.random.default_rng(seed)
    tensors = [_draw(chance, shape, distribution) for _ in shape]
    return as_game(*tensors, title=f"Random {_times(shape)}, {distribution}")


def random_zero_sum(rows: int, columns: int, seed: int = 0, distribution: str = "uniform") -> MatrixGame:
    """Return a matrix of independent payoffs. GAMUT: RandomZeroSum."""
    shape = _checked((rows, columns))
    values = _draw(np.random.default_rng(seed), shape, distribution)
    return MatrixGame(values, title=f"Random zero-sum {_times(shape)}, {distribution}")


def colonel_blotto(soldiers: int, fields: int) -> MatrixGame:
    """Return Blotto: both spread ``soldiers`` over ``fields``; the payoff is fields won less fields lost.

    Source: Borel (1921), "La theorie du jeu et les equations integrales a noyau symetrique". The actions are the
    C(soldiers + fields - 1, fields - 1) ways to spread them, in lexicographic order. Symmetric, so the value is 0.
    """
    _at_least(1, soldiers=soldiers, fields=fields)
    count = math.comb(soldiers + fields - 1, fields - 1)
    _fits(count * count)
    bars = itertools.combinations(range(soldiers + fields - 1), fields - 1)
    ends = np.array([(-1, *places, soldiers + fields - 1) for places in bars])
    spread = np.diff(ends, axis=1) - 1
    payoff = np.zeros((count, count))
    for field in spread.T:
        payoff += np.sign(field[:, None] - field[None, :])
    names = tuple(" ".join(map(str, row)) for row in spread)
    return MatrixGame(payoff, title=f"Colonel Blotto, {soldiers} soldiers, {fields} fields", actions=(names, names))


def tournament(nodes: int, subset: int, seed: int = 0) -> BimatrixGame:
    """Return the game of a random tournament: equilibria need large supports.

    Player 1 names a node, player 2 a set of ``subset`` nodes. Player 1 gets 1 when its node beats all of the set,
    player 2 gets 1 when the node is in its set. Source: Anbalagan, Huang, Lovett, Norin, Vetta and Wu (2015), "Large
    supports are required for well-supported Nash equilibria".
    """
    _at_least(1, nodes=nodes, subset=subset)
    if subset > nodes:
        raise GameError("The game cannot be made", f"sets of {subset} of {nodes} nodes")
    _fits(2 * nodes * math.comb(nodes, subset))
    upper = np.triu(np.random.default_rng(seed).integers(0, 2, (nodes, nodes), dtype=np.int8), 1)
    beats = upper + np.tril(1 - upper.T, -1)
    sets = np.array(list(itertools.combinations(range(nodes), subset)))
    wins = beats[:, sets].min(axis=2).astype(np.float64)
    inside = np.zeros_like(wins)
    inside[sets, np.arange(len(sets))[:, None]] = 1.0
    return BimatrixGame(wins, inside, title=f"Tournament of {nodes}, sets of {subset}")


def covariant(sizes: Sequence[int], rho: float, seed: int = 0) -> FiniteGame:
    """Return payoffs that are normal with the covariance ``rho`` between the players of an outcome.

    -1 / (players - 1) <= rho <= 1; 1 is a common-payoff game, -1 zero-sum for two. Games below 0 are the harder ones.
    GAMUT: CovariantGame; Rinott and Scarsini (2000), "On the number of pure strategy Nash equilibria in random games".
    """
    shape = _checked(sizes)
    count = len(shape)
    lowest = -1.0 / (count - 1) if count > 1 else -1.0
    if not lowest - 1e-12 <= rho <= 1:
        raise GameError("The covariance cannot be used", f"{rho:g} is not between {lowest:g} and 1")
    covariance = np.full((count, count), float(rho))
    np.fill_diagonal(covariance, 1.0)
    roots, vectors = np.linalg.eigh(covariance)
    mixing = vectors * np.sqrt(np.maximum(roots, 0.0)) @ vectors.T
    independent = np.random.default_rng(seed).standard_normal((count, *shape))
    tensors = np.tensordot(mixing, independent, axes=1)
    return as_game(*tensors, title=f"Covariant {_times(shape)}, rho {rho:g}")


def savani_von_stengel(size: int) -> BimatrixGame:
    """Return a ``size`` x ``size`` game, ``size`` even, on which all paths of Lemke and Howson are exponentially long.

    Both best-response polytopes are dual cyclic polytopes, here over the trigonometric moment curve, which keeps the
    numbers tame; the labels of the second one are permuted. The only equilibrium is fully mixed. Source: Savani and
    von Stengel (2006), "Hard-to-solve bimatrix games".
    """
    if size < 2 or size % 2 or size > 64:
        raise GameError("The game cannot be made", f"its size is {size}, an even number from 2 to 64 is needed")
    polytope = _dual_cyclic(size)
    # Facet k of the second polytope carries the label that l' gives it; the first one's labels are the facets' numbers.
    labels = [_permuted(k, size) for k in range(1, 2 * size + 1)]
    rows = [label - 1 for label in labels[:size]]
    columns = [label - size - 1 for label in labels[size:]]
    a = np.empty((size, size))
    a[np.ix_(rows, columns)] = _in_corner(polytope[size:], polytope[:size])
    b = _in_corner(polytope[:size], polytope[size:]).T
    return BimatrixGame(_to_unit(a), _to_unit(b), title=f"Savani-von Stengel {size} x {size}")


def random_polymatrix(
    players: int, actions: int, seed: int = 0, *, zero_sum: bool = False, density: float = 1.0
) -> PolymatrixGame:
    """Return U[0, 1] payoffs on each pair, a pair being there with probability ``density``. GAMUT: PolymatrixGame.

    ``zero_sum``: what one of a pair gets, the other pays, so that the whole is zero-sum.
    """
    _at_least(1, players=players, actions=actions)
    _fits(players * players * actions * actions)
    _is_share(density)
    chance = np.random.default_rng(seed)
    edges: dict[tuple[int, int], Floats] = {}
    for i, j in itertools.combinations(range(players), 2):
        there, first, second = chance.random(), chance.random((actions, actions)), chance.random((actions, actions))
        if there < density:
            edges[i, j], edges[j, i] = first, -first.T if zero_sum else second.T
    kind = "zero-sum polymatrix" if zero_sum else "polymatrix"
    return PolymatrixGame((actions,) * players, edges, title=f"Random {kind}, {players} players, {actions} actions")


def random_consensus(
    agents: int, dimension: int, seed: int = 0, *, density: float = 1.0, liars: int = 0
) -> ConsensusGame:
    """Return agents with normal ideal points, confidence U[1/2, 2] and influence U[0, 1] on a share of the pairs.

    The last ``liars`` of them pull the others a hundred times as far away and mind nobody.
    """
    _at_least(1, agents=agents, dimension=dimension)
    if not 0 <= liars <= agents:
        raise GameError("The game cannot be made", f"{liars} liars among {agents} agents")
    _fits(agents * max(agents, dimension))
    _is_share(density)
    chance = np.random.default_rng(seed)
    points = chance.standard_normal((agents, dimension))
    confidence = chance.uniform(0.5, 2.0, agents)
    influence = chance.random((agents, agents)) * (chance.random((agents, agents)) < density)
    np.fill_diagonal(influence, 0.0)
    points[agents - liars :] *= 100.0
    influence[agents - liars :] = 0.0
    title = f"Random consensus, {agents} agents in R^{dimension}" + (f", {liars} of them lying" if liars else "")
    return ConsensusGame(points, confidence, influence, title=title)


def random_start(game: FiniteGame, seed: int = 0) -> Profile:
    """Return mixed strategies to start from, uniform over all: a Dirichlet(1, ..., 1) draw a player."""
    chance = np.random.default_rng(seed)
    return tuple(chance.dirichlet(np.ones(size)) for size in game.sizes)


def _dual_cyclic(dimension: int) -> Floats:
    """Return the facets' normals c_k of {z: c_k z <= 1}: 2d points of the trigonometric moment curve, centre 0."""
    angles = 2.0 * np.pi * np.arange(2 * dimension) / (2 * dimension)
    waves = np.arange(1, dimension // 2 + 1)
    return np.concatenate([np.cos(np.outer(angles, waves)), np.sin(np.outer(angles, waves))], axis=1)


def _in_corner(corner: Floats, others: Floats) -> Floats:
    """Return M such that {x >= 0, M x <= 1} is the polytope, the facets ``corner`` becoming x_i >= 0."""
    # x = 1 - C z with C the corner's normals, so z = C^-1 (1 - x); each other facet is then scaled to 1.
    turned = np.linalg.solve(corner.T, others.T).T
    return np.asarray(-turned / (1.0 - turned.sum(axis=1))[:, None])


def _permuted(k: int, d: int) -> int:
    if k in (1, d):
        return k
    sign = -1 if k % 2 else 1
    return k + sign if k < d else k - sign


def _to_unit(values: Floats) -> Floats:
    low, high = values.min(), values.max()
    return np.asarray((values - low) / (high - low) if high > low else np.ones_like(values))


def _draw(chance: np.random.Generator, shape: tuple[int, ...], distribution: str) -> Floats:
    if distribution == "uniform":
        return chance.random(shape)
    if distribution == "normal":
        return chance.standard_normal(shape)
    if distribution == "integers":
        return chance.integers(0, 4, shape).astype(np.float64)
    raise GameError("The distribution is unknown", repr(distribution), f"Known: {', '.join(DISTRIBUTIONS)}.")


def _checked(sizes: Sequence[int]) -> tuple[int, ...]:
    shape = tuple(int(size) for size in sizes)
    if not 1 <= len(shape) <= MAX_PLAYERS:
        raise GameError("The game cannot be made", f"it would have {len(shape)} players")
    for player, size in enumerate(shape, 1):
        _at_least(1, **{f"actions of player {player}": size})
    _fits(len(shape) * math.prod(shape))
    return shape


def _at_least(least: int, **numbers: int) -> None:
    for name, value in numbers.items():
        if value < least:
            raise GameError("The game cannot be made", f"{name}: {value} is below {least}")


def _fits(numbers: int) -> None:
    if numbers > MAX_NUMBERS:
        raise GameError("The game would be too large", f"{numbers} payoffs, at most {MAX_NUMBERS} are allowed")


def _is_share(density: float) -> None:
    if not 0 <= density <= 1:
        raise GameError("The density cannot be used", f"{density:g} is not between 0 and 1")


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
