"""Games of n players: the contractions, Newton on supports, and the automatic method that stands on them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.games.games import BimatrixGame, MatrixGame, Profile, TensorGame
from engine.games.options import SolveOptions
from engine.games.results import Solution, Status
from engine.games.solve import solve
from engine.games.solvers.tensor import first_pure
from engine.games.solvers.tensor_form import TensorForm, payoffs_and_jacobian, tensor_form
from engine.games.solvers.tensor_form_jit import contract, factor, substitute
from engine.games.solvers.tensor_newton import newton, polish, restrict
from engine.games.solvers.tensor_newton_jit import newton as compiled_newton

TIGHT = SolveOptions(epsilon=1e-9)
NO_PURE = SolveOptions(epsilon=1e-9, parameters={"pure": 0})
SHAPES = [(4,), (1, 1, 1), (3, 2), (1, 5), (2, 1, 3), (3, 2, 4), (2, 2, 2, 2), (1, 3, 1, 2, 2), (2,) * 7]
FEW = st.integers(-1, 2).map(float)


def generic(sizes: tuple[int, ...], seed: int) -> TensorGame:
    chance = np.random.default_rng(seed)
    return TensorGame(tuple(chance.normal(size=sizes) for _ in sizes))


@st.composite
def tied(draw: st.DrawFn) -> TensorGame:
    """Games of few different payoffs: ties, doubled actions and constant players are common."""
    sizes = tuple(draw(st.lists(st.integers(1, 4), min_size=2, max_size=4)))
    return TensorGame(tuple(draw(arrays(float, sizes, elements=FEW)) for _ in sizes))


def somewhere(game: TensorGame, seed: int) -> Profile:
    chance = np.random.default_rng(seed)
    return tuple(chance.dirichlet(np.ones(size)) for size in game.sizes)


def regrets(game: TensorGame, profile: Profile) -> np.ndarray:
    """Each player's regret by summing over all outcomes, one by one."""
    found = []
    for player, tensor in enumerate(game.tensors):
        payoffs = np.zeros(game.sizes[player])
        for outcome in itertools.product(*map(range, game.sizes)):
            others = [x[a] for i, (x, a) in enumerate(zip(profile, outcome, strict=True)) if i != player]
            payoffs[outcome[player]] += tensor[outcome] * np.prod(others)
        found.append(payoffs.max() - payoffs @ profile[player])
    return np.array(found)


def assert_solved(game: TensorGame, solution: Solution, epsilon: float = 1e-9) -> None:
    assert solution.status is Status.SOLVED, solution.message
    spread = np.array([np.ptp(tensor) or 1.0 for tensor in game.tensors])
    size = max(1.0, *(float(np.abs(tensor).max()) for tensor in game.tensors))
    assert (regrets(game, solution.equilibria[0].profile) <= epsilon * spread + 1e-14 * size).all()


@pytest.mark.parametrize("sizes", SHAPES)
def test_payoffs_and_their_slopes_are_those_of_the_game(sizes: tuple[int, ...]) -> None:
    game = generic(sizes, 3)
    form = tensor_form(game)
    flat = form.flatten(somewhere(game, 4))
    payoffs, slopes = payoffs_and_jacobian(form, flat)
    vectors = game.payoff_vectors(form.profile(flat))
    for place, player in enumerate(form.players):
        own = slice(form.starts[place], form.starts[place + 1])
        low, spread = game.tensors[player].min(), np.ptp(game.tensors[player])
        assert payoffs[own] == pytest.approx((vectors[player] - low) / spread, abs=1e-14)
        assert not slopes[own, own].any()
        for other, begin in enumerate(form.starts[:-1]):
            if other != place:  # all slopes on another player's actions together give the payoffs once more
                theirs = slice(begin, form.starts[other + 1])
                assert slopes[own, theirs] @ flat[theirs] == pytest.approx(payoffs[own], abs=1e-14)


@pytest.mark.parametrize("sizes", SHAPES)
def test_the_compiled_contraction_is_the_same(sizes: tuple[int, ...]) -> None:
    form = tensor_form(generic(sizes, 5))
    if form.width == 0:
        return
    flat = form.flatten(somewhere(generic(sizes, 5), 6))
    clear, fast = (
        payoffs_and_jacobian(form, flat),
        (np.full(form.width, np.nan), np.full((form.width + 2,) * 2, np.nan)),
    )
    contract(form.payoffs, form.sizes, form.starts, flat, *fast)
    assert fast[0] == pytest.approx(clear[0], abs=1e-13)
    assert fast[1][: form.width, : form.width] == pytest.approx(clear[1], abs=1e-13)


