"""One equilibrium of a bimatrix game by whichever phase gets there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.games.catalogue import make
from engine.games.games import BimatrixGame
from engine.games.generators import savani_von_stengel
from engine.games.methods import method_for
from engine.games.options import SolveOptions
from engine.games.results import Status
from engine.games.solve import Solving, solve

FEW = st.integers(0, 2).map(float)
SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 5))


@given(SHAPES.flatmap(lambda shape: st.tuples(*(arrays(float, shape, elements=FEW) for _ in range(2)))))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_degenerate_games_are_solved(payoffs: tuple[np.ndarray, np.ndarray]) -> None:
    solution = solve(BimatrixGame(*payoffs), options=SolveOptions(epsilon=1e-12))
    assert solution.solved, solution.message


def test_random_games_are_solved_and_two_of_three_by_inspection() -> None:
    chance, methods = np.random.default_rng(0), []
    for _ in range(90):
        solution = solve(BimatrixGame(*chance.random((2, 8, 8))), options=SolveOptions(epsilon=1e-12))
        assert solution.solved, solution.message
        methods.append(solution.method)
    assert set(methods) == {"auto: pure", "auto: lemke-howson"}
    assert 0.5 < methods.count("auto: pure") / len(methods) < 0.85


@pytest.mark.parametrize("n", [64, 100])
def test_players_of_nearly_opposed_interests_are_traced(n: int) -> None:
    """Each label's path takes tens of thousands of pivots there; the one from uniform strategies some hundred."""
    chance = np.random.default_rng(n)
    a = chance.random((n, n))
    solution = solve(BimatrixGame(a, 0.3 * chance.random((n, n)) - a), options=SolveOptions(epsilon=1e-12))
    assert solution.solved, solution.message
    traced = solve(BimatrixGame(a, 0.3 * chance.random((n, n)) - a), options=SolveOptions(iterations=5000))
    assert traced.method == "auto: howson"


@pytest.mark.parametrize("key", ["battle", "chicken", "shapley", "unreachable", "stengel", "winkels", "loopback"])
def test_reference_games_have_one_of_their_equilibria(key: str) -> None:
    solution = solve(make(key), options=SolveOptions(epsilon=1e-12))
    assert solution.solved, solution.message


def test_each_phase_goes_on_where_the_one_before_gave_up() -> None:
    game = savani_von_stengel(8)
    solving = Solving(game, method_for(game), SolveOptions(iterations=10, epsilon=1e-9, stride=1))
    notes = [step.note for step in solving]
    assert notes[0].startswith("Lemke-Howson")
    assert "Howson" in notes
    assert notes[-1] not in ("Howson", notes[0])
    solution = solving.solution
    assert solution is not None
    assert solution.solved or all(word in solution.message for word in ("lemke-howson: 10 pivots", "howson", "logit"))


@pytest.mark.parametrize("size", [16, 20, 24, 32])
def test_hard_games_are_solved(size: int) -> None:
    solution = solve(savani_von_stengel(size))
    assert solution.solved, solution.message


@pytest.mark.parametrize(("scale", "offset"), [(1e-6, 0.0), (1e6, 0.0), (1.0, 1e6)])
def test_other_units_change_nothing(scale: float, offset: float) -> None:
    for seed in range(10):
        a, b = np.random.default_rng(seed).random((2, 6, 7))
        plain = solve(BimatrixGame(a, b)).equilibria[0].profile
        moved = solve(BimatrixGame(a * scale + offset, b)).equilibria[0].profile
        for ours, theirs in zip(plain, moved, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-8)


def test_it_stops_when_asked() -> None:
    a = np.random.default_rng(1).random((400, 400))
    game = BimatrixGame(a, -a + 0.1 * np.random.default_rng(2).random((400, 400)))
    solving = Solving(game, method_for(game), SolveOptions(stride=1))
    for _ in range(3):
        next(solving)
    assert solving.cancel().status is Status.CANCELLED
