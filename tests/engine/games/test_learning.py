"""Learning dynamics: every one against its clear reference, its definition and the games it is known for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from engine.games.errors import GameError
from engine.games.games import BimatrixGame, FiniteGame, MatrixGame, PolymatrixGame, Profile, TensorGame
from engine.games.methods import METHODS, Finds, method_for
from engine.games.options import SolveOptions
from engine.games.results import Solution, Status, Step
from engine.games.solve import Solving, solve
from engine.games.solvers.fictitious_play import PLAY
from engine.games.solvers.learning import Dynamic, Learning
from engine.games.solvers.pacing import WORK, batches
from engine.games.solvers.regret import PRM_PLUS, RM, RM_PLUS
from engine.games.solvers.replicator import FLOW
from engine.games.solvers.weights import MWU, OMWU
from engine.games.verify import gap_of

DYNAMICS = (PLAY, FLOW, MWU, OMWU, RM, RM_PLUS, PRM_PLUS)
KEYS = tuple(m.key for m in METHODS if m.finds is Finds.LEARNING and "tensor" in m.kinds)
HARD = MatrixGame(np.array([[3.0, 0, -3], [0, 3, -4], [0, 0, 1]]))
PENNIES = MatrixGame(np.array([[1.0, -1], [-1, 1]]))
SHAPLEY = BimatrixGame(np.eye(3), np.roll(np.eye(3), 1, axis=1))
LEANING = (np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.5, 0.3]))


def random_game(kind: str, seed: int, *, coarse: bool = False) -> FiniteGame:
    rng = np.random.default_rng(seed)
    sizes = tuple(int(size) for size in rng.integers(1, 5, 2 if kind in ("matrix", "bimatrix") else 3))

    def payoffs(shape: tuple[int, ...]) -> np.ndarray:
        return rng.integers(0, 3, shape).astype(float) if coarse else rng.normal(size=shape)

    if kind == "matrix":
        return MatrixGame(payoffs(sizes))
    if kind == "bimatrix":
        return BimatrixGame(payoffs(sizes), payoffs(sizes))
    if kind == "tensor":
        return TensorGame(tuple(payoffs(sizes) for _ in sizes))
    edges = {(i, j): payoffs((sizes[i], sizes[j])) for i in range(3) for j in range(3) if i != j}
    return PolymatrixGame(sizes, edges)


def run(game: FiniteGame, key: str, **options: object) -> tuple[list[Step], Solution]:
    solving = Solving(game, method_for(game, key), SolveOptions(**options))  # type: ignore[arg-type]
    shown = list(solving)
    assert solving.solution is not None
    return shown, solving.solution


def same(first: Sequence[np.ndarray], second: Sequence[np.ndarray], tolerance: float = 1e-9) -> None:
    for x, y in zip(first, second, strict=True):
        assert x == pytest.approx(y, abs=tolerance)


@pytest.mark.parametrize("dynamic", DYNAMICS, ids=lambda dynamic: dynamic.name)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.integers(0, 10**6),
    st.sampled_from(["matrix", "bimatrix"]),
    st.booleans(),
    st.sampled_from([{}, {"alternate": 1.0}, {"alternate": 0.0, "power": 1.0}]),
)
def test_the_compiled_twin_does_what_the_reference_does(
    dynamic: Dynamic, seed: int, kind: str, coarse: bool, parameters: dict[str, float]
) -> None:
    game = random_game(kind, seed, coarse=coarse)
    if dynamic in (PLAY, FLOW):
        parameters = {}
    options = SolveOptions(epsilon=1e-12, seed=seed, parameters=parameters)
    clear, fast = Learning(game, options, dynamic), Learning(game, options, dynamic)
    clear.compiled = False
    for count in (1, 1, 5, 20):
        dynamic.advance(clear, count)
        dynamic.advance(fast, count)
        assert clear.numbers == pytest.approx(fast.numbers)
        for first, second in zip(clear.players, fast.players, strict=True):
            rows = 4 if dynamic is PLAY else 5  # the fifth is what the dynamic remembers, scratch in fictitious play
            assert first[:rows] == pytest.approx(second[:rows], abs=1e-8)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("kind", ["matrix", "bimatrix", "tensor", "polymatrix"])
def test_the_gap_of_every_step_is_the_gap_of_its_profile(key: str, kind: str) -> None:
    for seed in range(3):
        game = random_game(kind, seed)
        for average in (0.0, 1.0, 2.0):
            shown, solution = run(game, key, stride=1, iterations=15, epsilon=1e-9, parameters={"average": average})
            for step in shown:
                assert step.gap == pytest.approx(gap_of(game, step.profile).nashconv, abs=1e-9)
            least = min(step.gap for step in shown)
            if kind == "matrix" and not solution.solved:
                assert solution.equilibria[0].gap.nashconv == pytest.approx(least, abs=1e-9)


def test_predictive_regret_matching_is_done_where_plain_stalls() -> None:
    _, fast = run(HARD, "prm+", epsilon=1e-9)
    assert fast.solved and fast.iterations <= 300
    _, slow = run(HARD, "rm+", epsilon=1e-9, iterations=123_000)
    assert slow.status is Status.NOT_CONVERGED
    assert slow.equilibria[0].gap.relative > 1e-7
    assert "after 123,000 iterations" in slow.message


@pytest.mark.parametrize("key", KEYS)
def test_zero_sum_games_are_approached(key: str) -> None:
    oneill = np.zeros((4, 4))
    oneill[0, 0] = 1
    oneill[1:, 1:] = 1 - np.eye(3)
    for game in (HARD, PENNIES, MatrixGame(oneill)):
        start = tuple(np.arange(1.0, n + 1) / np.arange(1.0, n + 1).sum() for n in game.sizes)
        parameters = {} if key == "omwu" else {"average": 1.0}
        _, solution = run(game, key, start=start, epsilon=0.02, iterations=50_000, parameters=parameters)
        assert solution.solved, solution.message


@pytest.mark.parametrize("key", ["fictitious-play", "replicator", "mwu", "rm"])
def test_shapleys_cycle_is_never_called_an_equilibrium(key: str) -> None:
    shown, solution = run(SHAPLEY, key, start=LEANING, epsilon=1e-6, iterations=20_000)
    assert solution.status is Status.NOT_CONVERGED
    assert "need not settle" in solution.message
    assert shown[-1].gap > 0.01


def test_strict_equilibria_are_found_by_all() -> None:
    game = BimatrixGame(np.array([[5.0, 1], [2, 0]]), np.array([[5.0, 2], [1, 0]]))  # both dominant
    for key in KEYS:
        _, solution = run(game, key, epsilon=1e-3)
        assert solution.solved
        same(solution.equilibria[0].profile, ([1.0, 0.0], [1.0, 0.0]), 1e-3)


@pytest.mark.parametrize("key", KEYS)
def test_offsets_and_units_change_nothing(key: str) -> None:
    base = random_game("bimatrix", 11)
    assert isinstance(base, BimatrixGame)
    moved = BimatrixGame(2.0 * base.a + 1e6, 0.25 * base.b - 1e6)
    first, _ = run(base, key, stride=1, iterations=25, epsilon=1e-9)
    second, _ = run(moved, key, stride=1, iterations=25, epsilon=1e-9)
    for one, other in zip(first, second, strict=True):
        same(one.profile, other.profile, 1e-6)


@pytest.mark.parametrize("key", KEYS)
def test_renaming_actions_renames_the_run(key: str) -> None:
    rng = np.random.default_rng(5)
    base = MatrixGame(rng.normal(size=(4, 5)))
    rows, columns = rng.permutation(4), rng.permutation(5)
    renamed = MatrixGame(base.a[np.ix_(rows, columns)])
    first, _ = run(base, key, stride=1, iterations=20)
    second, _ = run(renamed, key, stride=1, iterations=20)
    for one, other in zip(first, second, strict=True):
        same((one.profile[0][rows], one.profile[1][columns]), other.profile)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (3, 1), (3, 3)])
def test_tiny_and_constant_games_work(key: str, shape: tuple[int, int]) -> None:
    _, constant = run(MatrixGame(np.full(shape, 7.0)), key)
    assert constant.solved and constant.iterations == 0
    doubled = np.repeat(np.random.default_rng(1).normal(size=shape), 2, axis=0)
    _, solution = run(BimatrixGame(doubled, -doubled), key, iterations=200)
    assert np.isfinite(solution.equilibria[0].gap.relative)


def test_sparse_and_dense_steps_are_of_the_same_run() -> None:
    for key in KEYS:
        dense, first = run(HARD, key, stride=1, iterations=300, epsilon=1e-9)
        sparse, second = run(HARD, key, iterations=300, epsilon=1e-9)
        by_time = {step.iteration: step for step in dense}
        assert len(sparse) < 20 and [step.iteration for step in dense] == list(range(len(dense)))
        for step in sparse:
            same(step.profile, by_time[step.iteration].profile, 0.0)
        assert first.iterations == second.iterations


def test_the_replicator_follows_the_flow() -> None:
    def flow(_: float, z: np.ndarray) -> np.ndarray:
        x, y = z[:3], z[3:]
        u, v = SHAPLEY.payoff_vectors((x, y))
        return np.concatenate([x * (u - x @ u), y * (v - y @ v)])

    h = 0.25
    shown, _ = run(SHAPLEY, "replicator", start=LEANING, stride=1, iterations=80, parameters={"rate": h})
    exact = solve_ivp(flow, (0, 20), np.concatenate(LEANING), rtol=1e-11, atol=1e-13, t_eval=[5.0, 20.0])
    for column, step in zip(exact.y.T, (shown[20], shown[80]), strict=True):
        same(step.profile, (column[:3], column[3:]), 1e-5)


def test_the_replicator_keeps_what_zero_sum_games_conserve() -> None:
    star = (np.array([1.0, 1, 10]) / 12, np.array([4.0, 5, 3]) / 12)
    start = (np.full(3, 1 / 3), np.full(3, 1 / 3))

    def divergence(profile: Profile) -> float:
        return -sum(float(best @ np.log(x)) for best, x in zip(star, profile, strict=True))

    shown, _ = run(HARD, "replicator", start=start, stride=500, iterations=20_000, parameters={"rate": 0.2})
    for step in shown:
        assert divergence(step.profile) == pytest.approx(divergence(start), rel=1e-5)
        assert all(abs(x.sum() - 1) < 1e-12 and x.min() > 0 for x in step.profile)


def test_a_start_that_rests_on_a_face_is_moved_by_the_seed() -> None:
    start = (np.array([1.0, 0.0]), np.array([1.0, 0.0]))
    dilemma = np.array([[3.0, 0], [5, 1]])
    game = BimatrixGame(dilemma, dilemma.T)
    for key in ("replicator", "mwu", "omwu"):
        last = {"average": 0.0}
        shown, _ = run(game, key, start=start, iterations=3000, seed=1, parameters=last)
        again, _ = run(game, key, start=start, iterations=3000, seed=1, parameters=last)
        other, _ = run(game, key, start=start, iterations=3000, seed=2, parameters=last)
        assert shown[0].gap > 3 and shown[-1].gap < 0.01
        same(shown[1].profile, again[1].profile, 0.0)
        assert any((x != y).any() for x, y in zip(shown[0].profile, other[0].profile, strict=True))


def test_a_start_in_equilibrium_is_kept() -> None:
    for key in KEYS:
        star = (np.array([1.0, 1, 10]) / 12, np.array([4.0, 5, 3]) / 12)
        _, solution = run(HARD, key, start=star, epsilon=1e-12)
        assert solution.solved and solution.iterations == 0


def test_two_players_of_any_form_learn_alike() -> None:
    base = random_game("bimatrix", 3)
    assert isinstance(base, BimatrixGame)
    forms = (base, base.to_tensor(), PolymatrixGame(base.sizes, {(0, 1): base.a, (1, 0): base.b.T}))
    for key in KEYS:
        runs = [run(game, key, stride=1, iterations=20)[0] for game in forms]
        for steps in zip(*runs, strict=True):
            same(steps[0].profile, steps[1].profile)
            same(steps[0].profile, steps[2].profile)


def test_polymatrix_games_as_one_matrix_dense_or_sparse(monkeypatch: pytest.MonkeyPatch) -> None:
    game = random_game("polymatrix", 4)
    for key in KEYS:
        dense, _ = run(game, key, stride=1, iterations=10)
        tensor, _ = run(game.to_tensor(), key, stride=1, iterations=10)
        with monkeypatch.context() as patch:
            patch.setattr("engine.games.solvers.learning.DENSE", 0)
            sparse, _ = run(game, key, stride=1, iterations=10)
        for one, other, plain in zip(dense, sparse, tensor, strict=True):
            same(one.profile, other.profile)
            if key in ("rm", "rm+", "fictitious-play"):  # which no scale changes; ranges of pairs add up to more
                same(one.profile, plain.profile)
    _, empty = run(PolymatrixGame((2, 3, 2), {}), "rm+")
    assert empty.solved


def test_large_games_use_the_library_and_agree() -> None:
    game = MatrixGame(np.random.default_rng(8).random((70, 50)))
    _, solution = run(game, "prm+", epsilon=1e-5)
    assert solution.solved


@pytest.mark.parametrize(
    ("key", "parameters", "named"),
    [
        ("rm+", {"average": 3.0}, "average"),
        ("rm", {"alternate": 0.5}, "alternate"),
        ("prm+", {"power": -1.0}, "power"),
        ("mwu", {"rate": float("nan")}, "rate"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(key: str, parameters: dict[str, float], named: str) -> None:
    with pytest.raises(GameError, match=named):
        solve(HARD, key, SolveOptions(parameters=parameters))


def test_batches_add_up_and_stay_small() -> None:
    assert list(batches(10, 4, 1.0)) == [4, 4, 2]
    assert list(batches(20, 0, 1.0)) == [1, 2, 4, 8, 5]
    assert max(batches(1000, 0, WORK / 3)) == 3
    assert list(batches(3, 0, WORK * 9)) == [1, 1, 1]
