"""Robust agreement: liars cannot drag the honest away, and what is answered is an equilibrium of what is left."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.games.consensus import ConsensusGame, consensus_of
from engine.games.errors import GameError
from engine.games.methods import method_for
from engine.games.options import SolveOptions
from engine.games.results import Solution, Status
from engine.games.solve import Solving, solve
from engine.games.solvers.robust import REACH, trust_of
from engine.games.solvers.robust_game import ReducedGame, byzantine_cut, half_cut, remaining

RULES = ("trimmed", "median", "trust")


def answer(game: ConsensusGame, rule: str, **options: object) -> tuple[np.ndarray, Solution]:
    solution = solve(game, rule, SolveOptions(**options))  # type: ignore[arg-type]
    return np.stack(solution.equilibria[0].profile), solution


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.integers(0, 4), st.integers(0, 6), st.integers(1, 3), st.integers(0, 10**6), st.sampled_from([1, 10, 1e6, 1e30])
)
def test_liars_leave_the_honest_where_the_honest_are(
    rule: str, liars: int, more: int, dimension: int, seed: int, far: float
) -> None:
    rng = np.random.default_rng(seed)
    count = 3 * liars + 1 + more
    points = rng.normal(size=(count, dimension)) + 5.0
    together = rng.random() < 0.5  # all in one place, or anywhere
    points[:liars] = far * (rng.normal(size=dimension) if together else rng.normal(size=(liars, dimension)))
    game = ConsensusGame(points, rng.random(count) + 0.1)
    x, solution = answer(game, rule, parameters={"byzantine": float(liars)} if rule != "median" else {})
    honest = points[liars:]
    low, high = honest.min(axis=0), honest.max(axis=0)
    room = 0.0 if rule != "trust" else (1 + REACH) * float(np.linalg.norm(high - low))
    assert (x[liars:] >= low - room - 1e-9).all()
    assert (x[liars:] <= high + room + 1e-9).all()
    assert solution.status in (Status.ROBUST, Status.SOLVED)
    inside = solution.equilibria[0].reduced
    assert inside is not None and inside.relative <= 1e-6
    plain = np.stack(solve(game).equilibria[0].profile)
    if liars and far == 1e30:
        assert (np.abs(plain[liars:]) > 1e20).any(), "without the rule they would be dragged away"


def test_with_no_liar_to_expect_it_is_the_plain_equilibrium() -> None:
    rng = np.random.default_rng(1)
    weights = rng.random((9, 9))
    np.fill_diagonal(weights, 0.0)
    game = ConsensusGame(rng.normal(size=(9, 3)), rng.random(9), weights)
    plain = np.stack(solve(game).equilibria[0].profile)
    for rule in ("trimmed", "trust"):
        x, solution = answer(game, rule, parameters={"byzantine": 0.0})
        assert x == pytest.approx(plain, abs=1e-12)
        assert solution.status is Status.SOLVED


@pytest.mark.parametrize("rule", RULES)
def test_where_nobody_lies_it_is_near_the_plain_equilibrium(rule: str) -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        game = ConsensusGame(rng.normal(size=(25, 2)))
        x, _ = answer(game, rule)
        assert np.abs(x - np.stack(solve(game).equilibria[0].profile)).max() < 0.6  # standard deviations


def test_trimming_alike_influence_drops_heads_from_both_ends() -> None:
    rng = np.random.default_rng(2)
    game = ConsensusGame(rng.normal(size=(8, 2)), rng.random(8) + 0.5)
    x, solution = answer(game, "trimmed", parameters={"byzantine": 2.0})
    assert solution.status is Status.ROBUST
    for i in range(8):
        for k in range(2):
            others = sorted((game.points[j, k], j) for j in range(8) if j != i)
            kept = np.mean([x[j, k] for _, j in others[2:-2]])
            wanted = (game.confidence[i] * game.points[i, k] + 7 * kept) / (game.confidence[i] + 7)
            assert x[i, k] == pytest.approx(wanted, abs=1e-9)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(2, 9), st.integers(0, 10**6), st.integers(0, 4))
def test_what_remains_is_between_the_quantiles(count: int, seed: int, byzantine: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.integers(0, 4, (count, count)).astype(float)
    np.fill_diagonal(weights, 0.0)
    points = rng.integers(0, 5, count).astype(float)
    for cut in (byzantine_cut(weights, byzantine), half_cut(weights)):
        left = remaining(weights, cut, points)
        assert left.sum(axis=1) == pytest.approx(weights.sum(axis=1))
        assert (left >= 0).all() and not left[weights == 0].any()
        for i in range(count):
            heard = points[left[i] > 1e-6]
            for value in heard:  # more weight lies on either side, the value's own included, than was cut
                assert weights[i, points <= value].sum() > cut[i] - 1e-9
                assert weights[i, points >= value].sum() > cut[i] - 1e-9


def test_the_median_of_unequal_weights() -> None:
    weights = np.array([[0.0, 1, 1, 5], [1, 0, 1, 0], [1, 1, 0, 1], [0, 0, 0, 0]])
    left = remaining(weights, half_cut(weights), np.array([0.0, 1, 2, 3]))
    assert left == pytest.approx(np.array([[0, 0, 0, 7], [1, 0, 1, 0], [0, 3, 0, 0], [0, 0, 0, 0]]), abs=1e-6)


def test_trust_falls_to_nothing() -> None:
    points = np.array([[0.0], [1.0], [-1.0], [1.5], [4.0], [-50.0]])
    trusted = trust_of(points, 2)
    assert trusted[:4].tolist() == [1, 1, 1, 1]
    assert 0 <= trusted[4] < 1 and trusted[5] == 0
    alike = trust_of(np.array([[2.0], [2.0], [2.0], [2.1]]), 1)
    assert alike.tolist() == [1, 1, 1, 0]


@pytest.mark.parametrize("rule", RULES)
def test_moving_scaling_and_renaming(rule: str) -> None:
    rng = np.random.default_rng(3)
    weights = rng.random((7, 7))
    np.fill_diagonal(weights, 0.0)
    game = ConsensusGame(rng.normal(size=(7, 2)), rng.random(7), weights)
    x, _ = answer(game, rule)
    moved, _ = answer(ConsensusGame(4 * game.points - 1e6, 3 * game.confidence, 3 * weights), rule)
    assert moved == pytest.approx(4 * x - 1e6, abs=1e-7)
    order = rng.permutation(7)
    renamed, _ = answer(ConsensusGame(game.points[order], game.confidence[order], weights[np.ix_(order, order)]), rule)
    assert renamed == pytest.approx(x[order], abs=1e-9)


@pytest.mark.parametrize("rule", RULES)
def test_the_trace_starts_where_it_is_told_and_tells_every_step(rule: str) -> None:
    rng = np.random.default_rng(4)
    game = ConsensusGame(rng.normal(size=(5, 2)))
    start = tuple(rng.normal(size=(5, 2)))
    run = Solving(game, method_for(game, rule), SolveOptions(stride=1, start=start, iterations=400, epsilon=1e-9))
    shown = list(run)
    assert [step.iteration for step in shown] == list(range(len(shown)))
    assert np.stack(shown[0].profile) == pytest.approx(np.stack(start))
    assert np.stack(shown[-2].profile) == pytest.approx(np.stack(shown[-1].profile), abs=1e-9)
    for step in shown:
        assert step.gap == pytest.approx(float(game.regrets(step.profile).sum()))


def test_the_result_says_who_was_outvoted_and_who_sent_nothing() -> None:
    sent = {"ann": [0.0, 0.0], "bob": [1.0, 0.5], "cyd": [0.5, 1.0], "dan": [0.2, 0.3], "eve": [1e6, -1e6]}
    game = consensus_of(sent | {"mal": [float("nan"), 0.0]})
    for rule in RULES:
        _, solution = answer(game, rule)
        assert solution.status is Status.ROBUST and not solution.solved
        assert "eve" in solution.message.split(";")[0]
        assert "no usable position: mal" in solution.message
        told = json.loads(json.dumps(solution.to_json()))["equilibria"][0]
        assert told["nashconv"] > 1e9 > 1e-6 > told["reduced"]["nashconv"]


def test_the_honest_are_not_close_because_a_liar_is_far() -> None:
    """The payoff range that the gap is relative to must not be the liar's to widen."""
    points = np.random.default_rng(5).normal(size=(10, 2))
    points[0] = 1e9
    game = ConsensusGame(points)
    x, solution = answer(game, "trimmed")
    inside = solution.equilibria[0].reduced
    assert inside is not None and inside.relative < 1e-12
    left = ReducedGame(game, cut=byzantine_cut(game.influence, 3))
    assert (left.ranges()[1:] < 1e4).all()
    assert float((left.regrets(tuple(x + 0.1)) / left.ranges()).sum()) > 1e-5


