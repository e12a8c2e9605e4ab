"""Lemke-Howson: always an equilibrium, on hard and on degenerate games; the compiled twin pivots as the clear one."""

from __future__ import annotations

import numpy as np
import pytest
import quantecon.game_theory as peer
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.core.errors import EngineError
from engine.games.catalogue import make
from engine.games.errors import GameError
from engine.games.games import BimatrixGame, Floats, MatrixGame
from engine.games.generators import savani_von_stengel
from engine.games.methods import method_for
from engine.games.options import SolveOptions
from engine.games.results import Status
from engine.games.solve import Solving, solve
from engine.games.solvers.lemke_howson import lemke_howson
from engine.games.solvers.lemke_howson_path import DONE, MORE, CompiledPath, Path
from engine.games.verify import gap_of

EXACT = 1e-12  # each regret by its player's range
FEW = st.integers(0, 2).map(float)


@st.composite
def degenerate(draw: st.DrawFn) -> BimatrixGame:
    """Payoffs of 0, 1 and 2, rows and columns twice, constant matrices, one action."""
    shape = (draw(st.integers(1, 6)), draw(st.integers(1, 6)))
    a, b = (draw(arrays(float, shape, elements=FEW, fill=FEW)) for _ in range(2))
    if draw(st.booleans()):
        a, b = np.vstack([a, a[:1]]), np.vstack([b, b[:1]])
    return BimatrixGame(a, b)


def random_game(seed: int, n: int, m: int) -> BimatrixGame:
    return BimatrixGame(*np.random.default_rng(seed).random((2, n, m)))


def gap(game: BimatrixGame, profile: tuple[Floats, ...]) -> float:
    return gap_of(game, profile).relative


def follow(path: Path, most: int = 100_000) -> Path:
    assert path.advance(most) == DONE
    return path


@given(degenerate())
@settings(max_examples=250, deadline=None, derandomize=True)
def test_every_label_of_a_degenerate_game_leads_to_an_equilibrium(game: BimatrixGame) -> None:
    for label in range(sum(game.sizes)):
        path = follow(CompiledPath(game, label))
        assert gap(game, path.finish()[0]) <= EXACT
        assert gap(game, lemke_howson(game.a, game.b, label)) <= EXACT


@pytest.mark.parametrize("seed", range(12))
def test_every_label_of_a_random_game_leads_to_an_equilibrium(seed: int) -> None:
    game = random_game(seed, 3 + seed, 14 - seed)
    for label in range(sum(game.sizes)):
        assert gap(game, lemke_howson(game.a, game.b, label)) <= EXACT


def test_random_games_of_32_actions_are_all_solved() -> None:
    """nashpy's paths loop, or end elsewhere, on 29 of such 60."""
    for seed in range(60):
        game = random_game(seed, 32, 32)
        assert follow(CompiledPath(game, 0)).finish()[1] <= EXACT
        assert gap(game, lemke_howson(game.a, game.b)) <= EXACT


def same_pivots(game: BimatrixGame, label: int, most: int) -> None:
    clear, compiled = Path(game, label), CompiledPath(game, label)
    status = MORE
    while status == MORE and clear.pivots < most:
        status = clear.advance(1)
        assert compiled.advance(1) == status
        for ours, theirs in zip(clear._tableaux, compiled._tableaux, strict=True):
            np.testing.assert_array_equal(ours.basic, theirs.basic)
            np.testing.assert_array_equal(ours.t, theirs.t)
    if status == DONE:
        (profile, ours), (other, theirs) = clear.finish(), compiled.finish()
        assert ours == theirs
        np.testing.assert_array_equal(np.concatenate(profile), np.concatenate(other))


@given(degenerate(), st.integers(0, 20))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_the_twin_pivots_alike_on_degenerate_games(game: BimatrixGame, label: int) -> None:
    same_pivots(game, label % sum(game.sizes), 200)


@pytest.mark.parametrize(("seed", "n", "m"), [(0, 8, 8), (1, 5, 21), (2, 21, 4), (3, 30, 30)])
def test_the_twin_pivots_alike_on_random_games(seed: int, n: int, m: int) -> None:
    same_pivots(random_game(seed, n, m), 1, 300)


def test_the_twin_rebuilds_its_tableaux_alike() -> None:
    same_pivots(savani_von_stengel(10), 0, 600)  # past the 256th and the 512th pivot


