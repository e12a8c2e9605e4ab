"""Many games at once: each as if it were alone, each verified."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.core.errors import DependencyError
from engine.games.batch import CODES, BatchSolution, solve_batch
from engine.games.errors import GameError
from engine.games.games import BimatrixGame, Floats, MatrixGame
from engine.games.generators import savani_von_stengel
from engine.games.options import SolveOptions
from engine.games.results import Status
from engine.games.solve import solve
from engine.games.verify import gap_of

FEW = st.integers(0, 2).map(float)
SHAPES = st.tuples(st.integers(1, 8), st.integers(1, 5), st.integers(1, 5))
PAIRS = SHAPES.flatmap(lambda shape: st.tuples(*(arrays(float, shape, elements=FEW) for _ in range(2))))


def verified(a: Floats, b: Floats | None, answer: BatchSolution, most: float = 1e-12) -> None:
    """The gaps told are those of the one verification, and small."""
    for k in range(len(a)):
        game = MatrixGame(a[k]) if b is None else BimatrixGame(a[k], b[k])
        gap = gap_of(game, (answer.x[k], answer.y[k]))
        assert answer.nashconv[k] == pytest.approx(gap.nashconv, abs=1e-12 * float(game.ranges().max()))
        assert answer.relative[k] == pytest.approx(gap.relative, abs=1e-12)
        assert gap.relative <= most
    assert answer.solved
    assert not answer.status.any()


@given(PAIRS)
@settings(max_examples=80, deadline=None, derandomize=True)
def test_degenerate_games_are_all_solved(payoffs: tuple[Floats, Floats]) -> None:
    a, b = payoffs
    verified(a, b, solve_batch(a, b))
    verified(a, None, solve_batch(a))


@pytest.mark.parametrize(("n", "m"), [(8, 8), (3, 11), (20, 6)])
def test_a_batch_answers_as_single_games_do(n: int, m: int) -> None:
    a, b = np.random.default_rng(n).random((2, 40, n, m))
    answer = solve_batch(a, b)
    verified(a, b, answer)
    for k in range(40):
        x, y = solve(BimatrixGame(a[k], b[k])).equilibria[0].profile
        np.testing.assert_allclose(answer.x[k], x, atol=1e-12)
        np.testing.assert_allclose(answer.y[k], y, atol=1e-12)


def test_shares_of_several_threads_make_one_batch() -> None:
    a, b = np.random.default_rng(0).random((2, 3000, 6, 6))
    whole = solve_batch(a, b)
    verified(a, b, whole)
    parts = [solve_batch(a[first : first + 100], b[first : first + 100]) for first in range(0, 3000, 100)]
    np.testing.assert_array_equal(whole.x, np.concatenate([part.x for part in parts]))
    np.testing.assert_array_equal(whole.y, np.concatenate([part.y for part in parts]))
    np.testing.assert_array_equal(whole.iterations, np.concatenate([part.iterations for part in parts]))


@pytest.mark.parametrize(("n", "m"), [(8, 8), (30, 12), (5, 40)])
def test_zero_sum_games_have_their_value(n: int, m: int) -> None:
    a = np.random.default_rng(m).normal(size=(50, n, m))
    answer = solve_batch(a)
    verified(a, None, answer)
    for k in range(0, 50, 10):
        single = solve(MatrixGame(a[k])).equilibria[0]
        assert answer.x[k] @ a[k] @ answer.y[k] == pytest.approx(single.gap.payoffs[0], abs=1e-9)


def test_hard_games_among_easy_ones() -> None:
    chance, hard = np.random.default_rng(0), savani_von_stengel(14)
    a, b = chance.random((2, 9, 14, 14))
    a[4], b[4] = hard.a, hard.b
    answer = solve_batch(a, b)
    verified(a, b, answer)
    assert answer.iterations[4] > 1000
    assert (answer.x[4] > 0).all()


@pytest.mark.parametrize(("scale", "offset"), [(1e-6, 0.0), (1e6, 0.0), (1.0, 1e6)])
def test_other_units_change_nothing(scale: float, offset: float) -> None:
    a, b = np.random.default_rng(0).random((2, 30, 5, 5))
    plain, moved = solve_batch(a, b), solve_batch(a * scale + offset, b)
    np.testing.assert_allclose(moved.x, plain.x, atol=1e-8)
    np.testing.assert_allclose(moved.y, plain.y, atol=1e-8)
    assert moved.solved


def test_what_misses_epsilon_says_so() -> None:
    a = np.random.default_rng(0).random((20, 7, 7))
    answer = solve_batch(a, options=SolveOptions(epsilon=1e-300))
    assert not answer.solved
    assert [CODES[code] for code in answer.status] == [
        Status.SOLVED if gap <= 1e-300 else Status.NOT_CONVERGED for gap in answer.relative
    ]


def test_one_game_of_one_action() -> None:
    answer = solve_batch([[[3.0]]], [[[4]]])
    assert answer.x.tolist() == answer.y.tolist() == [[1.0]]


@pytest.mark.parametrize(
    ("a", "b", "why"),
    [
        (np.ones((2, 3)), None, "dimensions"),
        (np.ones((0, 3, 3)), None, "empty"),
        (np.ones((2, 3, 3)), np.ones((2, 3, 4)), "shapes"),
        (np.full((2, 3, 3), np.nan), None, "nan"),
        (np.ones((2, 3, 3)), np.full((2, 3, 3), np.inf), "inf"),
        (np.full((1, 2, 2), 1e200), None, "1e[+]200"),
    ],
)
def test_what_is_no_batch_is_refused(a: Floats, b: Floats | None, why: str) -> None:
    with pytest.raises(GameError, match=why):
        solve_batch(a, b)


@pytest.mark.skipif(find_spec("cupy") is not None, reason="there may be a GPU")
def test_a_gpu_that_is_not_there_is_named() -> None:
    with pytest.raises(DependencyError):
        solve_batch(np.ones((1, 2, 2)), options=SolveOptions(device="cuda"))
