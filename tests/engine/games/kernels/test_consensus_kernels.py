"""Batches of consensus games: best responses as CUDA C run on the processor, and batched solves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.games.consensus import ConsensusGame
from engine.games.errors import GameError
from engine.games.kernels.consensus import best_responses, solve_consensus


def batch(games: int, n: int, d: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(31)
    influence = random.uniform(0, 1, (games, n, n)) * (random.uniform(size=(games, n, n)) < 0.7)
    influence[:, np.arange(n), np.arange(n)] = 0.0
    return random.normal(size=(games, n, d)), random.uniform(0.1, 2, (games, n)), influence


def assert_best_responses(device: Any, n: int, d: int) -> None:
    points, confidence, influence = batch(3, n, d)
    confidence[0, 0], influence[0, 0] = 0.0, 0.0  # minds nothing: stays
    start = np.random.default_rng(32).normal(size=points.shape)
    found, moved = best_responses(device, points, confidence, influence, start, 5)
    for k in range(3):
        game, x = ConsensusGame(points[k], confidence[k], influence[k]), start[k]
        for _ in range(5):
            before, x = x, game.best_responses(x)
        np.testing.assert_allclose(found[k], x, atol=1e-12)
        assert moved[k] == pytest.approx(np.abs(x - before).max(), abs=1e-12)


SIZES = [(1, 1), (2, 3), (5, 1), (40, 7)]


@pytest.mark.parametrize(("n", "d"), SIZES)
def test_all_answer_at_once(host: Any, n: int, d: int) -> None:
    assert_best_responses(host, n, d)


@pytest.mark.cuda
@pytest.mark.parametrize(("n", "d"), SIZES)
def test_all_answer_at_once_on_a_gpu(cuda: Any, n: int, d: int) -> None:
    assert_best_responses(cuda, n, d)


def test_no_barrier_is_missing(host: Any, backwards: Any) -> None:
    given = batch(2, 20, 9)
    one, other = (best_responses(device, *given, given[0], 4)[0] for device in (host, backwards))
    np.testing.assert_array_equal(one, other)


def test_no_sweep_changes_nothing(host: Any) -> None:
    given = batch(2, 3, 2)
    found, moved = best_responses(host, *given, given[0], 0)
    np.testing.assert_array_equal(found, given[0])
    assert not moved.any()


def test_games_that_do_not_fit_are_refused(host: Any) -> None:
    with pytest.raises(GameError, match="500 agents in 100 dimensions"):
        best_responses(host, *batch(1, 500, 100), np.zeros((1, 500, 100)), 1)


def test_solved_games_are_equilibria_and_floating_agents_are_told(host: Any) -> None:
    points, confidence, influence = batch(4, 6, 2)
    confidence[1, 1:] = 0.0  # all of them mind somebody who minds the first
    confidence[2] = 0.0  # nobody is anchored
    influence[3, 4], confidence[3, 4] = 0.0, 0.0
    influence[1] = np.eye(6, k=-1)
    found, unique = solve_consensus(host, points, confidence, influence)
    assert unique.tolist() == [True, True, False, False]
    assert np.isnan(found[2:]).all()
    for k in range(2):
        game = ConsensusGame(points[k], confidence[k], influence[k])
        assert game.regrets(tuple(found[k])).sum() <= 1e-20
    np.testing.assert_allclose(found[1], np.broadcast_to(points[1, 0], (6, 2)), atol=1e-12)
