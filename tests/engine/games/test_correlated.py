"""Correlated and coarse correlated equilibria, held to their definitions and to a plain program."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from engine.games.errors import GameError
from engine.games.games import BimatrixGame, MatrixGame, PolymatrixGame, TensorGame
from engine.games.options import SolveOptions
from engine.games.results import Solution, Status
from engine.games.solve import solve
from engine.games.solvers.correlated import LEAST, WELFARE, WORST, best_joint
from engine.games.verify import correlated_gap

CHICKEN = BimatrixGame(np.array([[6.0, 2], [7, 0]]), np.array([[6.0, 7], [2, 0]]))


def answer(game: object, method: str, objective: int = WELFARE) -> Solution:
    options = SolveOptions(epsilon=1e-8, parameters={"objective": objective})
    return solve(game, method, options)  # type: ignore[arg-type]


def plain(game: TensorGame, *, coarse: bool) -> np.ndarray:
    """The constraints of the definition, written out outcome by outcome: rows that must not be above zero."""
    outcomes = list(product(*(range(size) for size in game.sizes)))
    rows = []
    for player, size in enumerate(game.sizes):
        for told, plays in product(range(size), repeat=2):
            row = [0.0] * len(outcomes)
            for place, outcome in enumerate(outcomes):
                if coarse or outcome[player] == told:
                    other = (*outcome[:player], plays, *outcome[player + 1 :])
                    row[place] = game.tensors[player][other] - game.tensors[player][outcome]
            rows.append(row)
    return np.array(rows)


def plain_welfare(game: TensorGame, *, coarse: bool, sign: float) -> float:
    rows = plain(game, coarse=coarse)
    welfare = np.sum(game.tensors, axis=0).ravel()
    found = linprog(-sign * welfare, rows, np.zeros(len(rows)), np.ones((1, welfare.size)), [1.0], method="highs")
    return float(-sign * found.fun)


def test_chicken() -> None:
    best = answer(CHICKEN, "correlated")
    assert best.status is Status.SOLVED
    assert best.equilibria[0].gap.payoffs.sum() == pytest.approx(10.5)
    assert best.equilibria[0].joint == pytest.approx(np.array([[0.5, 0.25], [0.25, 0.0]]))
    assert answer(CHICKEN, "correlated", WORST).equilibria[0].gap.payoffs.sum() == pytest.approx(7.2)
    assert answer(CHICKEN, "coarse").equilibria[0].gap.payoffs.sum() >= 10.5 - 1e-9


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.integers(0, 10**6), st.sampled_from([(2, 2), (3, 2), (1, 4), (3, 3), (2, 2, 2), (3, 1, 2), (4,)]), st.booleans()
)
def test_the_best_is_the_best_of_the_definition(seed: int, sizes: tuple[int, ...], rough: bool) -> None:
    rng = np.random.default_rng(seed)
    game = TensorGame(
        tuple(rng.integers(-2, 3, sizes).astype(float) if rough else rng.normal(size=sizes) for _ in sizes)
    )
    for method, coarse in (("correlated", False), ("coarse", True)):
        for objective, sign in ((WELFARE, 1.0), (WORST, -1.0)):
            solution = answer(game, method, objective)
            assert solution.solved
            assert solution.equilibria[0].joint is not None
            wanted = plain_welfare(game, coarse=coarse, sign=sign)
            assert solution.equilibria[0].gap.payoffs.sum() == pytest.approx(wanted, abs=1e-6)


def test_the_least_payoff_is_as_large_as_it_can_be() -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        game = BimatrixGame(10 * rng.random((4, 4)), rng.random((4, 4)) + 3).to_tensor()
        rows = np.pad(plain(game, coarse=False), ((0, 0), (0, 1)))
        least = [np.append(-payoff.ravel(), 1.0) for payoff in game.tensors]
        found = linprog(
            np.append(np.zeros(16), -1.0),
            np.vstack([rows, *least]),
            np.zeros(len(rows) + 2),
            np.append(np.ones(16), 0.0)[None, :],
            [1.0],
            bounds=[(0, None)] * 16 + [(None, None)],
            method="highs",
        )
        assert answer(game, "correlated", LEAST).equilibria[0].gap.payoffs.min() == pytest.approx(-found.fun, abs=1e-6)


def test_offsets_and_units_change_nothing() -> None:
    moved = BimatrixGame(1e-3 * CHICKEN.a + 1e6, 1e3 * CHICKEN.b - 1e6)
    solution = answer(moved, "correlated")
    assert solution.solved
    assert correlated_gap(CHICKEN, solution.equilibria[0].joint, coarse=False).nashconv < 1e-4  # type: ignore[arg-type]


def test_zero_sum_games_keep_their_value() -> None:
    game = MatrixGame(np.array([[3.0, 0, -3], [0, 3, -4], [0, 0, 1]]))
    for method in ("correlated", "coarse"):
        assert answer(game, method).equilibria[0].gap.payoffs == pytest.approx([0.25, -0.25], abs=1e-7)


def test_polymatrix_games_are_solved_as_tensors() -> None:
    game = PolymatrixGame((2, 2, 2), {(0, 1): CHICKEN.a, (1, 0): CHICKEN.b.T, (2, 0): np.eye(2)})
    assert answer(game, "correlated").solved


def test_too_large_and_unknown_is_refused() -> None:
    with pytest.raises(GameError, match=r"too large for a linear program.*Coarse"):
        best_joint(MatrixGame(np.zeros((300, 300))))
    with pytest.raises(GameError, match="too large"):
        best_joint(PolymatrixGame((2,) * 100, {}), coarse=True)
    with pytest.raises(GameError, match="objective"):
        answer(CHICKEN, "correlated", 7)


def test_a_program_that_is_not_done_in_time_says_so() -> None:
    rng = np.random.default_rng(1)
    game = BimatrixGame(rng.random((70, 70)), rng.random((70, 70)))
    solution = solve(game, "correlated", SolveOptions(time_limit_s=0.05))
    assert solution.status is Status.NOT_CONVERGED
    assert "limit" in solution.message


def test_payoffs_that_are_nearly_alike_have_an_equilibrium_too() -> None:
    """HiGHS's presolve takes this program for infeasible, though every game has a correlated equilibrium."""
    chance = np.random.default_rng(209)
    nearly = 10.0 ** chance.integers(-13, -6)
    a, b = (chance.integers(-2, 3, (4, 4)) + nearly * chance.normal(size=(4, 4)) for _ in range(2))
    assert solve(BimatrixGame(a, b), "correlated").solved
