"""Games, profiles and the one verification, against the definition written out."""

from __future__ import annotations

import itertools
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.games.consensus import ConsensusGame
from engine.games.errors import GameError
from engine.games.games import (
    MAX_NUMBERS,
    BimatrixGame,
    FiniteGame,
    MatrixGame,
    PolymatrixGame,
    Profile,
    TensorGame,
    as_game,
)
from engine.games.options import SolveOptions
from engine.games.results import Status
from engine.games.solve import solve
from engine.games.verify import correlated_gap, gap_of

WHOLE = st.integers(-3, 3).map(float)


def expected(game: TensorGame, player: int, profile: Profile) -> float:
    """Sum over all outcomes, as the definition says."""
    total = 0.0
    for outcome in itertools.product(*(range(size) for size in game.sizes)):
        chance = np.prod([x[a] for x, a in zip(profile, outcome, strict=True)])
        total += float(chance * game.tensors[player][outcome])
    return total


def regret_by_definition(game: TensorGame, player: int, profile: Profile) -> float:
    pure = np.eye(game.sizes[player])
    deviations = [expected(game, player, (*profile[:player], e, *profile[player + 1 :])) for e in pure]
    return max(deviations) - expected(game, player, profile)


@st.composite
def games(draw: st.DrawFn) -> FiniteGame:
    sizes = tuple(draw(st.lists(st.integers(1, 3), min_size=1, max_size=4)))
    if draw(st.booleans()):
        edges = {
            (i, j): draw(arrays(float, (sizes[i], sizes[j]), elements=WHOLE))
            for i, j in itertools.permutations(range(len(sizes)), 2)
            if draw(st.booleans())
        }
        return PolymatrixGame(sizes, edges)
    tensors = tuple(draw(arrays(float, sizes, elements=WHOLE)) for _ in sizes)
    return as_game(*tensors) if len(sizes) == 2 else TensorGame(tensors)


@given(games(), st.integers(0, 2**32))
def test_gaps_are_those_of_the_definition(game: FiniteGame, seed: int) -> None:
    chance = np.random.default_rng(seed)
    profile = tuple(chance.dirichlet(np.full(size, 0.7)) for size in game.sizes)
    gap, tensor = gap_of(game, profile), game.to_tensor()
    for player in range(len(game.sizes)):
        assert gap.payoffs[player] == pytest.approx(expected(tensor, player, profile), abs=1e-12)
        assert gap.regrets[player] == pytest.approx(regret_by_definition(tensor, player, profile), abs=1e-12)
    assert gap.nashconv == pytest.approx(gap.regrets.sum())
    assert gap.relative == pytest.approx(float((gap.regrets / game.ranges()).sum()))


@given(arrays(float, (4, 2), elements=WHOLE), arrays(float, (4, 4), elements=st.integers(0, 3).map(float)), st.data())
def test_regrets_of_consensus_games_are_what_a_best_response_saves(
    points: Any, weights: Any, data: st.DataObject
) -> None:
    np.fill_diagonal(weights, 0.0)
    confidence = data.draw(arrays(float, 4, elements=st.integers(0, 2).map(float)))
    game = ConsensusGame(points, confidence, weights)
    positions = data.draw(arrays(float, (4, 2), elements=WHOLE))
    best, gap = game.best_responses(positions), gap_of(game, tuple(positions))
    for agent in range(4):
        moved = positions.copy()
        moved[agent] = best[agent]
        saved = game.payoffs(tuple(moved))[agent] - game.payoffs(tuple(positions))[agent]
        assert gap.regrets[agent] == pytest.approx(saved, abs=1e-9)
        for step in np.eye(2) * 1e-3:  # nothing near the best response is better
            for sign in (1, -1):
                moved[agent] = best[agent] + sign * step
                worse = game.payoffs(tuple(moved))[agent] - game.payoffs(tuple(positions))[agent]
                assert worse <= saved + 1e-9


def test_exploitability_is_half_the_gap_in_constant_sum_games_and_undefined_elsewhere() -> None:
    a = np.array([[3.0, 0.0], [1.0, 2.0]])
    profile = (np.array([1.0, 0.0]), np.array([1.0, 0.0]))
    assert gap_of(MatrixGame(a), profile).exploitability == gap_of(MatrixGame(a), profile).nashconv / 2 == 1.5
    assert gap_of(BimatrixGame(a, 5 - a), profile).exploitability == 1.5
    assert gap_of(BimatrixGame(a, a), profile).exploitability is None


