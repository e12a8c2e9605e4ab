"""The closed form against the game's own solvers and checks."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.consensus.negotiation.equilibrium import WeightedGame, capped
from engine.games.options import SolveOptions
from engine.games.solve import solve
from engine.games.solvers.agreement_linear import agree


@st.composite
def games(draw) -> WeightedGame:
    n, d, seed = draw(st.integers(1, 9)), draw(st.integers(1, 5)), draw(st.integers(0, 2**32))
    random = np.random.default_rng(seed)
    spread, offset = draw(st.sampled_from([0.0, 1e-6, 1.0, 1e3])), draw(st.sampled_from([0.0, 1e4]))
    ideals = offset + spread * random.normal(size=(n, d))
    weights = random.integers(1, 1001, n).astype(float)
    return WeightedGame(
        ideals, random.integers(1, 10**6 + 1, n) / 1e6, weights, draw(st.sampled_from([1e-6, 0.01, 5.0]))
    )


@settings(max_examples=80, deadline=None)
@given(games())
def test_the_closed_form_is_the_equilibrium_of_the_linear_system(game: WeightedGame) -> None:
    positions = game.equilibrium()
    reference = game.to_game()
    found = agree(reference.confidence, reference.influence, reference.points, reference.points).positions
    scale = 1e-11 * max(1.0, np.abs(game.ideals).max())
    np.testing.assert_allclose(positions, found, rtol=0, atol=scale)
    np.testing.assert_allclose(game.weights @ positions / game.weights.sum(), game.consensus(), rtol=0, atol=scale)
    assert game.verified_gap(positions) <= 1e-18 + (scale / max(game.diagonal(), scale)) ** 2
    np.testing.assert_allclose(game.pulls().sum(), 1.0)
    np.testing.assert_allclose(game.pulls() @ game.ideals, game.consensus(), rtol=0, atol=scale)


@settings(max_examples=60, deadline=None)
@given(games(), st.integers(0, 2**32))
def test_gaps_and_best_responses_are_those_of_the_consensus_game(game: WeightedGame, seed: int) -> None:
    positions = game.ideals + np.random.default_rng(seed).normal(size=game.ideals.shape)
    np.testing.assert_allclose(
        game.best_responses(positions), game.to_game().best_responses(positions), rtol=1e-9, atol=1e-9
    )
    np.testing.assert_allclose(game.gap(positions), game.verified_gap(positions), rtol=1e-6)


def test_the_solver_of_the_games_field_finds_the_same() -> None:
    game = WeightedGame(np.array([[0.0, 1.0], [1.0, 0.0], [0.5, 0.2]]), np.array([1.0, 0.3, 0.6]), np.ones(3), 0.7)
    solution = solve(game.to_game(), options=SolveOptions(epsilon=1e-9))
    np.testing.assert_allclose(np.stack(solution.equilibria[0].profile), game.equilibrium(), atol=1e-12)


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=30))
def test_nobody_weighs_more_than_a_third_of_what_was_given(weights: list[int]) -> None:
    made = capped(weights)
    limit = max(1, sum(weights) // 3)
    assert all(0 < new <= min(old, limit) for new, old in zip(made, weights, strict=True))
    if max(weights) <= limit:
        assert made == weights


@settings(max_examples=40, deadline=None)
@given(games(), st.integers(0, 2**32))
def test_moving_in_turn_leads_to_the_equilibrium_and_never_away(game: WeightedGame, seed: int) -> None:
    here = game.ideals + np.random.default_rng(seed).normal(size=game.ideals.shape)

    def potential(y) -> float:
        w, c = game.weights, game.confidences
        pairs = ((y[:, None] - y[None]) ** 2).sum(axis=2)
        return float((w * c) @ ((y - game.ideals) ** 2).sum(axis=1) + game.coupling * (w @ pairs @ w) / 2)

    before = potential(here)
    for _ in range(5):
        moved, waiting = game.in_turn(here), here.copy()
        for i in range(len(here)):
            waiting[i] = game.best_responses(waiting)[i]
        np.testing.assert_allclose(moved, waiting, rtol=1e-9, atol=1e-9)
        for i in reversed(range(len(here))):
            waiting[i] = game.best_responses(waiting)[i]
        np.testing.assert_allclose(game.there_and_back(here), waiting, rtol=1e-9, atol=1e-9)
        after = potential(moved)
        assert after <= before * (1 + 1e-9) + 1e-9
        here, before = moved, after
    resting = game.equilibrium()
    np.testing.assert_allclose(game.in_turn(resting), resting, rtol=1e-10, atol=1e-9)
