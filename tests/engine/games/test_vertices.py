"""All equilibria by vertex enumeration: right on generic and degenerate games, whole, honest where it gives up."""

from __future__ import annotations

import itertools
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import quantecon.game_theory as peer
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.games.errors import GameError
from engine.games.games import BimatrixGame, Floats, MatrixGame
from engine.games.options import SolveOptions
from engine.games.reference import references
from engine.games.results import Solution, Status
from engine.games.solve import Solving, method_for, solve
from engine.games.solvers import vertices, vertices_jit, vertices_search
from engine.games.solvers.vertices import all_equilibria

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "games_extreme.json").read_text(encoding="utf-8")
)
KNOWN = {known.key: known for known in references()}
Set = set[tuple[tuple[float, ...], tuple[float, ...]]]
FEW = st.integers(-2, 2).map(float)
SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 4))
quick = settings(max_examples=60, deadline=None, derandomize=True)


@st.composite
def games(draw: st.DrawFn) -> tuple[Floats, Floats]:
    """Of few values, so that most are degenerate, or of many."""
    shape = draw(SHAPES)
    values = draw(st.sampled_from([FEW, st.integers(-1000, 1000).map(float)]))
    return draw(arrays(float, shape, elements=values)), draw(arrays(float, shape, elements=values))


def as_set(pairs: Any, digits: int = 9) -> Set:
    # Shifted by what no fraction of small numbers has: 0.0849609375 lies between two numbers of nine digits.
    shift = 0.123 * 10.0**-digits
    return {tuple(tuple((x + shift).round(digits).tolist()) for x in pair) for pair in pairs}


def found(a: Any, b: Any, **options: Any) -> Solution:
    return solve(BimatrixGame(np.asarray(a, float), np.asarray(b, float)), "vertices", SolveOptions(**options))


def profiles(solution: Solution) -> list[Any]:
    return [item.profile for item in solution.equilibria]


def by_supports(a: Floats, b: Floats) -> Set:
    """All equilibria of a nondegenerate game by its definition: equal supports, indifference on them."""
    made = []
    for size in range(1, min(a.shape) + 1):
        for rows in itertools.combinations(range(a.shape[0]), size):
            for columns in itertools.combinations(range(a.shape[1]), size):
                x = _indifferent(b.T[np.ix_(columns, rows)])
                y = _indifferent(a[np.ix_(rows, columns)])
                if x is None or y is None:
                    continue
                full_x, full_y = np.zeros(a.shape[0]), np.zeros(a.shape[1])
                full_x[list(rows)], full_y[list(columns)] = x, y
                mine, theirs = a @ full_y, full_x @ b
                if mine.max() - full_x @ mine < 1e-9 and theirs.max() - full_y @ theirs < 1e-9:
                    made.append((full_x, full_y))
    return as_set(made)


def _indifferent(payoffs: Floats) -> Floats | None:
    """The strategy against which all of the other player's actions (the rows) are worth the same."""
    size = len(payoffs)
    system = np.zeros((size + 1, size + 1))
    system[:size, :size], system[:size, size], system[size, :size] = payoffs, -1.0, 1.0
    strategy = np.linalg.solve(system, np.eye(size + 1)[size])[:size]
    return strategy if strategy.min() > 0 else None


@pytest.mark.parametrize("kind", sorted({game["kind"] for game in VECTORS}))
def test_small_games_have_the_extreme_equilibria_that_gambit_found(kind: str) -> None:
    for game in (game for game in VECTORS if game["kind"] == kind):
        wanted = [
            tuple(np.array([float(Fraction(share)) for share in strategy.split()]) for strategy in pair)
            for pair in game["equilibria"]
        ]
        solution = found(game["a"], game["b"])
        assert solution.status is Status.SOLVED
        assert as_set(profiles(solution)) == as_set(wanted)
        assert len(solution.equilibria) == len(wanted), "each once"
        direct = all_equilibria(game["a"], game["b"])
        for pair, same in zip(direct, profiles(solution), strict=True):
            assert np.allclose(np.concatenate(pair), np.concatenate(same), rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("key", "count"),
    [("battle", 3), ("chicken", 3), ("shapley", 1), ("unreachable", 3), ("stengel", 75), ("winkels", 12)],
)
def test_reference_games_have_all_their_equilibria(key: str, count: int) -> None:
    game = KNOWN[key].game
    assert isinstance(game, BimatrixGame | MatrixGame)
    solution = solve(game, "vertices")
    assert solution.status is Status.SOLVED
    assert len(solution.equilibria) == len(as_set(profiles(solution))) == count
    assert max(item.gap.relative for item in solution.equilibria) < 1e-14


