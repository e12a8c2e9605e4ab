"""The polymatrix approximation: its pivoting, its twin, and that it says so where it finds nothing."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.games.games import PolymatrixGame, TensorGame
from engine.games.methods import method_for
from engine.games.options import SolveOptions
from engine.games.reference import references
from engine.games.results import Status
from engine.games.solve import Solving, solve
from engine.games.solvers import ipa_jit
from engine.games.solvers.ipa import polymatrix_costs
from engine.games.solvers.ipa_lemke import DONE, GOES_ON, Pivoting, pivot
from engine.games.solvers.tensor_form import payoffs_and_jacobian, tensor_form
from engine.games.verify import gap_of

TIGHT = SolveOptions(epsilon=1e-9)
CLEAR = SolveOptions(epsilon=1e-9, parameters={"reference": 1})
FEW = st.integers(-1, 2).map(float)


def random_polymatrix(seed: int, sizes: tuple[int, ...], few: bool) -> PolymatrixGame:
    chance = np.random.default_rng(seed)
    edges = {}
    for i, rows in enumerate(sizes):
        for j, columns in enumerate(sizes):
            if i != j:
                edges[i, j] = (
                    1.0 * chance.integers(0, 3, (rows, columns)) if few else chance.normal(size=(rows, columns))
                )
    return PolymatrixGame(sizes, edges)


def costs_of(game: PolymatrixGame) -> np.ndarray:
    starts = np.concatenate(([0], np.cumsum(game.sizes)))
    made = np.zeros((starts[-1], starts[-1]))
    for (i, j), matrix in game.edges.items():
        made[starts[i] : starts[i + 1], starts[j] : starts[j + 1]] = -matrix
    return made - made.min() + 1.0


@pytest.mark.parametrize("sizes", [(2, 2), (3, 1, 2), (3, 3, 3), (2, 4, 3, 2), (5, 5, 5, 5)])
@pytest.mark.parametrize("few", [False, True])
def test_pivoting_solves_polymatrix_games_and_both_forms_alike(sizes: tuple[int, ...], few: bool) -> None:
    counts = np.array(sizes, dtype=np.int64)
    for seed in range(12):
        game = random_polymatrix(seed, sizes, few)
        chance = np.random.default_rng(seed)
        prior = np.concatenate([chance.dirichlet(np.ones(size)) for size in sizes])
        clear, fast = (Pivoting(costs_of(game), counts, prior) for _ in range(2))
        while (told := pivot(clear.table, clear.basis, clear.place, 7)) == GOES_ON:
            assert ipa_jit.pivot(fast.table, fast.basis, fast.place, 7) == GOES_ON
            assert np.array_equal(fast.place, clear.place)
        assert told == DONE
        assert ipa_jit.pivot(fast.table, fast.basis, fast.place, 7) == DONE
        assert fast.solution() == pytest.approx(clear.solution(), abs=1e-9)
        profile = tuple(np.split(clear.solution(), np.cumsum(sizes)[:-1]))
        assert gap_of(game, profile).relative < 1e-9


def test_large_games_can_be_watched_and_stopped_between_pivots() -> None:
    chance = np.random.default_rng(1)
    game = TensorGame(tuple(chance.normal(size=(150, 150)) for _ in range(2)))
    solving = Solving(game, method_for(game, "ipa"), SolveOptions(stride=1))
    told = [(step.iteration, step.note) for step in itertools.islice(solving, 4)]
    assert told == [(1, "polymatrix"), (2, "pivoting"), (3, "pivoting"), (4, "pivoting")]
    assert solving.cancel().status is Status.CANCELLED


def test_the_polymatrix_game_touches_the_game_where_it_was_made() -> None:
    chance = np.random.default_rng(7)
    game = TensorGame(tuple(chance.normal(size=(3, 2, 4)) for _ in range(3)))
    form = tensor_form(game)
    here = np.concatenate([chance.dirichlet(np.ones(size)) for size in form.sizes])
    payoffs, slopes = payoffs_and_jacobian(form, here)
    costs = polymatrix_costs(form, payoffs, slopes)
    assert costs.min() > 0
    assert 4.0 * 3 - costs @ here == pytest.approx(payoffs, abs=1e-13)  # the constant counts once for each player
    step = 1e-6 * np.concatenate([chance.normal(size=size) for size in form.sizes])
    for begin, end in zip(form.starts, form.starts[1:], strict=False):
        step[begin:end] -= step[begin:end].mean()
    moved = payoffs_and_jacobian(form, here + step)[0]
    assert 12.0 - costs @ (here + step) == pytest.approx(moved, abs=1e-10)


@pytest.mark.parametrize("key", ["mckelvey", "nau"])
@pytest.mark.parametrize("options", [TIGHT, CLEAR], ids=["compiled", "clear"])
def test_reference_games(key: str, options: SolveOptions) -> None:
    (known,) = (known for known in references() if known.key == key)
    solution = solve(known.game, "ipa", options)
    assert solution.status is Status.SOLVED
    found = np.concatenate(solution.equilibria[0].profile)
    assert min(np.abs(np.concatenate(wanted) - found).max() for wanted in known.equilibria) < 1e-9


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.data())
def test_it_solves_or_says_that_it_did_not(data: st.DataObject) -> None:
    sizes = tuple(data.draw(st.lists(st.integers(1, 4), min_size=2, max_size=4)))
    game = TensorGame(tuple(data.draw(arrays(float, sizes, elements=FEW)) for _ in sizes))
    solution = solve(game, "ipa", TIGHT)
    honest = gap_of(game, solution.equilibria[0].profile).relative
    if honest <= 1e-9:
        assert solution.status is Status.SOLVED
    else:
        assert solution.status is Status.NOT_CONVERGED
        assert "logit" in solution.message


def test_three_players_with_ten_actions_are_nearly_always_solved() -> None:
    solved = 0
    for seed in range(12):
        chance = np.random.default_rng(seed)
        game = TensorGame(tuple(chance.random((10, 10, 10)) for _ in range(3)))
        solution = solve(game, "ipa", TIGHT)
        solved += solution.solved
        assert solution.status in (Status.SOLVED, Status.NOT_CONVERGED)
    assert solved >= 10


def test_it_begins_where_it_is_told() -> None:
    game = TensorGame((np.eye(3), np.eye(3)))
    for action in range(3):
        start = tuple(np.full(3, 0.2) + 0.4 * np.eye(3)[action] for _ in range(2))
        options = SolveOptions(start=start, stride=1)
        found = solve(game, "ipa", options).equilibria[0].profile
        assert gap_of(game, found).relative < 1e-12
        first = next(Solving(game, method_for(game, "ipa"), options))
        assert first.profile[0] == pytest.approx(start[0])
