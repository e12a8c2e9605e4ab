"""All equilibria of small games: exact for three players of two actions, by Newton on every support elsewhere."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.games.games import BimatrixGame, Profile, TensorGame
from engine.games.methods import method_for
from engine.games.options import SolveOptions
from engine.games.reference import references
from engine.games.results import Status
from engine.games.solve import Solving, solve
from engine.games.solvers.supports import Found, all_pure, search, supports, undominated
from engine.games.solvers.supports_exact import ONE, Elimination, Surd
from engine.games.solvers.tensor_form import tensor_form
from engine.games.verify import gap_of

TIGHT = SolveOptions(epsilon=1e-9)
FEW = st.integers(-1, 1).map(float)
KNOWN = {known.key: known.game for known in references()}


def generic(sizes: tuple[int, ...], seed: int) -> TensorGame:
    chance = np.random.default_rng(seed)
    return TensorGame(tuple(chance.normal(size=sizes) for _ in sizes))


def with_bad_actions(game: TensorGame) -> TensorGame:
    """Give the first player a last action that is worse than all others: the equilibria are the same."""
    low = min(tensor.min() for tensor in game.tensors) - 1.0
    pads = [(0, 1), *[(0, 0)] * (len(game.sizes) - 1)]
    return TensorGame(tuple(np.pad(tensor, pads, constant_values=low) for tensor in game.tensors))


def as_set(profiles: list[Profile], digits: int = 7) -> set[tuple[float, ...]]:
    return {tuple((np.concatenate(profile).round(digits) + 0.0).tolist()) for profile in profiles}


def found_in(game: TensorGame, options: SolveOptions = TIGHT) -> set[tuple[float, ...]]:
    solution = solve(game, "newton-all", options)
    made = as_set([found.profile for found in solution.equilibria])
    assert len(made) == len(solution.equilibria), "each once"
    return made


def exact(game: TensorGame) -> Elimination:
    return Elimination([np.moveaxis(tensor, player, 0) for player, tensor in enumerate(game.tensors)])


def test_the_nine_equilibria_of_mckelvey_and_mclennan_are_all() -> None:
    game = KNOWN["mckelvey"]
    solution = solve(game, "newton-all", TIGHT)
    assert solution.status is Status.SOLVED, "these are certainly all"
    firsts = {tuple(Fraction(float(x[0])).limit_denominator(50) for x in item.profile) for item in solution.equilibria}
    third, quarter, half, one, none = Fraction(1, 3), Fraction(1, 4), Fraction(1, 2), Fraction(1), Fraction(0)
    assert firsts == {
        (one, one, one),
        (none, none, one),
        (one, none, none),
        (none, one, none),
        (none, third, third),
        (quarter, one, quarter),
        (half, half, one),
        (quarter, half, third),
        (half, third, quarter),
    }


def test_the_search_finds_the_nine_too() -> None:
    game = KNOWN["mckelvey"]
    assert isinstance(game, TensorGame)
    assert searched(game) == found_in(game)


def searched(game: TensorGame) -> set[tuple[float, ...]]:
    """What Newton on every support finds, where elimination would do, and what inspection adds."""
    form = tensor_form(game)
    found = Found(game, form, [form.flatten(profile) for profile in all_pure(game, 100)])
    for _ in search(form, found, TIGHT):
        pass
    return as_set([form.profile(flat) for flat in found.profiles])


def test_actions_that_another_one_always_beats_do_not_matter() -> None:
    game = KNOWN["mckelvey"]
    assert isinstance(game, TensorGame)
    solution = solve(with_bad_actions(game), "newton-all", TIGHT)
    assert solution.status is Status.SOLVED, "without them, elimination is certain"
    wanted = {(*profile[:2], 0.0, *profile[2:]) for profile in found_in(game)}
    assert as_set([item.profile for item in solution.equilibria]) == wanted
    chance = np.random.default_rng(3)
    a, b = chance.normal(size=(2, 3, 3, 3))
    a[2], b[:, 2] = a[1] - 1.0, b[:, 0] - 1.0
    third = np.broadcast_to(np.array([0.0, 2.0, 1.0]), (3, 3, 3)).copy()
    third[2] = 10 * chance.normal(size=(3, 3))  # only what the first player never does could shake the third
    kept = undominated(tensor_form(TensorGame((a, b, third))), (3, 3, 3))
    assert kept[2] == (1,)
    assert 2 not in kept[0]
    assert 2 not in kept[1]


def test_the_irrational_equilibrium_is_the_only_one() -> None:
    solution = solve(KNOWN["nau"], "newton-all", SolveOptions(epsilon=1e-12))
    assert solution.status is Status.SOLVED
    (found,) = solution.equilibria
    second = (np.sqrt(601) - 13) / 24
    wanted = [(9 * second - 1) / (7 * second + 2), second, (2 - 3 * second) / (1 + second)]
    assert [float(x[0]) for x in found.profile] == pytest.approx(wanted, abs=1e-15)


def test_numbers_with_a_root_compare_exactly() -> None:
    root = Surd(Fraction(0), Fraction(1), Fraction(2))
    tiny = Surd(Fraction(-(10**30)), Fraction(1), Fraction(10**60 + 1))
    assert (root * root - Surd(Fraction(2))).sign() == 0
    assert tiny.sign() == 1
    assert float(tiny) == pytest.approx(5e-31)
    assert (ONE / (root + ONE)).inside()
    assert float(ONE / (root + ONE)) == 0.41421356237309504880
    assert float(Surd(Fraction(0), Fraction(1), Fraction(1, 10**200))) == pytest.approx(1e-100)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.integers(0, 10**6))
def test_regular_games_have_an_odd_number_of_equilibria(seed: int) -> None:
    game = generic((2, 2, 2), seed)
    solved = exact(game)
    assert solved.certain
    assert len(solved.points) % 2 == 1
    assert len(solved.points) <= 9
    for point in solved.points:
        profile = tuple(np.array([float(part), float(ONE - part)]) for part in point)
        assert gap_of(game, profile).relative < 1e-13


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10**6))
def test_elimination_and_search_agree(seed: int) -> None:
    game = generic((2, 2, 2), seed)
    assert searched(game) == found_in(game)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.data())
def test_degenerate_games_of_two_actions(data: st.DataObject) -> None:
    game = TensorGame(tuple(data.draw(arrays(float, (2, 2, 2), elements=FEW)) for _ in range(3)))
    solution = solve(game, "newton-all", TIGHT)
    found = as_set([item.profile for item in solution.equilibria])
    pure = as_set([item.profile for item in solve(game, "pure", TIGHT).equilibria])
    assert pure <= found
    assert solution.status in (Status.SOLVED, Status.INCOMPLETE)
    if solution.status is Status.SOLVED:  # then nothing else may be an equilibrium
        for other in (solve(game, method, TIGHT) for method in ("logit", "ipa")):
            if other.solved and not exact(game).segments:
                assert as_set([other.equilibria[0].profile], 5) <= {tuple(np.round(f, 5) + 0.0) for f in found}


def test_the_ends_of_a_segment_are_there() -> None:
    payoffs = np.zeros((3, 2, 2, 2))
    payoffs[1, :, 0, :] = 1.0  # player 2 wants its first action, player 3 too while player 1 plays its first often
    payoffs[2, 0, :, 0], payoffs[2, 1, :, 1] = 1.0, 3.0
    game = TensorGame(tuple(payoffs))
    solved = exact(game)
    assert solved.segments == 2
    ends = {tuple(float(part) for part in point) for point in solved.points}
    assert {(1.0, 1.0, 1.0), (0.75, 1.0, 1.0), (0.75, 1.0, 0.0), (0.0, 1.0, 0.0)} <= ends
    assert not solved.certain, "players 1 and 3 both mix at three quarters"


@pytest.mark.parametrize("sizes", [(3, 3), (2, 4), (1, 3, 3), (2, 1, 3)])
def test_two_players_with_a_choice_are_left_to_vertex_enumeration(sizes: tuple[int, ...]) -> None:
    for seed in range(5):
        game = generic(sizes, seed)
        solution = solve(game, "newton-all", TIGHT)
        assert solution.status is Status.SOLVED
        assert solution.method in ("newton-all: vertices", "newton-all")  # where nothing dominates, and where it does
        two = [player for player, size in enumerate(sizes) if size > 1]
        matrices = [game.tensors[player].reshape([sizes[p] for p in two]) for player in two]
        every = solve(BimatrixGame(*matrices), "vertices", TIGHT)
        ours = as_set([tuple(item.profile[player] for player in two) for item in solution.equilibria])
        assert ours == as_set([item.profile for item in every.equilibria])


def test_one_player_takes_what_is_best() -> None:
    solution = solve(TensorGame((np.array([1.0, 3.0, 2.0, 3.0]),)), "newton-all", TIGHT)
    assert solution.status is Status.SOLVED
    assert {int(np.argmax(item.profile[0])) for item in solution.equilibria} == {1, 3}


@pytest.mark.parametrize(("sizes", "seeds"), [((3, 2, 2), 8), ((3, 3, 3), 6), ((2, 2, 2, 2), 6)])
def test_regular_games_of_other_sizes(sizes: tuple[int, ...], seeds: int) -> None:
    for seed in range(seeds):
        game = generic(sizes, 50 + seed)
        solution = solve(game, "newton-all", TIGHT)
        found = as_set([item.profile for item in solution.equilibria], 6)
        assert len(found) % 2 == 1, "almost all games have an odd number"
        for method in ("logit", "auto"):
            assert as_set([solve(game, method, TIGHT).equilibria[0].profile], 6) <= found
        assert found == as_set([item.profile for item in solve(game, "newton-all", SolveOptions(seed=9)).equilibria], 6)


def test_all_that_gambit_finds_is_there() -> None:
    pygambit = pytest.importorskip("pygambit")
    for seed in range(6):
        game = generic((3, 2, 2), 80 + seed)
        table = pygambit.Game.from_arrays(*game.tensors)
        theirs = pygambit.nash.enumpoly_solve(table).equilibria
        players = list(table.players)
        wanted = as_set([tuple(np.array([float(e[s]) for s in p.strategies]) for p in players) for e in theirs], 5)
        assert wanted <= as_set([item.profile for item in solve(game, "newton-all", TIGHT).equilibria], 5)


def test_supports_come_once_each_the_small_ones_first() -> None:
    form = tensor_form(generic((2, 3, 2), 0))
    marks = list(supports(form))
    assert len(marks) == len(set(marks)) == 3 * 7 * 3 - 12  # all but the pure ones
    totals = [sum(map(len, mark)) for mark in marks]
    assert totals == sorted(totals)
    assert all(mark for profile in marks for mark in profile)


def test_it_can_be_cut_short() -> None:
    game = generic((4, 4, 4), 3)
    solution = solve(game, "newton-all", SolveOptions(iterations=10))
    assert solution.iterations <= 11
    assert "larger supports were left out" in solution.message
    solving = Solving(game, method_for(game, "newton-all"), SolveOptions(stride=1))
    told = [step.iteration for step in itertools.islice(solving, 5)]
    assert told == sorted(set(told))
    assert solving.cancel().status is Status.CANCELLED


def test_a_game_in_which_nothing_matters_lists_its_outcomes() -> None:
    solution = solve(TensorGame((np.zeros((2, 2, 2)),) * 3), "newton-all", TIGHT)
    assert solution.status is Status.INCOMPLETE
    assert len(solution.equilibria) >= 8


def test_it_says_when_there_are_infinitely_many() -> None:
    first = np.array([[[2.0, 1], [2, 1]], [[0, 1], [1, 0]]])
    second = np.array([[[1.0, 2], [2, 0]], [[1, 0], [2, 2]]])
    third = np.array([[[0.0, 1], [0, 1]], [[2, 1], [0, 0]]])
    solution = solve(TensorGame((first, second, third)), "newton-all")
    assert solution.solved
    assert "infinitely many" in solution.message
    middle = tuple((x + y) / 2 for x, y in zip(*(found.profile for found in solution.equilibria), strict=True))
    assert gap_of(TensorGame((first, second, third)), middle).nashconv < 1e-12