def test_the_badly_scaled_payoffs_of_the_game_with_75_equilibria() -> None:
    # nashpy's vertex enumeration lists 505 of these, its support enumeration 10.
    a = [
        [9504, -660, 19976, -20526, 1776, -8976],
        [-111771, 31680, -130944, 168124, -8514, 52764],
        [397584, -113850, 451176, -586476, 29216, -178761],
        [171204, -45936, 208626, -263076, 14124, -84436],
        [1303104, -453420, 1227336, -1718376, 72336, -461736],
        [737154, -227040, 774576, -1039236, 48081, -300036],
    ]
    b = [
        [72336, 48081, 29216, 14124, 1776, -8514],
        [-461736, -300036, -178761, -84436, -8976, 52764],
        [1227336, 774576, 451176, 208626, 19976, -130944],
        [-1718376, -1039236, -586476, -263076, -20526, 168124],
        [1303104, 737154, 397584, 171204, 9504, -111771],
        [-453420, -227040, -113850, -45936, -660, 31680],
    ]
    fast, exact = found(a, b), found(a, b, parameters={"exact": 1})
    assert len(fast.equilibria) == len(exact.equilibria) == 75
    assert as_set(profiles(fast)) == as_set(profiles(exact))
    assert exact.method == "vertices: exact"


@pytest.mark.parametrize(
    ("a", "b", "count", "message"),
    [
        (np.zeros((2, 2)), np.zeros((2, 2)), 4, "1 component, 1 maximal Nash subset"),  # QuantEcon: 1
        (KNOWN["winkels"].game.a, KNOWN["winkels"].game.b, 12, "1 component, 7 maximal Nash subsets"),  # QuantEcon: 1
        ([[1, 3, 4], [1, 3, 2], [0, 2, 3]], [[3, 4, 2], [2, 1, 1], [4, 3, 3]], 4, "1 component, 3 maximal"),
        (np.ones((1, 5)), np.zeros((1, 5)), 5, "1 component, 1 maximal"),
        (np.ones((5, 1)), np.zeros((5, 1)), 5, "1 component, 1 maximal"),
        (np.ones((3, 4)), np.ones((3, 4)), 12, "1 component, 1 maximal"),
        ([[1, 0], [1, 0], [0, 1]], [[1, 0], [1, 0], [0, 1]], 5, "3 components, 3 maximal"),  # a row twice
        ([[1, 1], [0, 2]], [[1, 1], [0, 2]], 3, "2 components, 2 maximal"),  # the first row meets two best responses
    ],
)
def test_degenerate_games_have_all_their_extreme_equilibria(a: Any, b: Any, count: int, message: str) -> None:
    solution = found(a, b)
    assert solution.status is Status.SOLVED
    assert len(as_set(profiles(solution))) == len(solution.equilibria) == count
    assert solution.message.startswith(f"infinitely many: {message}")
    assert solution.message.endswith(f"the {count} extreme ones are listed")
    assert solution.method == "vertices: exact"


@pytest.mark.parametrize("n", range(1, 9))
def test_coordination_on_one_of_n_has_an_equilibrium_for_each_set_of_them(n: int) -> None:
    solution = found(np.eye(n), np.eye(n))
    assert len(solution.equilibria) == 2**n - 1
    assert solution.message == ""


