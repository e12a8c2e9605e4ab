"""The logit path: where it ends, that folds and crossings do not stop it, and that both forms walk it alike."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.games.games import BimatrixGame, FiniteGame, MatrixGame, TensorGame
from engine.games.methods import method_for
from engine.games.options import SolveOptions
from engine.games.reference import references
from engine.games.results import Status
from engine.games.solve import Solving, solve
from engine.games.solvers import logit_jit, logit_reference
from engine.games.solvers.logit import logit_limit
from engine.games.solvers.logit_trace import Trace
from engine.games.solvers.tensor_form import tensor_form

TIGHT = SolveOptions(epsilon=1e-9)
CLEAR = SolveOptions(epsilon=1e-9, parameters={"reference": 1})
KNOWN = {known.key: known for known in references()}
TABLES = [key for key, known in KNOWN.items() if isinstance(known.game, MatrixGame | BimatrixGame | TensorGame)]
LOOPBACK = BimatrixGame(np.array([[6.0, 6.0], [7.32, 1.0]]), np.array([[7.0, 7.0], [6.0, 4.0]]))
FEW = st.integers(-1, 2).map(float)


def random_game(sizes: tuple[int, ...], seed: int, correlation: float = 0.0) -> TensorGame:
    """Normal payoffs, those of one outcome correlated between the players."""
    chance, count = np.random.default_rng(seed), len(sizes)
    root = np.linalg.cholesky(np.full((count, count), correlation) + (1 - correlation) * np.eye(count))
    payoffs = chance.normal(size=(*sizes, count)) @ root.T
    return TensorGame(tuple(np.ascontiguousarray(payoffs[..., player]) for player in range(count)))


@pytest.mark.parametrize("key", TABLES)
@pytest.mark.parametrize("options", [TIGHT, CLEAR], ids=["compiled", "clear"])
def test_it_solves_the_reference_games(key: str, options: SolveOptions) -> None:
    solution = solve(KNOWN[key].game, "logit", options)
    assert solution.status is Status.SOLVED, solution.message


def test_the_limit_of_loopback() -> None:
    x, y = logit_limit(LOOPBACK)
    assert x == pytest.approx([0, 1], abs=1e-12)
    assert y == pytest.approx([1, 0], abs=1e-12)


@pytest.mark.parametrize("compiled", [True, False])
def test_the_branch_that_bends_backwards_is_followed_to_its_end(compiled: bool) -> None:
    form = tensor_form(LOOPBACK)  # it bends where both players' payoffs have the same unit, as in the source
    form = replace(form, payoffs=form.payoffs * np.array([[6.32], [3.0]]))
    trace = Trace(form, np.log(form.uniform()), compiled)
    paces = [0.0]
    while trace.pace < 1e4:
        assert trace.advance(1, 1e6) == (logit_reference.WENT_ON, 1)
        paces.append(trace.pace)
    falls = [later < earlier for earlier, later in itertools.pairwise(paces)]
    assert 0 < sum(falls) < len(falls) / 2
    assert not any(falls[-5:])
    assert trace.flat == pytest.approx([0, 1, 1, 0], abs=1e-9)


@pytest.mark.parametrize(
    ("sizes", "seed"), [((3, 3), 1), ((3, 3), 12), ((2, 2, 2), 43), ((3, 3, 3), 3), ((3, 3, 3), 34)]
)
def test_folds_of_other_games(sizes: tuple[int, ...], seed: int) -> None:
    game = TensorGame(tuple(np.random.default_rng(seed).normal(size=(len(sizes), *sizes))))
    solving = Solving(game, method_for(game, "logit"), SolveOptions(stride=1, epsilon=1e-9))
    paces = [float(step.note.split("=")[1]) for step in solving if "λ" in step.note]
    assert any(later < earlier for earlier, later in itertools.pairwise(paces)), "lambda falls for a while"
    assert solving.solution is not None
    assert solving.solution.solved


def test_every_point_is_a_quantal_response_equilibrium() -> None:
    game = random_game((3, 4, 2), 1)
    form = tensor_form(game)
    trace = Trace(form, np.log(form.uniform()))
    while trace.pace < 1e3:
        trace.advance(1, 1e9)
        profile = tuple(part / part.sum() for part in form.profile(trace.flat))
        for payoffs, tensor, strategy in zip(game.payoff_vectors(profile), game.tensors, profile, strict=True):
            scaled = trace.pace * (payoffs - payoffs.max()) / np.ptp(tensor)
            answer = np.exp(scaled) / np.exp(scaled).sum()
            assert strategy == pytest.approx(answer, abs=1e-6)


@pytest.mark.parametrize(("sizes", "seed"), [((8, 8), 0), ((5, 6, 4), 1), ((3, 3, 3), 2), ((3, 4, 2, 2), 3)])
def test_what_is_left_out_of_the_equations_changes_nothing(sizes: tuple[int, ...], seed: int) -> None:
    game = random_game(sizes, seed, -0.9 / (len(sizes) - 1))
    form = tensor_form(game)
    short, whole = (Trace(form, np.log(form.uniform())) for _ in range(2))
    whole._leave_out = lambda: None  # type: ignore[method-assign]
    for trace in (short, whole):
        while trace.pace < 1e7:
            assert trace.advance(1, 1e7)[0] == logit_reference.WENT_ON
    assert short.form.width < form.width == whole.form.width
    assert short.flat == pytest.approx(whole.flat, abs=1e-5)


@pytest.mark.parametrize(("sizes", "seed", "correlation"), [((3, 3, 3), 94, -0.45), ((3, 3), 45, -0.9)])
def test_what_was_left_out_comes_back(sizes: tuple[int, ...], seed: int, correlation: float) -> None:
    game = random_game(sizes, seed, correlation)
    form = tensor_form(game)
    trace, whole = (Trace(form, np.log(form.uniform())) for _ in range(2))
    whole._leave_out = lambda: None  # type: ignore[method-assign]
    left_out = came_back = 0
    while trace.pace < 1e7:
        before = trace.keep
        assert trace.advance(1, 1e7)[0] == logit_reference.WENT_ON
        left_out += int((before & ~trace.keep).sum())
        came_back += int((trace.keep & ~before).sum())
    while whole.pace < 1e7:
        whole.advance(1, 1e7)
    assert left_out >= came_back > 0
    assert trace.flat == pytest.approx(whole.flat, abs=1e-5)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_both_forms_walk_the_same_path(data: st.DataObject) -> None:
    sizes = tuple(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    if data.draw(st.booleans()):
        game = random_game(sizes, data.draw(st.integers(0, 1000)))
    else:
        game = TensorGame(tuple(data.draw(arrays(float, sizes, elements=FEW)) for _ in sizes))
    form = tensor_form(game)
    if form.width == 0:
        return
    prior = np.log(form.uniform())
    clear = logit_reference.first_state(form, prior)
    fast = clear.copy()
    for _ in range(8):
        told = logit_reference.advance(form, prior, clear, 3, 1e6)
        assert logit_jit.advance(form.payoffs, form.sizes, form.starts, prior, fast, 3, 1e6) == told
        assert fast == pytest.approx(clear, rel=1e-5, abs=1e-5)
        if told[0] != logit_reference.WENT_ON or clear[form.width] > 1e6:
            return


@pytest.mark.parametrize("sizes", [(2, 2), (4, 3), (2, 2, 2), (3, 4, 3), (2, 3, 2, 2)])
def test_both_forms_reach_the_same_equilibrium(sizes: tuple[int, ...]) -> None:
    for seed in range(4):
        game = random_game(sizes, seed, -0.9 / (len(sizes) - 1))
        fast, clear = solve(game, "logit", TIGHT), solve(game, "logit", CLEAR)
        assert fast.solved
        assert clear.solved
        for ours, theirs in zip(fast.equilibria[0].profile, clear.equilibria[0].profile, strict=True):
            assert ours == pytest.approx(theirs, abs=1e-9)


def symmetric_games() -> dict[str, FiniteGame]:
    three = np.zeros((3, 3, 3))
    for action in range(3):
        three[action, action, action] = 1.0
    pair = np.array([[0.0, 2.0], [2.0, 0.0]])
    return {
        "coordination": BimatrixGame(np.eye(2), np.eye(2)),
        "coordination of four": BimatrixGame(np.eye(4), np.eye(4)),
        "hawk and dove": BimatrixGame(np.array([[-1.0, 4.0], [0.0, 2.0]]), np.array([[-1.0, 0.0], [4.0, 2.0]])),
        "anticoordination": BimatrixGame(pair, pair),
        "three agree": TensorGame((three, three, three)),
        "rock paper scissors": MatrixGame(np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])),
        "nothing": TensorGame((np.zeros((2, 3, 2)),) * 3),
    }


@pytest.mark.parametrize("name", symmetric_games())
@pytest.mark.parametrize("options", [TIGHT, CLEAR], ids=["compiled", "clear"])
def test_symmetric_games_do_not_stop_it(name: str, options: SolveOptions) -> None:
    game = symmetric_games()[name]
    first, second = (solve(game, "logit", options) for _ in range(2))
    assert first.status is Status.SOLVED, first.message
    assert first.iterations < 1000
    for ours, again in zip(first.equilibria[0].profile, second.equilibria[0].profile, strict=True):
        assert np.array_equal(ours, again)


def test_where_branches_cross_it_takes_an_arm() -> None:
    game = BimatrixGame(np.eye(2), np.eye(2))
    for seed in range(4):
        x, y = solve(game, "logit", SolveOptions(seed=seed)).equilibria[0].profile
        assert np.array_equal(x, y)
        assert sorted(x) == [0.0, 1.0]


def test_it_begins_near_a_profile_that_is_given() -> None:
    game = BimatrixGame(np.eye(3), np.eye(3))
    for action in range(3):
        start = tuple(np.full(3, 0.2) + 0.4 * np.eye(3)[action] for _ in range(2))
        found = solve(game, "logit", SolveOptions(start=start)).equilibria[0].profile
        assert int(np.argmax(found[0])) == int(np.argmax(found[1])) == action


@pytest.mark.parametrize("offset", [0.0, 1e6, -1e6])
def test_offsets_do_not_hurt(offset: float) -> None:
    game = random_game((3, 3, 3), 8, -0.4)
    moved = TensorGame(tuple(tensor + offset for tensor in game.tensors))
    for plain, found in zip(logit_limit(game), logit_limit(moved), strict=True):
        assert found == pytest.approx(plain, abs=1e-6)


def test_a_large_game_goes_through_lapack() -> None:
    chance = np.random.default_rng(4)
    game = MatrixGame(chance.normal(size=(160, 150)))
    solution = solve(game, "logit", TIGHT)
    assert solution.status is Status.SOLVED
    assert solution.equilibria[0].gap.relative < 1e-9


def test_every_step_names_its_lambda_and_the_stride_thins_them() -> None:
    game = random_game((4, 4, 4), 3)
    each, some, few = (
        list(Solving(game, method_for(game, "logit"), SolveOptions(stride=stride))) for stride in (1, 5, 0)
    )
    assert [step.iteration for step in each] == list(range(1, len(each) + 1))
    assert len(few) <= len(some) <= len(each) // 5 + 5
    assert all(step.note.startswith("λ = ") for step in each[:-1])
    assert each[-1].note == "Newton"
    for ours, theirs in zip(each[-1].profile, few[-1].profile, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-12)


SETS = [((2, 2), 25), ((3, 4), 15), ((2, 2, 2), 25), ((3, 3, 3), 12), ((2, 3, 2, 2), 8), ((6, 6, 6), 3)]


@pytest.mark.parametrize(("sizes", "count"), SETS)
@pytest.mark.parametrize("correlation", [0.0, -0.9])
def test_the_limit_is_that_of_gambit(sizes: tuple[int, ...], count: int, correlation: float) -> None:
    pygambit = pytest.importorskip("pygambit")
    for seed in range(count):
        game = random_game(sizes, seed, correlation / (len(sizes) - 1))
        scaled = [(tensor - tensor.min()) / np.ptp(tensor) for tensor in game.tensors]  # lambda means the same in both
        table = pygambit.Game.from_arrays(*scaled)
        theirs = pygambit.nash.logit_solve(table).equilibria[0]
        for player, ours in zip(table.players, logit_limit(game), strict=True):
            assert ours == pytest.approx([float(theirs[strategy]) for strategy in player.strategies], abs=1e-3)
