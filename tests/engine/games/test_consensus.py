"""Consensus games: the exact equilibrium, the best-response trace and its rate, and the cases without a unique one."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.games.consensus import ConsensusGame, consensus_of
from engine.games.errors import GameError
from engine.games.methods import method_for
from engine.games.options import SolveOptions
from engine.games.results import Status
from engine.games.solve import Solving, solve
from engine.games.solvers.agreement_linear import agree
from engine.games.solvers.agreement_rate import convergence_rate


def game_of(count: int, dimension: int, seed: int, *, symmetric: bool = False, density: float = 1.0) -> ConsensusGame:
    rng = np.random.default_rng(seed)
    weights = rng.random((count, count)) * (rng.random((count, count)) < density)
    weights = weights + weights.T if symmetric else weights
    np.fill_diagonal(weights, 0.0)
    return ConsensusGame(rng.normal(size=(count, dimension)), rng.random(count) + 0.01, weights)


def by_definition(game: ConsensusGame) -> np.ndarray:
    system = np.diag(game.confidence + game.influence.sum(axis=1)) - game.influence
    return np.linalg.solve(system, game.confidence[:, None] * game.points)


def positions(game: ConsensusGame, method: str = "auto", **options: object) -> np.ndarray:
    return np.stack(solve(game, method, SolveOptions(**options)).equilibria[0].profile)  # type: ignore[arg-type]


@pytest.mark.parametrize(("c1", "c2", "p1", "p2"), [(1, 1, 0, 1), (3, 0.5, -2, 7), (1e-9, 1e9, 4, 5), (0, 2, 4, 5)])
def test_two_agents_follow_the_formula(c1: float, c2: float, p1: float, p2: float) -> None:
    game = ConsensusGame(np.array([[p1], [p2]], dtype=float), np.array([c1, c2]))
    below = c1 * c2 + c1 + c2
    wanted = [(c1 * (1 + c2) * p1 + c2 * p2) / below, (c2 * (1 + c1) * p2 + c1 * p1) / below]
    assert positions(game)[:, 0] == pytest.approx(wanted, rel=1e-13)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(1, 12), st.integers(1, 4), st.integers(0, 10**6), st.booleans(), st.sampled_from([0.3, 1.0]))
def test_the_answer_is_the_linear_system(n: int, d: int, seed: int, symmetric: bool, density: float) -> None:
    game = game_of(n, d, seed, symmetric=symmetric, density=density)
    solution = solve(game, options=SolveOptions(epsilon=1e-12))
    assert solution.status is Status.SOLVED
    assert np.stack(solution.equilibria[0].profile) == pytest.approx(by_definition(game), abs=1e-11)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(2, 8), st.integers(0, 10**6))
def test_affine_changes_and_renaming_do_what_they_must(n: int, seed: int) -> None:
    game, rng = game_of(n, 2, seed), np.random.default_rng(seed)
    found, order = positions(game), rng.permutation(n)
    moved = ConsensusGame(1e6 + 3.0 * game.points, 5 * game.confidence, 5 * game.influence)
    assert positions(moved) == pytest.approx(1e6 + 3.0 * found, abs=1e-8)
    renamed = ConsensusGame(game.points[order], game.confidence[order], game.influence[np.ix_(order, order)])
    assert positions(renamed) == pytest.approx(found[order], abs=1e-11)


def test_the_closed_form_of_alike_influence_is_the_linear_system() -> None:
    rng = np.random.default_rng(3)
    column = rng.random(9)
    weights = np.tile(column, (9, 1))
    np.fill_diagonal(weights, 0.0)
    game = ConsensusGame(rng.normal(size=(9, 4)), rng.random(9), weights)
    solution = solve(game)
    assert "closed form" in solution.message
    assert np.stack(solution.equilibria[0].profile) == pytest.approx(by_definition(game), abs=1e-13)


@pytest.mark.parametrize(("symmetric", "how"), [(True, "Cholesky"), (False, "LU")])
def test_larger_games_are_factorised(symmetric: bool, how: str) -> None:
    game = game_of(300, 2, 12, symmetric=symmetric)
    found = agree(game.confidence, game.influence, game.points, game.points)
    assert found.how == how
    assert found.positions == pytest.approx(by_definition(game), abs=1e-11)


def test_confidence_far_below_influence_keeps_its_digits() -> None:
    rng = np.random.default_rng(4)
    n = 6
    weights = rng.integers(1, 9, (n, n)).astype(float)
    np.fill_diagonal(weights, 0.0)
    confidence = rng.integers(1, 9, n) * 2.0**-60
    points = rng.integers(-9, 9, (n, 1)).astype(float)
    found = agree(confidence, weights, points, points)
    assert found.how == "elimination without subtraction"
    assert found.positions[:, 0] == pytest.approx(exactly(confidence, weights, points[:, 0]), rel=1e-12)


def exactly(confidence: np.ndarray, weights: np.ndarray, points: np.ndarray) -> list[float]:
    """Gauss-Jordan in rational numbers."""
    n = len(points)
    c, w = [Fraction(x) for x in confidence], [[Fraction(x) for x in row] for row in weights]
    rows = [
        [c[i] + sum(w[i]) if i == j else -w[i][j] for j in range(n)] + [c[i] * Fraction(points[i])] for i in range(n)
    ]
    for k in range(n):
        rows[k] = [value / rows[k][k] for value in rows[k]]
        for i in range(n):
            if i != k:
                rows[i] = [a - rows[i][k] * b for a, b in zip(rows[i], rows[k], strict=True)]
    return [float(row[-1]) for row in rows]


@pytest.mark.parametrize("symmetric", [False, True])
def test_large_games_by_krylov_agree_with_the_factorisation(symmetric: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.games.solvers.agreement.DIRECT", 10)
    for density in (1.0, 0.05):
        game = game_of(120, 3, 5, symmetric=symmetric, density=density)
        solution = solve(game)
        assert ("conjugate" if symmetric else "BiCGSTAB") in solution.message
        assert solution.solved
        assert np.stack(solution.equilibria[0].profile) == pytest.approx(by_definition(game), abs=1e-9)


def test_a_krylov_run_that_stalls_falls_back_on_the_factorisation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.games.solvers.agreement.DIRECT", 10)
    monkeypatch.setattr("engine.games.solvers.agreement.KRYLOV", 2)
    game = game_of(40, 2, 6)
    solution = solve(game)
    assert solution.solved and "LU" in solution.message
    assert np.stack(solution.equilibria[0].profile) == pytest.approx(by_definition(game), abs=1e-11)


def test_without_confidence_there_are_many_and_it_says_so() -> None:
    rng = np.random.default_rng(7)
    weights = rng.random((4, 4))
    np.fill_diagonal(weights, 0.0)
    game = ConsensusGame(rng.normal(size=(4, 2)), np.zeros(4), weights)
    solution = solve(game)
    assert solution.status is Status.INCOMPLETE
    assert "infinitely many" in solution.message
    assert solution.rate == pytest.approx(1.0)
    assert solution.equilibria[0].gap.nashconv < 1e-20
    damped = positions(game, "best-response", epsilon=1e-12, parameters={"damping": 0.5})
    assert np.stack(solution.equilibria[0].profile) == pytest.approx(damped, abs=1e-5)


def test_a_group_that_nobody_confident_reaches_settles_by_itself() -> None:
    # 0 is confident, 1 listens to 0 and to the group {2, 3}, which listens to itself; 4 minds nothing; 5 listens to 4.
    weights = np.zeros((6, 6))
    for i, j, weight in [(1, 0, 1), (1, 2, 1), (2, 3, 2), (3, 2, 5), (5, 4, 1)]:
        weights[i, j] = weight
    points = np.array([[0.0], [9.0], [4.0], [8.0], [-3.0], [7.0]])
    solution = solve(ConsensusGame(points, np.array([1.0, 0, 0, 0, 0, 0]), weights))
    assert np.stack(solution.equilibria[0].profile)[:, 0] == pytest.approx([0, 3, 6, 6, -3, -3])
    assert solution.status is Status.INCOMPLETE
    assert "Player 3, Player 4, Player 5 and 1 more" in solution.message


@pytest.mark.parametrize("seed", range(4))
def test_the_rate_is_what_is_observed(seed: int) -> None:
    game = game_of(12, 3, seed, symmetric=seed % 2 == 0)
    exact = convergence_rate(game)
    radius = np.abs(np.linalg.eigvals(game.influence / (game.confidence + game.influence.sum(axis=1))[:, None])).max()
    assert exact == pytest.approx(radius, rel=1e-8)
    seen = solve(game, "best-response", SolveOptions(epsilon=1e-14)).rate
    assert seen == pytest.approx(exact, rel=2e-2)


def test_the_rate_of_sparse_large_and_chained_games() -> None:
    ring = np.roll(np.eye(8), 1, axis=1)
    assert convergence_rate(ConsensusGame(np.zeros((8, 1)), np.ones(8), ring)) == pytest.approx(0.5)
    chain = np.triu(np.ones((5, 5)), 1)
    assert convergence_rate(ConsensusGame(np.zeros((5, 1)), np.ones(5), chain)) == 0
    assert convergence_rate(ConsensusGame(np.zeros((500, 1)))) == pytest.approx(499 / 500)


def test_two_agents_who_only_copy_each_other_are_damped() -> None:
    game = ConsensusGame(np.array([[0.0], [1.0]]), np.zeros(2))
    solution = solve(game, "best-response")
    assert solution.solved and "damped" in solution.message
    assert np.stack(solution.equilibria[0].profile)[:, 0] == pytest.approx([0.5, 0.5], abs=1e-3)
    stuck = solve(game, "best-response", SolveOptions(iterations=50, parameters={"damping": 0.0}))
    assert stuck.status is Status.NOT_CONVERGED and "after 50 iterations" in stuck.message


def test_the_trace_starts_where_it_is_told_and_tells_every_step() -> None:
    game = game_of(5, 2, 8)
    start = tuple(np.full(2, float(i)) for i in range(5))
    run = Solving(game, method_for(game, "auto"), SolveOptions(stride=1, start=start, iterations=6))
    steps = list(run)
    assert [step.iteration for step in steps] == list(range(8))
    assert np.stack(steps[0].profile) == pytest.approx(np.stack(start))
    assert np.stack(steps[1].profile) == pytest.approx(game.best_responses(np.stack(start)))
    for step in steps:
        assert step.gap == pytest.approx(float(game.regrets(step.profile).sum()), rel=1e-12, abs=1e-18)
    assert run.solution is not None and run.solution.solved


def test_costs_in_blocks_are_the_costs_of_the_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.games.consensus.BLOCK", 30)
    game = game_of(7, 3, 9)
    x = np.random.default_rng(1).normal(size=(7, 3))
    for i, paid in enumerate(game.payoffs(tuple(x))):
        away = game.confidence[i] * ((x[i] - game.points[i]) ** 2).sum()
        apart = sum(game.influence[i, j] * ((x[i] - x[j]) ** 2).sum() for j in range(7))
        assert paid == pytest.approx(-(away + apart))


def test_who_sends_no_position_is_left_out_by_name() -> None:
    sent = {"ann": [1.0, 2.0], "bob": [np.nan, 0.0], "cyd": [3.0, 4.0], "dan": [np.inf, 1.0], "eve": "junk", "fay": []}
    game = consensus_of(sent, confidence={"ann": 2.0})
    assert game.players == ("ann", "cyd")
    assert game.excluded == ("bob", "dan", "eve", "fay")
    assert game.confidence.tolist() == [2.0, 1.0]
    with pytest.raises(GameError, match="none of 1 agents"):
        consensus_of({"bob": [np.nan]})
    with pytest.raises(GameError, match="ann 2, bob 1"):
        consensus_of({"ann": [1.0, 2.0], "bob": [1.0]})


def test_costs_beyond_double_precision_are_refused() -> None:
    with pytest.raises(GameError, match="too large"):
        ConsensusGame(np.full((2, 1), 1e100), np.full(2, 1e95))
    huge = ConsensusGame(np.array([[0.0], [1e100]]))
    assert solve(huge).solved


@pytest.mark.parametrize("damping", [-0.1, 1.0, float("nan")])
def test_a_damping_that_makes_no_sense_is_refused(damping: float) -> None:
    with pytest.raises(GameError, match="damping"):
        solve(game_of(3, 1, 0), "best-response", SolveOptions(parameters={"damping": damping}))


def test_the_game_of_the_contract() -> None:
    """One scalar kappa and weights w_j: everybody minds j alike, and an aggregate certifies the equilibrium."""
    rng = np.random.default_rng(11)
    c, w, x, kappa = rng.random(8), rng.random(8), rng.normal(size=(8, 8)), 0.7
    influence = kappa * np.tile(w, (8, 1))
    np.fill_diagonal(influence, 0.0)
    game = ConsensusGame(x, c, influence)
    y = positions(game)
    aggregate = w @ y
    total = w.sum()
    assert y == pytest.approx((c[:, None] * x + kappa * aggregate) / (c + kappa * total)[:, None], abs=1e-13)
    off = aggregate + 0.01 * rng.normal(size=8)
    z = (c[:, None] * x + kappa * off) / (c + kappa * total)[:, None]
    residual = w @ z - off
    wanted = kappa**2 * (residual**2).sum() / (c + kappa * (total - w))
    assert game.regrets(tuple(z)) == pytest.approx(wanted, rel=1e-9)