def test_contraction_of_supports_with_single_actions() -> None:
    game = generic((3, 4, 2, 3), 7)
    form = tensor_form(game)
    for marks in itertools.product([0, 1], [1, 2], [0], [0, 2]):
        keep = np.zeros(form.width, dtype=bool)
        for start, mark in zip(form.starts, marks, strict=False):
            keep[start + mark] = True
        small = restrict(form, keep)
        payoffs, slopes = np.empty(4), np.empty((4, 4))
        contract(small.payoffs, small.sizes, small.starts, np.ones(4), payoffs, slopes)
        wanted = [(game.tensors[i][marks] - game.tensors[i].min()) / np.ptp(game.tensors[i]) for i in range(4)]
        assert payoffs == pytest.approx(wanted, abs=1e-14)


@pytest.mark.parametrize("size", [1, 2, 7, 40])
def test_small_linear_systems(size: int) -> None:
    chance = np.random.default_rng(size)
    matrix, right = chance.normal(size=(size, size)), chance.normal(size=size)
    work, values, order = matrix.copy(), right.copy(), np.zeros(size, dtype=np.int64)
    assert factor(work, order) == np.sign(np.linalg.det(matrix))
    substitute(work, order, values)
    assert matrix @ values == pytest.approx(right, abs=1e-9)
    assert factor(np.zeros((size, size)), order) == 0


def flat_form(game: TensorGame) -> tuple[TensorForm, np.ndarray]:
    form = tensor_form(game)
    return form, form.uniform()


def test_newton_finds_the_irrational_equilibrium_and_its_twin_too() -> None:
    payoffs = np.zeros((3, 2, 2, 2))  # Nau, Canovas and Hansen (2004), section 4
    payoffs[0, 0, 0, 0], payoffs[0, 1, 1, 0], payoffs[0, 0, 0, 1], payoffs[0, 1, 1, 1] = 3, 1, 1, 2
    payoffs[1, 1, 0, 0], payoffs[1, 0, 1, 0], payoffs[1, 1, 0, 1], payoffs[1, 0, 1, 1] = 1, 2, 3, 1
    payoffs[2, 0, 0, 0], payoffs[2, 1, 1, 1] = 2, 3
    form, flat = flat_form(TensorGame(tuple(payoffs)))
    well, clear = newton(form, flat)
    fast = flat.copy()
    assert compiled_newton(form.payoffs, form.sizes, form.starts, np.ones(form.width, bool), fast, 16)
    assert well
    assert fast == pytest.approx(clear, abs=1e-13)
    second = (np.sqrt(601) - 13) / 24
    wanted = [(9 * second - 1) / (7 * second + 2), second, (2 - 3 * second) / (1 + second)]
    assert clear[::2] == pytest.approx(wanted, abs=1e-13)


def test_polishing_never_makes_a_profile_worse() -> None:
    for seed in range(30):
        game = generic((3, 3, 2), seed)
        form = tensor_form(game)
        flat = form.flatten(somewhere(game, seed))
        before = float((regrets(game, form.profile(flat)) / game.ranges()).sum())
        after, told = polish(form, flat, before)
        assert told <= before
        assert float((regrets(game, form.profile(after)) / game.ranges()).sum()) == pytest.approx(told, abs=1e-9)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(tied())
def test_games_with_ties_are_solved(game: TensorGame) -> None:
    assert_solved(game, solve(game, options=TIGHT))
    assert_solved(game, solve(game, options=NO_PURE))


@pytest.mark.parametrize(
    "sizes", [(1,), (7,), (1, 1), (1, 4), (4, 1), (1, 1, 1), (1, 3, 1), (2, 1, 2), (1, 2, 1, 3, 2)]
)
@pytest.mark.parametrize("method", ["auto", "logit", "ipa", "newton-all"])
def test_players_without_a_choice(sizes: tuple[int, ...], method: str) -> None:
    game = generic(sizes, 11)
    solution = solve(game, method, TIGHT)
    assert solution.equilibria
    assert solution.status is not Status.NOT_CONVERGED
    for found in solution.equilibria:
        assert (regrets(game, found.profile) <= 1e-8 * game.ranges()).all()
        assert tuple(x.size for x in found.profile) == sizes


