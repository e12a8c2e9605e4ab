"""The condensed simplex: the compiled pivots are the clear ones, and any basis is a start."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.games.games import Floats, MatrixGame
from engine.games.generators import colonel_blotto
from engine.games.options import SolveOptions
from engine.games.results import Outcome, Step, Steps
from engine.games.solve import solve
from engine.games.solvers.simplex import cold, pivot, reference_pivots, solve_matrix
from engine.games.solvers.simplex_jit import pivot as compiled_pivot
from engine.games.solvers.zero_sum_basis import choose, mending, refined
from engine.games.solvers.zero_sum_scale import gap_in, scaled

OPTIONS = SolveOptions(epsilon=1e-10)


def random_matrix(seed: int) -> Floats:
    """A game of up to 24 actions a side, mostly degenerate."""
    chance = np.random.default_rng(seed)
    n, m = chance.integers(1, 25, 2)
    sort = seed % 4
    if sort == 0:
        return chance.normal(size=(n, m))
    if sort == 1:
        return chance.integers(-1, 2, (n, m)).astype(float)
    if sort == 2:
        return (chance.integers(-2, 3, (n, 2)) @ chance.integers(-2, 3, (2, m))).astype(float)
    return chance.integers(0, 2, (n, m))[chance.integers(0, n, n)].astype(float)


@pytest.mark.parametrize("seed", range(120))
def test_compiled_and_clear_pivots_are_the_same(seed: int) -> None:
    matrix = scaled(random_matrix(seed), OPTIONS).matrix
    fast, clear = cold(matrix, seed), cold(matrix, seed)
    while not clear.done:
        assert fast.advance(3) == clear.advance(3, reference_pivots)
        assert np.array_equal(fast.basic, clear.basic)
        assert np.array_equal(fast.free, clear.free)
        assert fast.mu == pytest.approx(clear.mu, rel=1e-6, abs=1e-12)
    assert fast.done and not fast.stuck
    assert gap_in(matrix, fast.profile()) < 1e-11
    assert np.allclose(fast.table, clear.table, atol=1e-6 * np.abs(clear.table).max())


def test_one_pivot_exchanges_a_row_and_a_column() -> None:
    table = np.random.default_rng(0).normal(size=(6, 7))
    twice, fast = table.copy(), table.copy()
    pivot(twice, 2, 3)
    compiled_pivot(fast, 2, 3)
    assert np.allclose(twice, fast, atol=1e-12)
    # What it means: with w = T z, w_2 and z_3 have changed places (and the sign that the tableau's form gives them).
    z = np.random.default_rng(1).normal(size=7)
    w = -table @ z
    swapped, answer = z.copy(), w.copy()
    swapped[3], answer[2] = w[2], z[3]
    assert -twice @ swapped == pytest.approx(answer)
    pivot(twice, 2, 3)
    assert np.allclose(twice, table)


@pytest.mark.parametrize("seed", range(8))
def test_mu_falls_to_zero(seed: int) -> None:
    tableau = cold(scaled(random_matrix(4 * seed), OPTIONS).matrix, seed)
    reached = [np.inf]
    while not tableau.done:
        tableau.advance(1)
        reached.append(tableau.mu)
    assert reached[-1] == 0.0
    assert all(later <= earlier + 1e-9 for earlier, later in itertools.pairwise(reached))


def drained(steps: Steps) -> tuple[list[Step], Outcome]:
    seen = []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as end:
            return seen, end.value


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.integers(1, 24))
def test_any_guess_is_mended(seed: int, wanted: int) -> None:
    matrix = scaled(random_matrix(seed), OPTIONS).matrix
    n, m = matrix.shape
    chance = np.random.default_rng(seed + 1)
    count = min(wanted, n, m)
    rows, columns = (choose(chance.random(size), chance.random(size), count) for size in (n, m))
    seen, outcome = drained(mending(matrix, rows, columns, OPTIONS, done=5))
    assert outcome.complete
    assert gap_in(matrix, (outcome.profiles[0][0], outcome.profiles[0][1])) <= 1e-10
    assert outcome.iterations >= 5
    assert all(step.gap >= 0.0 for step in seen)


def test_actions_left_out_are_taken_in_when_they_do_better() -> None:
    matrix = scaled(np.random.default_rng(3).normal(size=(90, 90)), OPTIONS).matrix
    first = choose(np.arange(90.0), -np.arange(90.0), 1)  # one action, and spares that are not the best
    assert len(first.all) < 30
    _, outcome = drained(mending(matrix, first, first, OPTIONS))
    assert outcome.complete
    assert (outcome.profiles[0][0] > 0).sum() > 30


def test_a_known_basis_is_solved_to_the_last_digit() -> None:
    matrix = scaled(np.random.default_rng(5).normal(size=(60, 60)), OPTIONS).matrix
    tableau = cold(matrix)
    tableau.advance(10_000)
    rows, columns = tableau.supports()
    rough = tuple(part + 1e-6 for part in tableau.profile())
    rough = (rough[0] / rough[0].sum(), rough[1] / rough[1].sum())
    assert gap_in(matrix, refined(matrix, rows, columns, rough)) < 1e-14 < 1e-9 < gap_in(matrix, rough)
    better = tableau.profile()
    assert gap_in(matrix, refined(matrix, rows[:-1], columns[:-1], better)) <= gap_in(matrix, better)


@pytest.mark.parametrize("seed", range(60))
def test_the_function_in_one_call_is_pivoting_from_the_empty_basis(seed: int) -> None:
    a = random_matrix(seed)
    x, y = solve_matrix(a, seed)
    tableau = cold(scaled(a, OPTIONS).matrix, seed)
    tableau.advance(10_000, reference_pivots)
    clear = tableau.profile()
    assert gap_in(a, (x, y)) < 1e-10
    assert x == pytest.approx(clear[0], abs=1e-7)
    assert y == pytest.approx(clear[1], abs=1e-7)


def test_highly_degenerate_and_not_merged_it_still_ends() -> None:
    a = np.sign(colonel_blotto(9, 4).a)  # 220 x 220, three payoffs
    found = solve(MatrixGame(a), "simplex", SolveOptions(epsilon=1e-10, stride=1))
    assert found.solved
    assert found.iterations < 5000


def test_a_game_whose_rank_fades_away_is_mended() -> None:
    """Singular values of 2^-k: every basis is ill-conditioned; what counts is the gap, not the basis."""
    chance = np.random.default_rng(5)
    a = (chance.normal(size=(260, 260)) * 2.0 ** -np.arange(260)) @ chance.normal(size=(260, 260))
    found = solve(MatrixGame(a), "auto", SolveOptions(epsilon=1e-9))
    assert found.solved
