"""Polymatrix games: the linear program, Howson's pivoting, and the composite of both."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.games.errors import GameError
from engine.games.games import BimatrixGame, Floats, PolymatrixGame
from engine.games.generators import random_polymatrix
from engine.games.methods import method_for
from engine.games.options import SolveOptions
from engine.games.results import Status
from engine.games.solve import Solving, solve
from engine.games.solvers.howson import DONE, MORE, Path
from engine.games.solvers.lemke_howson import lemke_howson
from engine.games.solvers.polymatrix_lp import pairwise_zero_sum
from engine.games.verify import gap_of

EXACT = SolveOptions(epsilon=1e-12)
FEW = st.integers(0, 2).map(float)


@st.composite
def degenerate(draw: st.DrawFn) -> PolymatrixGame:
    """One to four players, some pairs, few payoffs, so that there are ties everywhere."""
    sizes = tuple(draw(st.lists(st.integers(1, 3), min_size=1, max_size=4)))
    pairs = [(i, j) for i in range(len(sizes)) for j in range(len(sizes)) if i != j]
    chosen = draw(st.sets(st.sampled_from(pairs))) if pairs else set()
    return PolymatrixGame(
        sizes, {(i, j): draw(arrays(float, (sizes[i], sizes[j]), elements=FEW)) for i, j in sorted(chosen)}
    )


def disguised(game: PolymatrixGame, seed: int) -> PolymatrixGame:
    """The same best responses: each player's payoffs in other units, and terms that only another's action decides."""
    chance = np.random.default_rng(seed)
    factors = chance.uniform(0.1, 10.0, len(game.sizes))
    edges = {(i, j): factors[i] * m + chance.normal(size=(1, m.shape[1])) for (i, j), m in game.edges.items()}
    return PolymatrixGame(game.sizes, edges)


def small(game: PolymatrixGame, profile: tuple[Floats, ...], most: float = 1e-12) -> None:
    """An equilibrium of the game, and of its tensors, which are computed in another way."""
    assert gap_of(game, profile).relative <= most
    assert gap_of(game.to_tensor(), profile).nashconv == pytest.approx(gap_of(game, profile).nashconv, abs=1e-12)


@given(degenerate())
@settings(max_examples=120, deadline=None, derandomize=True)
def test_degenerate_games_are_solved(game: PolymatrixGame) -> None:
    for method in ("auto", "howson"):
        solution = solve(game, method, EXACT)
        assert solution.solved, solution.message
        small(game, solution.equilibria[0].profile)


def same_pivots(game: PolymatrixGame) -> None:
    clear, compiled = Path(game, game.uniform(), reference=True), Path(game, game.uniform())
    status = MORE
    while status == MORE and clear.pivots < 400:
        status = clear.advance(1)
        assert compiled.advance(1) == status
        np.testing.assert_array_equal(clear.tableau.basic, compiled.tableau.basic)
        np.testing.assert_array_equal(clear.tableau.t, compiled.tableau.t)
    assert status != MORE or clear.pivots == 400


@given(degenerate())
@settings(max_examples=30, deadline=None, derandomize=True)
def test_the_twin_pivots_alike_on_degenerate_games(game: PolymatrixGame) -> None:
    same_pivots(game)


@pytest.mark.parametrize(("players", "actions"), [(3, 3), (6, 4), (20, 5)])
def test_the_twin_pivots_alike_on_random_games(players: int, actions: int) -> None:
    same_pivots(random_polymatrix(players, actions, 1))  # 20 players: past the tableau's renewal


@pytest.mark.parametrize(("players", "actions"), [(2, 5), (3, 4), (5, 3), (12, 3), (30, 2)])
def test_random_games_are_solved_by_pivoting(players: int, actions: int) -> None:
    for seed in range(4):
        game = random_polymatrix(players, actions, seed, density=0.7)
        solution = solve(game, options=EXACT)
        assert solution.solved, solution.message
        if players <= 5:
            small(game, solution.equilibria[0].profile)


def test_of_two_players_it_is_a_bimatrix_game() -> None:
    for seed in range(10):
        a, b = np.random.default_rng(seed).random((2, 4, 5))
        game = PolymatrixGame((4, 5), {(0, 1): a, (1, 0): b.T})
        both = BimatrixGame(a, b)
        assert gap_of(both, solve(game, "howson").equilibria[0].profile).relative <= 1e-12
        assert gap_of(game, lemke_howson(a, b)).relative <= 1e-12


def test_every_step_is_a_profile_from_the_start_on() -> None:
    game = random_polymatrix(6, 4, 3)
    start = tuple(np.eye(4)[player % 4] for player in range(6))
    told = list(Solving(game, method_for(game, "howson"), SolveOptions(stride=1, start=start)))
    for step in told:
        assert step.gap == pytest.approx(gap_of(game, step.profile).nashconv, abs=1e-12)
        assert all(part.sum() == pytest.approx(1.0) for part in step.profile)
    assert told[-1].gap < 1e-12 < told[0].gap


@pytest.mark.parametrize(("players", "actions"), [(2, 3), (4, 3), (9, 4)])
@pytest.mark.parametrize("method", ["auto", "polymatrix-lp", "howson"])
def test_zero_sum_games_are_solved_in_disguise_too(players: int, actions: int, method: str) -> None:
    for seed in range(3):
        plain = random_polymatrix(players, actions, seed, zero_sum=True)
        hidden = disguised(plain, seed)
        for game in (plain, hidden):
            solution = solve(game, method, SolveOptions(epsilon=1e-9))
            assert solution.solved, solution.message
            # The same best responses: an equilibrium of one is one of the other.
            assert gap_of(plain, solution.equilibria[0].profile).relative <= 1e-9
            assert solution.method == ("auto: polymatrix-lp" if method == "auto" else method)


def total(game: PolymatrixGame) -> Floats:
    return np.sum(game.to_tensor().tensors, axis=0)


def test_payoffs_that_sum_to_zero_only_all_together_are_recognised() -> None:
    """Globally zero-sum, no pair for itself: what one player's action costs with one, it gains with the other."""
    chance = np.random.default_rng(0)
    plain = random_polymatrix(3, 3, 0, zero_sum=True)
    edges = {pair: payoffs.copy() for pair, payoffs in plain.edges.items()}
    for player, first, second in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        term = chance.normal(size=(3, 1))
        edges[player, first] += term
        edges[player, second] -= term
    game = PolymatrixGame((3, 3, 3), edges)
    assert np.ptp(edges[0, 1] + edges[1, 0].T) > 0.1
    assert np.abs(total(game)).max() < 1e-12
    solution = solve(game, "polymatrix-lp", EXACT)
    assert solution.solved, solution.message
    small(game, solution.equilibria[0].profile)


