"""Zero-sum matrix games by the automatic method: right on every kind of game, and watchable on the way."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from engine.games.games import Floats, MatrixGame
from engine.games.generators import colonel_blotto, random_zero_sum
from engine.games.methods import method_for
from engine.games.options import SolveOptions
from engine.games.results import Solution, Status, Step
from engine.games.solve import Solving, solve
from engine.games.solvers.zero_sum_basis import choose, crash, form
from engine.games.solvers.zero_sum_scale import scaled
from engine.games.solvers.zero_sum_symmetry import quotient
from engine.games.verify import gap_of

EXACT = SolveOptions(epsilon=1e-9)
LARGE = random_zero_sum(1000, 1000, seed=4)


def solved(a: Floats, method: str = "auto", options: SolveOptions = EXACT) -> tuple[Solution, float]:
    solution = solve(MatrixGame(a), method, options)
    assert solution.status is Status.SOLVED, solution.message
    return solution, float(solution.equilibria[0].gap.payoffs[0])


def value_by_highs(a: Floats) -> float:
    n, m = a.shape
    found = linprog(
        np.append(np.zeros(n), -1.0),
        A_ub=np.hstack([-a.T, np.ones((m, 1))]),
        b_ub=np.zeros(m),
        A_eq=np.append(np.ones(n), 0.0)[None],
        b_eq=[1.0],
        bounds=[(0, None)] * n + [(None, None)],
    )
    return float(found.x[-1])


@st.composite
def matrices(draw: st.DrawFn) -> Floats:
    """Small integer games of every degenerate sort."""
    n, m = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    entries = st.integers(-2, 2)
    sort = draw(st.sampled_from(["ties", "rank one", "constant", "duplicates", "dominated", "skew"]))
    if sort == "constant":
        return np.full((n, m), float(draw(entries)))
    if sort == "rank one":
        rows, columns = (draw(st.lists(entries, min_size=size, max_size=size)) for size in (n, m))
        return np.outer(rows, columns).astype(float)
    cells = draw(st.lists(entries, min_size=n * m, max_size=n * m))
    a = np.array(cells, dtype=float).reshape(n, m)
    if sort == "duplicates":
        return np.repeat(np.repeat(a, 2, axis=0), 2, axis=1)
    if sort == "dominated":
        return np.vstack([a, a - 1.0])
    if sort == "skew":
        square = np.triu(np.resize(a, (n, n)), 1)
        return square - square.T
    return a


@settings(max_examples=300, deadline=None, derandomize=True)
@given(matrices())
def test_degenerate_games_have_the_value_that_highs_finds(a: Floats) -> None:
    expected = value_by_highs(a)
    for method in ("auto", "simplex", "interior-point"):
        _, value = solved(a, method)
        assert value == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 300), (300, 2), (31, 700), (230, 260)])
def test_any_shape_is_solved(shape: tuple[int, int]) -> None:
    a = np.random.default_rng(shape[1]).normal(size=shape)
    for method in ("auto", "simplex", "interior-point"):
        _, value = solved(a, method)
        assert value == pytest.approx(value_by_highs(a), abs=1e-7)


def test_the_game_on_which_regret_matching_stalls() -> None:
    a = np.array([[3.0, 0.0, -3.0], [0.0, 3.0, -4.0], [0.0, 0.0, 1.0]])
    for method in ("auto", "simplex", "interior-point"):
        solution, value = solved(a, method, SolveOptions(epsilon=1e-12 if method != "interior-point" else 1e-10))
        x, y = solution.equilibria[0].profile
        assert value == pytest.approx(0.25, abs=1e-9)
        assert x == pytest.approx(np.array([1, 1, 10]) / 12, abs=1e-8)
        assert y == pytest.approx(np.array([4, 5, 3]) / 12, abs=1e-8)


@pytest.mark.parametrize("size", [12, 260])
def test_roles_order_and_scale_change_nothing(size: int) -> None:
    chance = np.random.default_rng(size)
    a = chance.normal(size=(size, size + 7))
    solution, value = solved(a)
    x, y = solution.equilibria[0].profile
    mirrored, negative = solved(-a.T)
    assert negative == pytest.approx(-value, abs=1e-9)
    back = (mirrored.equilibria[0].profile[1], mirrored.equilibria[0].profile[0])
    assert gap_of(MatrixGame(a), back).relative < 1e-9
    rows, columns = chance.permutation(size), chance.permutation(size + 7)
    shuffled, same = solved(a[rows][:, columns])
    assert same == pytest.approx(value, abs=1e-9)
    assert shuffled.equilibria[0].profile[0] == pytest.approx(x[rows], abs=1e-7)  # the equilibrium is unique
    assert shuffled.equilibria[0].profile[1] == pytest.approx(y[columns], abs=1e-7)


@pytest.mark.parametrize("method", ["auto", "simplex", "interior-point"])
@pytest.mark.parametrize(("factor", "offset"), list(itertools.product([1e-6, 1.0, 1e6], [0.0, -1e3, 1e6])))
def test_affine_rescaling_changes_nothing_but_the_last_digits(method: str, factor: float, offset: float) -> None:
    a = np.random.default_rng(9).random((40, 30))
    _, value = solved(a, method)
    digits = 1e-13 * (abs(offset) / factor + 1)  # what the payoffs themselves still hold
    _, moved = solved(a * factor + offset, method, SolveOptions(epsilon=min(1.0, 1e-9 + 1e3 * digits)))
    assert (moved - offset) / factor == pytest.approx(value, abs=1e-8 + 1e3 * digits)


def test_a_payoff_that_everybody_avoids_does_not_drown_the_others() -> None:
    a = np.random.default_rng(2).random((60, 60))
    a[3, 7] = -1e9
    for method in ("auto", "simplex"):
        solution, _ = solved(a, method, SolveOptions(epsilon=1e-15))
        assert solution.equilibria[0].gap.nashconv < 1e-6


@pytest.mark.parametrize(
    "a",
    [
        np.sign(np.subtract.outer(np.arange(300), np.arange(300)) % 3 - 1.0) + np.eye(300),
        np.random.default_rng(1).integers(0, 2, (300, 280)).astype(float),
        np.random.default_rng(2).integers(-2, 3, (300, 6)) @ np.random.default_rng(3).integers(-2, 3, (6, 300)) * 1.0,
        np.repeat(np.random.default_rng(4).random((130, 250)), 2, axis=0) + 1e-13 * np.arange(260)[:, None],
        np.random.default_rng(5).standard_cauchy((240, 260)),
        np.diag(2.0 ** -np.linspace(0.0, 30.0, 250)),
        1.0 / (1.0 + np.add.outer(np.arange(240), np.arange(230))),
        np.sin(0.1 * np.arange(260))[:, None] * np.cos(0.13 * np.arange(240)) + np.sin(np.arange(240) * 0.3),
    ],
    ids=["cyclic", "bits", "low rank", "nearly twins", "heavy tails", "tiny diagonal", "Hilbert", "smooth"],
)
def test_large_awkward_games(a: Floats) -> None:
    solved(a)


@pytest.mark.parametrize("majority", [False, True], ids=["fields won less lost", "most fields win"])
def test_blotto_is_merged_and_has_value_zero(majority: bool) -> None:
    game = colonel_blotto(12, 4)
    a = np.sign(game.a) if majority else game.a
    merged = quotient(scaled(a, EXACT).matrix)
    assert merged is not None
    assert merged.matrix.shape == (34, 34)  # ways to spread 12 over 4 whose order does not matter
    solution, value = solved(a)
    assert value == pytest.approx(0.0, abs=1e-12)
    assert solution.equilibria[0].gap.relative < 1e-12


def test_merging_spreads_over_duplicates_and_leaves_random_games_alone() -> None:
    chance = np.random.default_rng(0)
    a = chance.random((4, 5))
    assert quotient(a) is None
    doubled = np.repeat(a, 3, axis=0)[:, [0, 1, 1, 2, 3, 4]]
    order = chance.permutation(12)
    merged = quotient(doubled[order])
    assert merged is not None
    assert sorted(merged.matrix.ravel()) == pytest.approx(sorted(a.ravel()))
    x, y = merged.lift((np.array([0.4, 0.3, 0.2, 0.1]), np.full(5, 0.2)))
    assert x.sum() == pytest.approx(1.0)
    assert y.sum() == pytest.approx(1.0)
    assert merged.together((x, y))[0] == pytest.approx([0.4, 0.3, 0.2, 0.1])


def test_almost_interchangeable_actions_are_told_apart_in_the_end() -> None:
    a = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])
    a[0, 1] -= 2e-11  # below what merging notices, above what is asked for
    solution, _ = solved(a, options=SolveOptions(epsilon=1e-14))
    assert solution.equilibria[0].gap.relative < 1e-14


def test_a_thousand_actions_are_watched_iteration_by_iteration() -> None:
    seen: list[Step] = []
    solution = solve(LARGE, options=SolveOptions(epsilon=1e-9, stride=1), watch=seen.append)
    assert solution.status is Status.SOLVED
    assert solution.method == "auto: simplex"
    assert [step.iteration for step in seen] == list(range(1, solution.iterations + 1))
    notes = [step.note for step in seen]
    assert notes == sorted(notes, reverse=True)  # prm+, then pivots
    assert {"prm+", "pivot"} == set(notes)
    for step in (*seen[::60], seen[-1]):
        assert step.gap == pytest.approx(gap_of(LARGE, step.profile).nashconv, rel=1e-6, abs=1e-12)
    assert seen[-1].gap < 1e-9 < 1e-5 < seen[90].gap < seen[10].gap


def test_the_same_run_again_and_at_another_stride_gives_the_same() -> None:
    game = random_zero_sum(300, 300, seed=1)
    profiles = [
        solve(game, options=SolveOptions(epsilon=1e-9, stride=stride)).equilibria[0].profile for stride in (0, 0, 7)
    ]
    for other in profiles[1:]:
        for one, two in zip(profiles[0], other, strict=True):
            assert np.array_equal(one, two)


def test_cancelling_leaves_the_best_so_far() -> None:
    solving = Solving(LARGE, method_for(LARGE), SolveOptions(epsilon=1e-9, stride=1))
    gaps = [step.gap for step in itertools.islice(solving, 160)]
    assert min(gaps) < gaps[-1], "the first pivots lead away from the rough profile"
    solution = solving.cancel()
    assert solution.status is Status.CANCELLED
    assert solution.iterations == 160
    assert solution.equilibria[0].gap.nashconv == pytest.approx(min(gaps), rel=1e-6)


@pytest.mark.parametrize("limit", [1, 60, 230])
def test_a_limit_on_iterations_is_kept_in_every_phase(limit: int) -> None:
    solution = solve(LARGE, options=SolveOptions(epsilon=1e-9, iterations=limit))
    assert solution.status is Status.NOT_CONVERGED
    assert solution.iterations == limit
    assert str(limit) in solution.message
    assert solution.equilibria[0].gap.relative < (1.0 if limit == 1 else 0.01)


def test_what_fp64_cannot_hold_is_said() -> None:
    for method in ("auto", "simplex", "interior-point"):
        solution = solve(random_zero_sum(230, 230), method, SolveOptions(epsilon=1e-18))
        assert solution.status is Status.NOT_CONVERGED
        assert solution.equilibria[0].gap.relative < 1e-9
        assert "gap" in solution.message or "exact" in solution.message


def test_a_rough_answer_stops_early() -> None:
    solution = solve(LARGE, options=SolveOptions(epsilon=1e-2))
    assert solution.status is Status.SOLVED
    assert solution.method == "auto: prm+"


def test_a_start_is_used() -> None:
    exact = solve(LARGE, options=EXACT).equilibria[0].profile
    seen: list[Step] = []
    solve(LARGE, options=SolveOptions(epsilon=1e-9, stride=1, start=exact), watch=seen.append)
    cold: list[Step] = []
    solve(LARGE, options=SolveOptions(epsilon=1e-9, stride=1), watch=cold.append)
    assert seen[0].gap < 0.1 * cold[0].gap
    blotto = colonel_blotto(4, 3)
    assert solve(blotto, options=SolveOptions(start=blotto.uniform())).solved


def test_dependent_actions_make_no_basis_and_a_crash_finds_one() -> None:
    chance = np.random.default_rng(6)
    a = scaled(chance.normal(size=(50, 3)) @ chance.normal(size=(3, 50)), EXACT).matrix
    rows, columns = (choose(np.ones(50), np.arange(50.0), 20) for _ in range(2))
    assert form(a, rows, columns, 0) is None
    made = crash(a, rows, columns, 0)
    used, theirs = made.supports()
    assert len(used) == len(theirs) <= 4
    made.advance(10_000)
    assert made.done and not made.stuck


def test_a_good_guess_and_the_empty_basis_end_alike() -> None:
    a = random_zero_sum(120, 120, seed=8).a
    guessed, value = solved(a, "simplex")
    matrix = scaled(a, EXACT).matrix
    x, y = guessed.equilibria[0].profile
    count = int((x > 1e-9).sum())
    tableau = form(matrix, choose(x, a @ y, count), choose(y, -(x @ a), count), 0)
    assert tableau is not None
    assert tableau.advance(100) == 0  # it was the answer already
    again = tableau.profile()
    assert again[0] == pytest.approx(x, abs=1e-9)
    assert float(again[0] @ a @ again[1]) == pytest.approx(value, abs=1e-12)