def test_the_direct_call_answers_as_the_method() -> None:
    for seed in range(10):
        game = random_game(seed, 12, 9)
        x, y = lemke_howson(game.a, game.b)
        told = [solve(game, "lemke-howson", SolveOptions(stride=stride)) for stride in (0, 1, 3)]
        for solution in told:
            assert solution.iterations == told[0].iterations
            np.testing.assert_allclose(solution.equilibria[0].profile[0], x, atol=1e-12)
            np.testing.assert_allclose(solution.equilibria[0].profile[1], y, atol=1e-12)


@pytest.mark.parametrize("n", [4, 9, 16])
def test_paths_are_as_long_as_quantecons(n: int) -> None:
    for seed in range(20):
        game = random_game(seed, n, n)
        theirs = peer.NormalFormGame([peer.Player(game.a), peer.Player(np.ascontiguousarray(game.b.T))])
        for label in (0, n // 2, 2 * n - 1):
            profile, told = peer.lemke_howson(theirs, init_pivot=label, full_output=True)
            path = follow(CompiledPath(game, label))
            assert path.pivots == told.num_iter
            np.testing.assert_allclose(np.concatenate(path.finish()[0]), np.concatenate(profile), atol=1e-9)


@pytest.mark.parametrize(("size", "pivots"), [(2, 4), (4, 20), (6, 88), (8, 376), (10, 1596), (12, 6764), (14, 28656)])
def test_paths_of_hard_games_have_their_known_length(size: int, pivots: int) -> None:
    """Savani and von Stengel (2006): every third Fibonacci number; the only equilibrium is fully mixed."""
    game = savani_von_stengel(size)
    path = follow(CompiledPath(game, 0))
    assert path.pivots == pivots
    profile, found = path.finish()
    assert found <= EXACT
    assert gap(game, profile) <= EXACT
    assert all((part > 0).all() for part in profile)


@pytest.mark.parametrize("size", [16, 18, 20, 22, 24, 28, 32, 40, 64])
def test_hard_games_beyond_what_fp64_holds_are_solved_by_another_label(size: int) -> None:
    game = savani_von_stengel(size)
    solution = solve(game, "lemke-howson", SolveOptions(parameters={"cap": 200}))
    assert solution.solved, solution.message
    assert solution.equilibria[0].gap.relative <= 1e-9


@pytest.mark.parametrize("key", ["battle", "chicken", "shapley", "unreachable", "stengel", "winkels", "loopback"])
def test_reference_games_have_an_equilibrium_on_each_path(key: str) -> None:
    game = make(key)
    assert isinstance(game, BimatrixGame)
    for label in range(sum(game.sizes)):
        assert gap(game, lemke_howson(game.a, game.b, label)) <= EXACT


def test_the_badly_scaled_game_of_von_stengel() -> None:
    a = [[9504, -660, 19976, -20526, 1776, -8976], [-111771, 31680, -130944, 168124, -8514, 52764]]
    a += [[397584, -113850, 451176, -586476, 29216, -178761], [171204, -45936, 208626, -263076, 14124, -84436]]
    a += [[1303104, -453420, 1227336, -1718376, 72336, -461736], [737154, -227040, 774576, -1039236, 48081, -300036]]
    payoffs, turned = np.array(a, dtype=float), [4, 5, 2, 3, 0, 1]
    game = BimatrixGame(payoffs, payoffs[np.ix_(turned, turned)].T)
    for label in range(12):
        assert gap(game, lemke_howson(game.a, game.b, label)) <= EXACT


@pytest.mark.parametrize("seed", range(6))
def test_a_permutation_of_the_actions_permutes_the_answer(seed: int) -> None:
    game, chance = random_game(seed, 9, 7), np.random.default_rng(seed)
    rows, columns = chance.permutation(9), chance.permutation(7)
    for label in range(16):
        moved = int(np.flatnonzero(rows == label)[0]) if label < 9 else 9 + int(np.flatnonzero(columns == label - 9)[0])
        x, y = lemke_howson(game.a, game.b, label)
        u, v = lemke_howson(game.a[np.ix_(rows, columns)], game.b[np.ix_(rows, columns)], moved)
        np.testing.assert_allclose(u, x[rows], atol=1e-12)
        np.testing.assert_allclose(v, y[columns], atol=1e-12)


@pytest.mark.parametrize("scales", [(1e-6, 1e6), (1e6, 1e-6), (3.0, 0.7), (1e-90, 1e90)])
@pytest.mark.parametrize("offset", [0.0, 1e6, -1e6])
def test_other_units_change_no_answer(scales: tuple[float, float], offset: float) -> None:
    for seed in range(5):
        game = random_game(seed, 8, 10)
        x, y = lemke_howson(game.a, game.b, 3)
        u, v = lemke_howson(game.a * scales[0] + offset * scales[0], game.b * scales[1] - offset * scales[1], 3)
        np.testing.assert_allclose(u, x, atol=1e-8 if offset else 1e-12)  # the payoffs themselves lose digits
        np.testing.assert_allclose(v, y, atol=1e-8 if offset else 1e-12)


def test_integers_far_from_zero_lose_nothing() -> None:
    chance = np.random.default_rng(3)
    for _ in range(30):
        a, b = chance.integers(0, 3, (2, 5, 6)).astype(float)
        for label in (0, 4, 10):
            near, far = lemke_howson(a, b, label), lemke_howson(a + 1e6, b - 1e6, label)
            np.testing.assert_array_equal(np.concatenate(near), np.concatenate(far))


def test_zero_sum_games_are_bimatrix_games_too() -> None:
    game = MatrixGame([[3, 0, -3], [0, 3, -4], [0, 0, 1]])
    x, y = solve(game, "lemke-howson").equilibria[0].profile
    np.testing.assert_allclose(x, np.array([1, 1, 10]) / 12)
    np.testing.assert_allclose(y, np.array([4, 5, 3]) / 12)


def test_large_games_tell_a_step_now_and_then_and_stop_when_asked() -> None:
    game = random_game(0, 300, 300)
    solving = Solving(game, method_for(game, "lemke-howson"), SolveOptions(parameters={"cap": 1_000_000}))
    first = next(solving)
    assert first.gap == pytest.approx(gap_of(game, first.profile).nashconv)
    assert solving.cancel().status is Status.CANCELLED


def test_too_few_pivots_are_said_to_be_too_few() -> None:
    game = savani_von_stengel(12)
    solution = solve(game, "lemke-howson", SolveOptions(iterations=50))
    assert solution.status is Status.NOT_CONVERGED
    assert "50 pivots" in solution.message
    with pytest.raises(EngineError, match="50 pivots"):
        lemke_howson(game.a, game.b, limit=50)


def test_a_cap_goes_on_with_the_next_label() -> None:
    game = savani_von_stengel(12)
    solution = solve(game, "lemke-howson", SolveOptions(stride=1, parameters={"cap": 100, "label": 23}))
    assert solution.solved
    assert solution.iterations < 28_000


@pytest.mark.parametrize(
    ("a", "b", "label", "why"),
    [
        (np.ones((2, 2)), np.ones((2, 3)), 0, "shapes"),
        (np.ones((2, 2)), np.ones((2, 2)), 4, "between 0 and 3"),
        (np.ones((2, 2)), np.ones((2, 2)), -1, "between 0 and 3"),
        (np.array([[1.0, np.nan]]), np.ones((1, 2)), 0, "nan"),
        (np.ones((1, 2)), np.array([[1.0, np.inf]]), 0, "inf"),
        (np.ones((0, 2)), np.ones((0, 2)), 0, "empty"),
        (np.ones(3), np.ones(3), 0, "dimensions"),
    ],
)
def test_what_is_no_game_is_refused(a: Floats, b: Floats, label: int, why: str) -> None:
    with pytest.raises(GameError, match=why):
        lemke_howson(a, b, label)


def test_arrays_of_any_kind_are_taken_and_none_is_compiled_for_twice() -> None:
    from engine.games.solvers.lemke_howson_jit import solve_alone

    game = random_game(0, 5, 6)
    expected = np.concatenate(lemke_howson(game.a, game.b))
    fixed = game.a.copy()
    fixed.flags.writeable = False
    known = len(solve_alone.signatures)
    for a, b in ((fixed, game.b), (np.asfortranarray(game.a), game.b[::1]), (game.a.tolist(), game.b.tolist())):
        np.testing.assert_array_equal(np.concatenate(lemke_howson(a, b, np.int64(0))), expected)
    assert solve(BimatrixGame(fixed, game.b), "lemke-howson").solved
    assert len(solve_alone.signatures) == known
    with pytest.raises(GameError, match="numbers"):
        lemke_howson([["a"]], [[1.0]])


def test_a_label_or_cap_that_is_none_is_refused() -> None:
    game = random_game(0, 2, 2)
    for parameters in ({"label": 4}, {"cap": 0}):
        with pytest.raises(GameError):
            solve(game, "lemke-howson", SolveOptions(parameters=parameters))
    with pytest.raises(GameError, match="below 1"):
        lemke_howson(game.a, game.b, cap=0)
