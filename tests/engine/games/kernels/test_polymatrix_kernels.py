"""Batches of polymatrix games against single ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.games.games import PolymatrixGame
from engine.games.kernels.polymatrix import payoff_vectors, ranges, solve_zero_sum_polymatrix
from engine.games.verify import gap_of


def zero_sum_batch(games: int, players: int, actions: int) -> np.ndarray:
    """Every pair plays a zero-sum game of its own; the second batch half is scaled, the last game has no payoffs."""
    edges = np.random.default_rng(51).normal(size=(games, players, players, actions, actions))
    edges = edges - edges.transpose(0, 2, 1, 4, 3)
    edges[games // 2 :] *= 1e4
    edges[-1] = 0.0
    return edges


def single(edges: np.ndarray) -> PolymatrixGame:
    players, actions = len(edges), edges.shape[-1]
    pairs = {(i, j): edges[i, j] for i in range(players) for j in range(players) if i != j}
    return PolymatrixGame((actions,) * players, pairs)


def assert_like_single_games(device: Any) -> None:
    edges = zero_sum_batch(4, 5, 3)
    profiles = np.random.default_rng(52).dirichlet(np.ones(3), (4, 5))
    edges[:, np.arange(5), np.arange(5)] = 0.0
    with device.active():
        xp = device.xp
        vectors = device.to_host(payoff_vectors(xp, xp.asarray(edges), xp.asarray(profiles)))
        spread = device.to_host(ranges(xp.asarray(edges)))
    for k in range(4):
        game = single(edges[k])
        np.testing.assert_allclose(vectors[k], game.payoff_vectors(tuple(profiles[k])), rtol=1e-12, atol=1e-9)
        np.testing.assert_allclose(spread[k], game.ranges())


def assert_solved(device: Any) -> None:
    edges = zero_sum_batch(6, 4, 3)
    edges[:, np.arange(4), np.arange(4)] = 0.0
    found, gaps = solve_zero_sum_polymatrix(device, edges, epsilon=1e-3, iterations=20_000)
    for k in range(6):
        gap = gap_of(single(edges[k]), tuple(found[k]))
        assert gap.relative <= 1e-3
        assert gap.relative == pytest.approx(gaps[k], abs=1e-9)


def test_payoffs(host: Any) -> None:
    assert_like_single_games(host)


def test_zero_sum_games_are_solved(host: Any) -> None:
    assert_solved(host)


def test_a_limit_ends_it_with_a_true_gap(host: Any) -> None:
    edges = zero_sum_batch(3, 3, 4)
    edges[:, np.arange(3), np.arange(3)] = 0.0
    found, gaps = solve_zero_sum_polymatrix(host, edges, epsilon=1e-9, iterations=10)
    assert gaps[0] > 1e-9
    assert gap_of(single(edges[0]), tuple(found[0])).relative == pytest.approx(gaps[0], abs=1e-9)


@pytest.mark.cuda
def test_on_a_gpu(cuda: Any) -> None:
    assert_like_single_games(cuda)
    assert_solved(cuda)
