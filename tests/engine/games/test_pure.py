"""Pure equilibria by inspection, against the definition written out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.games.games import BimatrixGame, MatrixGame, TensorGame
from engine.games.options import SolveOptions
from engine.games.results import Status
from engine.games.solve import solve
from engine.games.solvers.pure import first_pure, pure_equilibria


def by_definition(game: TensorGame) -> list[tuple[int, ...]]:
    found = []
    for actions in itertools.product(*map(range, game.sizes)):
        best = True
        for player, tensor in enumerate(game.tensors):
            others = [tensor[(*actions[:player], other, *actions[player + 1 :])] for other in range(game.sizes[player])]
            best &= bool(tensor[actions] >= max(others))
        if best:
            found.append(actions)
    return found


@st.composite
def tables(draw: st.DrawFn) -> TensorGame:
    players = draw(st.integers(1, 4))
    shape = tuple(draw(st.integers(1, 3)) for _ in range(players))
    return TensorGame(tuple(draw(arrays(float, shape, elements=st.integers(0, 2).map(float))) for _ in range(players)))


@given(tables())
@settings(max_examples=80, deadline=None, derandomize=True)
def test_all_are_found_ties_included(game: TensorGame) -> None:
    expected = by_definition(game)
    assert [tuple(actions) for actions in pure_equilibria(*game.tensors).tolist()] == expected
    if len(game.sizes) == 2:
        assert first_pure(*game.tensors) == (expected[0] if expected else None)
    solution = solve(game, "pure")
    assert solution.status is Status.SOLVED
    assert [tuple(int(x.argmax()) for x in item.profile) for item in solution.equilibria] == expected


def test_each_kind_of_game_is_taken() -> None:
    saddle = solve(MatrixGame([[1, 2], [0, 3]]), "pure")
    assert [tuple(int(x.argmax()) for x in item.profile) for item in saddle.equilibria] == [(0, 0)]
    cooperate = solve(BimatrixGame([[2, 0], [3, 1]], [[2, 3], [0, 1]]), "pure")
    assert [tuple(int(x.argmax()) for x in item.profile) for item in cooperate.equilibria] == [(1, 1)]


def test_none_is_an_answer_and_said() -> None:
    solution = solve(MatrixGame([[1, -1], [-1, 1]]), "pure")
    assert solution.equilibria == ()
    assert "no equilibrium" in solution.message


def test_payoffs_are_compared_as_they_were_given() -> None:
    one, more = 1.0, np.nextafter(1.0, 2.0)
    assert pure_equilibria(np.array([[one], [more]]), np.zeros((2, 1))).tolist() == [[1, 0]]
    assert pure_equilibria(np.array([[one], [one]]), np.zeros((2, 1))).tolist() == [[0, 0], [1, 0]]


@pytest.mark.parametrize("limit", [1, 7])
def test_too_many_are_cut_off_and_counted(limit: int) -> None:
    solution = solve(BimatrixGame(np.ones((5, 5)), np.ones((5, 5))), "pure", SolveOptions(parameters={"limit": limit}))
    assert len(solution.equilibria) == limit
    assert solution.status is Status.INCOMPLETE
    assert "25 outcomes" in solution.message


def test_games_of_a_million_outcomes_are_looked_through() -> None:
    a, b = np.random.default_rng(0).random((2, 1000, 1000))
    for i, j in pure_equilibria(a, b):
        assert a[i, j] == a[:, j].max()
        assert b[i, j] == b[i].max()