@pytest.mark.parametrize("value", [0.0, 5.0, -1e6, 1e90])
def test_games_in_which_nothing_matters(value: float) -> None:
    game = TensorGame(tuple(np.full((2, 3, 2), value) for _ in range(3)))
    for method in ("auto", "logit", "ipa"):
        assert solve(game, method, TIGHT).status is Status.SOLVED


@pytest.mark.parametrize("seed", range(6))
def test_neither_offsets_nor_units_nor_names_change_the_answer(seed: int) -> None:
    game = generic((3, 3, 3), 100 + seed)
    plain = solve(game, options=NO_PURE).equilibria[0].profile
    chance = np.random.default_rng(seed)
    scale, offset = chance.uniform(0.01, 1000, 3), 1e6 * chance.normal(size=3)
    moved = TensorGame(tuple(s * t + o for s, t, o in zip(scale, game.tensors, offset, strict=True)))
    same = solve(moved, options=SolveOptions(epsilon=1e-6, parameters={"pure": 0}))
    assert same.status is Status.SOLVED
    players, orders = chance.permutation(3), [chance.permutation(3) for _ in range(3)]
    tensors = [game.tensors[p][np.ix_(*orders)].transpose(players) for p in players]
    other = solve(TensorGame(tuple(tensors)), options=NO_PURE).equilibria[0].profile
    for place, player in enumerate(players):
        assert same.equilibria[0].profile[player] == pytest.approx(plain[player], abs=1e-6)
        assert other[place] == pytest.approx(plain[player][orders[player]], abs=1e-9)


def test_a_pure_equilibrium_is_taken_first_and_the_same_one_always() -> None:
    payoffs = np.zeros((3, 2, 2, 2))
    payoffs[:, 1, 0, 1] = payoffs[:, 0, 1, 1] = 1
    game = TensorGame(tuple(payoffs))
    solution = solve(game)
    assert solution.method == "auto: pure"
    assert [int(np.argmax(x)) for x in solution.equilibria[0].profile] == [0, 0, 0]  # nobody gains alone
    pennies = np.array([[1.0, -1.0], [-1.0, 1.0]])
    assert first_pure(TensorGame((pennies, -pennies))) is None
    assert solve(TensorGame((pennies, -pennies))).method == "auto: logit"


def test_a_limit_of_iterations_is_kept_and_said() -> None:
    game = generic((6, 6, 6), 2)
    for method, limit in (("auto", 3), ("logit", 3), ("ipa", 2)):
        options = SolveOptions(epsilon=1e-12, iterations=limit, stride=1, parameters={"pure": 0})
        solution = solve(game, method, options)
        assert solution.iterations <= limit + 1
        if not solution.solved:
            assert solution.status is Status.NOT_CONVERGED
            assert solution.message


@pytest.mark.parametrize("seed", range(6))
def test_offsets_that_leave_few_digits(seed: int) -> None:
    game = generic((2, 3, 3), seed)
    game = TensorGame(tuple(1e5 + 1e-8 * tensor for tensor in game.tensors))
    solution = solve(game, options=SolveOptions(epsilon=1e-9, parameters={"pure": 0}))
    assert solution.solved or "rounding" in solution.message
    assert solution.equilibria[0].gap.relative < 1e-2  # of sixteen digits the offset takes thirteen


def test_every_kind_of_table_is_a_form() -> None:
    a = np.array([[1.0, 4.0, 2.0], [3.0, 0.0, 5.0]])
    for game in (MatrixGame(a), BimatrixGame(a, -a), TensorGame((a, -a))):
        form = tensor_form(game)
        assert form.payoffs[0] == pytest.approx((a / 5.0).ravel())
        assert form.payoffs[1] == pytest.approx(1.0 - (a / 5.0).T.ravel())


@pytest.mark.parametrize("seed", [1, 2])
def test_five_players_with_ten_actions(seed: int) -> None:
    chance = np.random.default_rng(seed)
    game = TensorGame(tuple(chance.random((10,) * 5) for _ in range(5)))
    solution = solve(game, options=SolveOptions(epsilon=1e-9, parameters={"pure": 0}))
    assert solution.status is Status.SOLVED
    assert solution.equilibria[0].gap.relative < 1e-12