def test_a_correlated_equilibrium_is_told_from_a_coarse_one() -> None:
    """Both always show the same in rock, paper, scissors: nobody gains by one action, but by answering what is told."""
    game, joint = MatrixGame(np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])), np.eye(3) / 3
    assert correlated_gap(game, joint, coarse=True).nashconv == pytest.approx(0.0, abs=1e-15)
    assert correlated_gap(game, joint, coarse=False).nashconv == pytest.approx(2.0)
    assert correlated_gap(game, np.full((3, 3), 1 / 9), coarse=False).nashconv == pytest.approx(0.0, abs=1e-15)
    with pytest.raises(GameError, match="distribution"):
        correlated_gap(game, np.full((3, 3), 0.5), coarse=False)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MatrixGame(np.array([[1.0, np.nan]])), r"entry \(1, 2\) is nan"),
        (lambda: MatrixGame(np.array([[1.0], [-np.inf]])), r"entry \(2, 1\) is -inf"),
        (lambda: MatrixGame(np.array([[1e200]])), r"entry \(1, 1\) is 1e\+200"),
        (lambda: MatrixGame(np.empty((0, 3))), "empty"),
        (lambda: MatrixGame(np.zeros(3)), "1 dimensions instead of 2"),
        (lambda: MatrixGame(np.array([["a"]])), "not an array of numbers"),
        (lambda: as_game([[1, 2], [3]]), "not an array of numbers"),
        (lambda: BimatrixGame(np.zeros((2, 3)), np.zeros((3, 2))), "do not fit"),
        (lambda: TensorGame(()), "0 players"),
        (lambda: TensorGame((np.zeros((2, 2)),)), "2 dimensions instead of 1"),
        (lambda: TensorGame(tuple(np.zeros((2, 2, size)) for size in (2, 2, 3))), "do not fit"),
        (lambda: PolymatrixGame((2, 2), {(0, 0): np.eye(2)}), "between the players 0 and 0"),
        (lambda: PolymatrixGame((2, 3), {(0, 1): np.eye(2)}), "do not fit"),
        (lambda: ConsensusGame(np.zeros((2, 1)), np.array([1.0, -1.0])), "negative"),
        (lambda: ConsensusGame(np.zeros((2, 1)), np.ones(2), np.ones((2, 2))), "influences itself"),
        (lambda: MatrixGame(np.eye(2), players=("A",)), "1 names for 2 players"),
        (lambda: MatrixGame(np.eye(2), actions=(("a",), ("b", "c"))), "names of the actions"),
    ],
)
def test_what_is_no_game_is_refused_with_its_reason(make: Any, message: str) -> None:
    with pytest.raises(GameError, match=message):
        make()


def test_a_game_too_large_is_refused_before_it_costs_memory() -> None:
    huge = np.broadcast_to(np.float64(0.0), (MAX_NUMBERS + 1, 1))
    with pytest.raises(GameError, match="too large"):
        MatrixGame(huge)
    with pytest.raises(GameError, match="too large as a tensor"):
        PolymatrixGame((10,) * 12, {}).to_tensor()


@pytest.mark.parametrize(
    "profile",
    [
        ([0.5, 0.5],),
        ([0.5, 0.5], [1.0]),
        ([0.5, 0.6], [0.5, 0.5]),
        ([1.5, -0.5], [0.5, 0.5]),
        ([np.nan, 1.0], [0.5, 0.5]),
    ],
)
def test_what_is_no_profile_is_refused(profile: Any) -> None:
    with pytest.raises(GameError):
        gap_of(MatrixGame(np.eye(2)), profile)


def test_rounding_in_a_profile_is_mended() -> None:
    checked = MatrixGame(np.eye(2)).check_profile(([1.0 + 1e-9, -1e-9], [0.5, 0.5]))
    assert checked[0].tolist() == [1.0, 0.0]


@pytest.mark.parametrize("offset", [1e6, 1e12, -1e15])
def test_regrets_are_as_exact_with_an_offset_as_without(offset: float) -> None:
    chance = np.random.default_rng(3)
    for _ in range(20):
        a, b = (chance.integers(0, 9, (3, 3)).astype(float) for _ in range(2))
        edges = {(0, 1): a, (1, 0): b.T}
        shift = {pair: matrix + offset for pair, matrix in edges.items()}
        pairs: list[tuple[FiniteGame, FiniteGame]] = [
            (MatrixGame(a), MatrixGame(a + offset)),
            (BimatrixGame(a, b), BimatrixGame(a + offset, b)),
            (TensorGame((a, b)), TensorGame((a, b - offset))),
            (PolymatrixGame((3, 3), edges), PolymatrixGame((3, 3), shift)),
        ]
        profile = (chance.dirichlet(np.ones(3)), chance.dirichlet(np.ones(3)))
        joint = chance.dirichlet(np.ones(9)).reshape(3, 3)
        for plain, moved in pairs:
            np.testing.assert_allclose(moved.regrets(profile), plain.regrets(profile), atol=1e-13)
            far = correlated_gap(moved, joint, coarse=False).regrets
            np.testing.assert_allclose(far, correlated_gap(plain, joint, coarse=False).regrets, atol=1e-13)
            assert len(pickle.loads(pickle.dumps(moved)).sizes) == 2


@pytest.mark.parametrize("offset", [1e6, 1e12])
def test_games_with_an_offset_are_solved_and_their_equilibria_all_found(offset: float) -> None:
    a = np.array([[2.0, 0, 1], [0, 2, 1], [1, 1, 1]])
    game = BimatrixGame(a + offset, a.T - offset)
    for method in ("auto", "vertices"):
        plain = solve(BimatrixGame(a, a.T), method, SolveOptions(epsilon=1e-9))
        moved = solve(game, method, SolveOptions(epsilon=1e-9))
        assert moved.solved
        assert len(moved.equilibria) == len(plain.equilibria)


def test_an_answer_that_verification_refuses_says_so() -> None:
    solution = solve(ConsensusGame(np.array([[1e15], [1e15 + 1], [1e15 + 3]])), options=SolveOptions(epsilon=1e-9))
    assert solution.status is Status.NOT_CONVERGED
    assert "not to 1e-09" in solution.message
