"""Five thousand random games, degenerate ones among them, against QuantEcon, Gambit and HiGHS, or the definition."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import quantecon.game_theory as peer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linprog

from engine.games.games import BimatrixGame, FiniteGame, MatrixGame, TensorGame
from engine.games.options import SolveOptions
from engine.games.results import Solution
from engine.games.solve import solve

FEW = st.integers(-2, 2).map(float)  # so few values that ties, equal rows and constant games are common
TIGHT = SolveOptions(epsilon=1e-9)
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


def thorough(examples: int) -> settings:
    return settings(max_examples=examples, deadline=None, suppress_health_check=SLOW)


@st.composite
def degenerate(draw: st.DrawFn) -> BimatrixGame:
    shape = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    return BimatrixGame(*(draw(arrays(float, shape, elements=FEW)) for _ in range(2)))


def generic(seed: int, most: int) -> BimatrixGame:
    chance = np.random.default_rng(seed)
    shape = tuple(chance.integers(2, most + 1, 2))  # QuantEcon wants two actions each
    return BimatrixGame(chance.normal(size=shape), chance.normal(size=shape))


def check(solution: Solution, game: FiniteGame, epsilon: float = 1e-9) -> None:
    """Nothing of what the solution says is taken for granted: regrets are computed from the tensors once more."""
    assert solution.solved, solution.message
    tensors = game.to_tensor().tensors
    letters = "abcdefgh"[: len(tensors)]
    for found in solution.equilibria:
        for player, tensor in enumerate(tensors):
            others = [letter for letter in letters if letter != letters[player]]
            strategies = [found.profile[letters.index(letter)] for letter in others]
            told = ",".join([letters, *others]) + f"->{letters[player]}"
            payoffs = np.einsum(told, tensor, *strategies)
            spread = float(tensor.max() - tensor.min()) or 1.0
            assert payoffs.max() - payoffs @ found.profile[player] <= epsilon * spread + 1e-12


def as_set(profiles: Any, digits: int = 7) -> set[tuple[float, ...]]:
    """Profiles as comparable tuples; adding zero turns -0.0 into 0.0."""
    return {tuple((np.concatenate(profile).round(digits) + 0.0).tolist()) for profile in profiles}


@thorough(1500)
@given(degenerate())
def test_degenerate_games_have_one_and_all_equilibria(game: BimatrixGame) -> None:
    check(solve(game, options=TIGHT), game)
    every = solve(game, "vertices", TIGHT)
    check(every, game)
    found = as_set(item.profile for item in every.equilibria)
    assert len(found) == len(every.equilibria), "each once"
    pure = solve(game, "pure", TIGHT)
    assert as_set(item.profile for item in pure.equilibria) <= found, "pure equilibria are extreme"
    assert found == gambits(game, found)


def gambits(game: BimatrixGame, otherwise: set[tuple[float, ...]]) -> set[tuple[float, ...]]:
    """Return the extreme equilibria that Gambit finds in rational arithmetic; ours where Gambit is not there."""
    try:
        import pygambit
    except ImportError:
        return otherwise
    table = pygambit.Game.from_arrays(game.a.astype(int), game.b.astype(int))
    solved = pygambit.nash.enummixed_solve(table, rational=True)
    players = list(table.players)
    return as_set(
        [np.array([float(profile[strategy]) for strategy in player.strategies]) for player in players]
        for profile in solved.equilibria
    )


@thorough(1500)
@given(st.integers(0, 2**32))
def test_generic_games_have_the_equilibria_that_quantecon_finds(seed: int) -> None:
    game = generic(seed, 5)
    one, every = solve(game, options=TIGHT), solve(game, "vertices", TIGHT)
    check(one, game)
    check(every, game)
    players = (peer.Player(game.a), peer.Player(np.ascontiguousarray(game.b.T)))
    theirs = as_set(peer.vertex_enumeration(peer.NormalFormGame(players)))
    ours = as_set(item.profile for item in every.equilibria)
    assert ours == theirs
    assert len(ours) % 2 == 1, "almost all games have an odd number of equilibria"
    assert as_set([one.equilibria[0].profile]) <= ours


@thorough(1000)
@given(arrays(float, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=FEW))
def test_zero_sum_games_have_the_value_that_highs_finds(payoffs: Any) -> None:
    game = MatrixGame(payoffs)
    solution = solve(game, options=TIGHT)
    check(solution, game)
    rows, columns = payoffs.shape
    answer = linprog(
        np.r_[np.zeros(rows), -1.0],
        A_ub=np.c_[-payoffs.T, np.ones(columns)],
        b_ub=np.zeros(columns),
        A_eq=np.r_[np.ones(rows), 0.0][None, :],
        b_eq=[1.0],
        bounds=[(0, None)] * rows + [(None, None)],
    )
    assert solution.equilibria[0].gap.payoffs[0] == pytest.approx(-answer.fun, abs=1e-7)


@st.composite
def tensors(draw: st.DrawFn) -> TensorGame:
    sizes = tuple(draw(st.lists(st.integers(1, 3), min_size=3, max_size=4)))
    if draw(st.booleans()):
        return TensorGame(tuple(draw(arrays(float, sizes, elements=FEW)) for _ in sizes))
    chance = np.random.default_rng(draw(st.integers(0, 2**32)))
    return TensorGame(tuple(chance.normal(size=sizes) for _ in sizes))


@thorough(1000)
@given(tensors())
def test_games_of_several_players_have_an_equilibrium_and_just_their_pure_ones(game: TensorGame) -> None:
    check(solve(game, options=SolveOptions(epsilon=1e-6)), game, 1e-6)
    found = {tuple(int(np.argmax(x)) for x in item.profile) for item in solve(game, "pure", TIGHT).equilibria}
    for outcome in itertools.product(*(range(size) for size in game.sizes)):
        best = all(
            game.tensors[player][outcome] >= game.tensors[player][(*outcome[:player], other, *outcome[player + 1 :])]
            for player, size in enumerate(game.sizes)
            for other in range(size)
        )
        assert best == (outcome in found)