def test_what_the_recognition_returns_cancels_out() -> None:
    game = disguised(random_polymatrix(5, 3, 1, zero_sum=True), 2)
    edges = pairwise_zero_sum(game)
    assert edges is not None
    for (i, j), payoffs in edges.items():
        np.testing.assert_array_equal(payoffs, -edges[j, i].T)
    same = PolymatrixGame(game.sizes, edges)
    for seed in range(5):
        chance = np.random.default_rng(seed)
        profile = tuple(chance.dirichlet(np.ones(3)) for _ in range(5))
        np.testing.assert_array_equal(
            [vector.argmax() for vector in game.payoff_vectors(profile)],
            [vector.argmax() for vector in same.payoff_vectors(profile)],
        )


@pytest.mark.parametrize("change", [1e-3, 1.0])
def test_games_that_are_not_zero_sum_are_refused_by_the_program(change: float) -> None:
    plain = random_polymatrix(4, 3, 5, zero_sum=True)
    edges = {pair: payoffs.copy() for pair, payoffs in plain.edges.items()}
    edges[2, 3][0, 0] += change
    game = PolymatrixGame(plain.sizes, edges)
    assert pairwise_zero_sum(game) is None
    with pytest.raises(GameError, match="not zero-sum"):
        solve(game, "polymatrix-lp")
    assert solve(game, options=EXACT).method == "auto: howson"