def test_games_of_one_player_with_a_choice() -> None:
    row = np.array([[3.0, 1.0, 2.0, 0.5]])
    for a, b, best in ((row, -row, 3), (row.T, row.T, 0)):
        ((x, y),) = all_equilibria(a, b)
        assert np.array_equal(np.outer(x, y).ravel(), np.eye(4)[best])
    assert len(all_equilibria([[7.0]], [[-1.0]])) == 1


def test_a_constant_game_with_more_labels_than_a_mask_has_bits() -> None:
    solution = found(np.zeros((1, 100)), np.zeros((1, 100)))
    assert len(solution.equilibria) == 100
    assert len(found(np.arange(100.0)[None], np.arange(100.0)[None]).equilibria) == 1


def test_a_choice_among_a_million_actions() -> None:
    payoffs = np.random.default_rng(1).random((1, 10**6))
    payoffs[0, 77] = payoffs[0, 5] = 2.0
    solution = found(np.zeros_like(payoffs), payoffs)
    assert solution.status is Status.SOLVED
    assert [int(item.profile[1].argmax()) for item in solution.equilibria] == [5, 77]
    assert "1 component, 1 maximal" in solution.message
    assert found(payoffs.T, payoffs.T, time_limit_s=60).status is Status.SOLVED
    several = found(np.zeros((10**6, 1)), np.zeros((10**6, 1)))
    assert several.status is Status.INCOMPLETE
    assert 1 < len(several.equilibria) < 100


@pytest.mark.parametrize("key", ["rps", "oneill", "stalling"])
def test_zero_sum_games_have_their_one_equilibrium(key: str) -> None:
    known = KNOWN[key]
    solution = solve(known.game, "vertices")
    assert as_set(profiles(solution)) == as_set([known.equilibria[0]])
    assert solution.equilibria[0].gap.exploitability is not None


@pytest.mark.parametrize("shape", [(2, 2), (3, 5), (6, 4), (7, 7), (9, 8)])
def test_generic_games_have_the_equilibria_that_quantecon_finds(shape: tuple[int, int]) -> None:
    chance = np.random.default_rng(shape)
    for _ in range(12):
        a, b = chance.normal(size=(2, *shape))
        theirs = peer.vertex_enumeration(peer.NormalFormGame((peer.Player(a), peer.Player(b.T.copy()))))
        ours = all_equilibria(a, b)
        assert len(ours) == len(theirs)
        assert len(ours) % 2 == 1
        assert as_set(ours) == as_set(theirs)


@pytest.mark.parametrize(("seed", "count"), [(6, 1), (12, 13), (27, 7), (47, 3)])  # nashpy: 0, 12, 6, 2
def test_generic_games_have_the_equilibria_of_the_definition_where_nashpy_miscounts(seed: int, count: int) -> None:
    a, b = np.random.default_rng(seed).random((2, 6, 6))
    ours = all_equilibria(a, b)
    assert len(ours) == count
    assert as_set(ours) == by_supports(a, b)


def test_degenerate_games_have_the_extreme_equilibria_that_gambit_finds() -> None:
    pygambit = pytest.importorskip("pygambit")
    chance = np.random.default_rng(12)
    for _ in range(40):
        shape = chance.integers(1, 7, 2)
        a, b = chance.integers(0, 3, (2, *shape))
        table = pygambit.Game.from_arrays(a, b)
        theirs = [
            tuple(np.array([float(profile[action]) for action in player.strategies]) for player in table.players)
            for profile in pygambit.nash.enummixed_solve(table, rational=True).equilibria
        ]
        assert as_set(all_equilibria(a, b)) == as_set(theirs)


@quick
@given(games(), st.randoms(use_true_random=False))
def test_names_of_actions_do_not_matter(game: tuple[Floats, Floats], chance: Any) -> None:
    a, b = game
    rows, columns = list(range(a.shape[0])), list(range(a.shape[1]))
    chance.shuffle(rows)
    chance.shuffle(columns)
    turned = all_equilibria(a[np.ix_(rows, columns)], b[np.ix_(rows, columns)])
    assert as_set(turned) == as_set((x[rows], y[columns]) for x, y in all_equilibria(a, b))