def test_costs_and_regrets_of_the_reduced_game_are_those_of_the_definition() -> None:
    rng = np.random.default_rng(6)
    game = ConsensusGame(rng.normal(size=(6, 2)), rng.random(6))
    left = ReducedGame(game, cut=byzantine_cut(game.influence, 1))
    x = rng.normal(size=(6, 2))
    held = [influence for _, influence in left.parts()]

    def cost(i: int, own: np.ndarray) -> float:
        apart = sum(held[k][i, j] * (own[k] - x[j, k]) ** 2 for j in range(6) for k in range(2) if j != i)
        return float(game.confidence[i] * ((own - game.points[i]) ** 2).sum() + apart)

    best = left.best_responses(x)
    for i in range(6):
        assert left.payoffs(tuple(x))[i] == pytest.approx(-cost(i, x[i]))
        assert left.regrets(tuple(x))[i] == pytest.approx(cost(i, x[i]) - cost(i, best[i]))


@pytest.mark.parametrize("rule", RULES)
def test_small_and_singular_games(rule: str) -> None:
    for count in (1, 2, 3):
        x, _ = answer(ConsensusGame(np.arange(count, dtype=float)[:, None]), rule)
        assert np.isfinite(x).all()
    points = np.array([[0.0], [1.0], [5.0], [6.0]])
    x, solution = answer(ConsensusGame(points, np.zeros(4)), rule)
    assert np.isfinite(x).all() and "one of many" in solution.message
    assert solution.status is not Status.SOLVED


@pytest.mark.parametrize("value", [-1.0, 0.5, 5.0, float("nan")])
def test_a_number_of_liars_that_makes_no_sense_is_refused(value: float) -> None:
    with pytest.raises(GameError, match="byzantine"):
        answer(ConsensusGame(np.zeros((5, 1))), "trimmed", parameters={"byzantine": value})