def test_factors_that_contradict_each_other_around_a_cycle_are_no_disguise() -> None:
    plain = random_polymatrix(3, 2, 0, zero_sum=True)
    edges = dict(plain.edges)
    edges[0, 1] = 2.0 * edges[0, 1]  # each pair is zero-sum in some units, but not all three in the same
    assert pairwise_zero_sum(PolymatrixGame(plain.sizes, edges)) is None
    del edges[0, 2], edges[2, 0]
    assert pairwise_zero_sum(PolymatrixGame(plain.sizes, edges)) is not None


@pytest.mark.parametrize(("scale", "offset"), [(1e-6, 0.0), (1e6, 0.0), (1.0, 1e6)])
def test_other_units_change_nothing(scale: float, offset: float) -> None:
    for seed in range(5):
        game = random_polymatrix(4, 3, seed)
        moved = PolymatrixGame(game.sizes, {pair: m * scale + offset for pair, m in game.edges.items()})
        plain, other = (solve(one, "howson").equilibria[0].profile for one in (game, moved))
        for ours, theirs in zip(plain, other, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-7 if offset else 1e-12)


def test_players_in_another_order_play_the_same() -> None:
    game, order = random_polymatrix(5, 3, 2), [3, 0, 4, 1, 2]
    turned = PolymatrixGame((3,) * 5, {(order.index(i), order.index(j)): m for (i, j), m in game.edges.items()})
    plain, other = (solve(one, "howson").equilibria[0].profile for one in (game, turned))
    for place, player in enumerate(order):
        np.testing.assert_allclose(other[place], plain[player], atol=1e-12)


def test_gambit_agrees() -> None:
    gambit: Any = pytest.importorskip("pygambit")
    for seed in range(5):
        game = random_polymatrix(3, 3, seed)
        theirs = gambit.Game.from_arrays(*game.to_tensor().tensors)
        profile = solve(game, "howson").equilibria[0].profile
        told = theirs.mixed_strategy_profile([part.tolist() for part in profile])
        assert told.max_regret() <= 1e-9


def test_too_few_pivots_and_a_stop_are_said() -> None:
    game = random_polymatrix(20, 5, 1)
    short = solve(game, "howson", SolveOptions(iterations=10))
    assert short.status is Status.NOT_CONVERGED
    assert "10 pivots" in short.message
    solving = Solving(game, method_for(game), SolveOptions(stride=1))
    next(solving)
    assert solving.cancel().status is Status.CANCELLED
    with pytest.raises(GameError, match="cap"):
        solve(game, "howson", SolveOptions(parameters={"cap": 0}))


def test_the_final_strategies_are_solved_from_the_payoffs_again() -> None:
    game = random_polymatrix(10, 4, 1)
    path = Path(game, game.uniform())
    assert path.advance(10_000) == DONE
    assert gap_of(game, path.finish()).relative <= min(1e-13, 10 * gap_of(game, path.profile()).relative + 1e-15)


@pytest.mark.parametrize("unit", [1e-312, 1e-300, 1e-160, 1e99])
@pytest.mark.parametrize("method", ["auto", "polymatrix-lp"])
def test_no_unit_is_too_small_or_too_large(unit: float, method: str) -> None:
    chance = np.random.default_rng(2)
    edges = {}
    for i, j in ((0, 1), (0, 2), (1, 2)):
        edges[i, j] = chance.integers(-4, 5, (3, 3)) * unit
        edges[j, i] = -edges[i, j].T
    solution = solve(PolymatrixGame((3, 3, 3), edges), method)
    assert solution.solved, solution.message