@quick
@given(games())
def test_players_can_change_places(game: tuple[Floats, Floats]) -> None:
    a, b = game
    assert as_set((x, y) for y, x in all_equilibria(b.T, a.T)) == as_set(all_equilibria(a, b))


@quick
@given(games(), st.integers(-10, 10), st.sampled_from([0.25, 2.0, 3.0, 1024.0]), st.sampled_from([0.0, 7.0, 1e6, -1e6]))
def test_units_and_gifts_do_not_matter(game: tuple[Floats, Floats], gift: int, unit: float, offset: float) -> None:
    a, b = game
    gifts = gift * np.arange(a.shape[1])  # to player 1, for what player 2 does
    assert as_set(all_equilibria(unit * a + offset + gifts, b * 5 - offset)) == as_set(all_equilibria(a, b))


@pytest.mark.parametrize("unit", [1e-300, 1e-160, 1e99])
def test_payoffs_may_be_tiny_or_huge(unit: float) -> None:
    a, b = np.random.default_rng(8).random((2, 4, 4))
    assert as_set(all_equilibria(a * unit, b)) == as_set(all_equilibria(a, b))
    assert len(all_equilibria(np.eye(3) * unit, np.eye(3) * unit)) == 7


def test_numbers_are_taken_as_they_are_and_not_as_the_fractions_they_are_near() -> None:
    # 0.1 + 0.2 is more than 0.3: the second row is the only best response to the first column.
    assert len(found([[0.3, 0.0], [0.1 + 0.2, -1.0]], [[1.0, 0.0], [1.0, 0.0]]).equilibria) == 1
    assert len(found([[0.3, 0.0], [0.3, -1.0]], [[1.0, 0.0], [1.0, 0.0]]).equilibria) == 2
    # A tie that is none by one unit in the last place leaves the exact arithmetic with finitely many.
    a = np.array([[1.0, 0.0], [np.nextafter(1.0, 2.0), -1.0], [0.0, 1.0]])
    solution = found(a, [[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
    assert solution.method == "vertices: exact"
    assert solution.message == ""
    assert len(solution.equilibria) == 3


@pytest.mark.parametrize("noise", [1e-8, 1e-10, 1e-11, 3e-12, 1e-13])
def test_games_that_are_almost_degenerate_have_an_odd_number(noise: float) -> None:
    chance = np.random.default_rng(3)
    for _ in range(10):
        a, b = chance.integers(0, 3, (2, 4, 4)) + noise * chance.random((2, 4, 4))
        solution = found(a, b)
        assert solution.status is Status.SOLVED
        assert len(solution.equilibria) % 2 == 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (4, 1), (3, 3), (5, 7), (8, 8), (11, 11)])
def test_the_compiled_search_is_the_clear_one(shape: tuple[int, int]) -> None:
    chance = np.random.default_rng(shape)
    for payoffs in (chance.random(shape), chance.integers(0, 100, shape) * 1.0, chance.integers(0, 3, shape) * 1.0):
        matrix, scale = vertices_search.polytope(payoffs)
        compiled_matrix, compiled_scale = vertices_jit.polytope(payoffs)
        assert np.array_equal(matrix, compiled_matrix)
        assert np.array_equal(scale, compiled_scale)
        clear, sure = vertices_search.vertices_of(matrix)
        nobody, room = np.zeros(1, np.int64), np.empty(1, np.int64)
        code, walk = vertices_jit.run(vertices_jit.start(matrix), nobody, room, 1 << 20)
        assert (code == vertices_jit.DONE) == sure
        if sure:
            keys = np.sort(walk.table[walk.table != 0])
            assert len(keys) == walk.state[vertices_jit.VISITED]
            assert len(keys) > 1024 or shape != (11, 11), "the table has grown on the way"
            assert keys.tolist() == sorted(clear)
            strategies = vertices_jit.points(walk, keys[keys != (1 << shape[1]) - 1], scale)
            wanted = np.array([clear[key] * scale for key in keys.tolist() if key != (1 << shape[1]) - 1])
            assert np.allclose(strategies, wanted / wanted.sum(axis=1, keepdims=True), rtol=0, atol=1e-12)


@quick
@given(games())
def test_the_compiled_solver_is_the_clear_one(game: tuple[Floats, Floats]) -> None:
    a, b = game
    rows, columns = vertices_search.undominated(a, b)
    small = vertices.reduced(a, b)
    assert np.array_equal(rows, small.rows)
    assert np.array_equal(columns, small.columns)
    clear = vertices_search.equilibria_of(a, b)
    if clear is not None:
        assert as_set(clear) == as_set(all_equilibria(a, b))
    code = vertices_jit.both(*small.payoffs(), np.empty(4096, np.int64), 1 << 20)[0]
    assert (code == vertices_jit.DONE) == (clear is not None)


def test_every_step_shows_an_equilibrium_once_there_is_one() -> None:
    chance = np.random.default_rng(4)
    game = BimatrixGame(*chance.random((2, 6, 6)))
    run = Solving(game, method_for(game, "vertices"), SolveOptions(stride=1))
    steps = list(run)
    assert [step.iteration for step in steps] == sorted({step.iteration for step in steps})
    assert {step.note for step in steps} == {"vertices"}
    seen = as_set(step.profile for step in steps if step.gap < 1e-12)
    assert run.solution is not None
    assert seen == as_set(profiles(run.solution))
    degenerate = solve(
        BimatrixGame(np.zeros((3, 3)), np.zeros((3, 3))), "vertices", SolveOptions(stride=1), watch=steps.append
    )
    assert steps[-1].note == "exact"
    assert degenerate.iterations > 0


def test_a_limit_leaves_what_was_found_and_says_so() -> None:
    a, b = np.random.default_rng(1).random((2, 12, 12))
    a[3, 5] = b[3, 5] = 2.0
    for options in ({"iterations": 50}, {"iterations": 50, "parameters": {"exact": 1}}):
        solution = found(a, b, **options)
        assert solution.status is Status.INCOMPLETE
        assert "stopped at 50 vertices of one polytope; there may be more" in solution.message
        assert any(item.profile[0][3] == item.profile[1][5] == 1.0 for item in solution.equilibria)
    short = found(a, b, time_limit_s=1e-4, parameters={"exact": 1}, stride=1)
    assert short.status in (Status.INCOMPLETE, Status.NOT_CONVERGED)
    assert "time limit" in short.message


def test_a_game_that_is_too_large_is_said_to_be() -> None:
    a, b = np.random.default_rng(2).random((2, 300, 300))
    a[7, 9] = b[7, 9] = 2.0
    solution = found(a, b)
    assert solution.status is Status.INCOMPLETE
    assert "too many" in solution.message
    assert any(item.profile[0][7] == item.profile[1][9] == 1.0 for item in solution.equilibria)
    assert len(found(np.zeros((300, 300)), np.zeros((300, 300))).equilibria) == vertices.MAX_LISTED
    with pytest.raises(GameError, match="could not all be found"):
        all_equilibria(a, b)


def test_dominated_actions_make_a_large_game_small() -> None:
    a, b = np.random.default_rng(2).random((2, 300, 300))
    a[:3] += 5.0
    b[:, :3] += 5.0
    solution = found(a, b)
    assert solution.status is Status.SOLVED
    assert as_set((x[:3], y[:3]) for x, y in profiles(solution)) == as_set(all_equilibria(a[:3, :3], b[:3, :3]))


@pytest.mark.parametrize(
    ("a", "b"),
    [([[1.0, 2.0]], [[1.0], [2.0]]), ([[np.nan]], [[1.0]]), ([], []), ([[1.0]], [[np.inf]]), ("ab", [[1.0]])],
)
def test_payoffs_that_are_none_are_refused(a: Any, b: Any) -> None:
    with pytest.raises(GameError):
        all_equilibria(a, b)
