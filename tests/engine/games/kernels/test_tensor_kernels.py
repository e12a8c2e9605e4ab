"""Batched contractions against those of single games."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.games.games import TensorGame
from engine.games.kernels.tensor import payoff_vectors, regrets

SIZES = [(3,), (2, 4), (3, 1, 2), (2, 3, 2, 4), (2, 2, 2, 2, 2)]


def assert_like_single_games(device: Any, sizes: tuple[int, ...]) -> None:
    random = np.random.default_rng(41)
    tensors = random.normal(size=(4, len(sizes), *sizes))
    profiles = [random.dirichlet(np.ones(size), 4) for size in sizes]
    with device.active():
        xp = device.xp
        given = xp.asarray(tensors), [xp.asarray(part) for part in profiles]
        vectors = [device.to_host(part) for part in payoff_vectors(xp, *given)]
        gained = device.to_host(regrets(xp, *given))
    for k in range(4):
        game, profile = TensorGame(tuple(tensors[k])), tuple(part[k] for part in profiles)
        for mine, wanted in zip(vectors, game.payoff_vectors(profile), strict=True):
            np.testing.assert_allclose(mine[k], wanted, atol=1e-13)
        np.testing.assert_allclose(gained[k], game.regrets(profile), atol=1e-13)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_contractions(host: Any, sizes: tuple[int, ...]) -> None:
    assert_like_single_games(host, sizes)


@pytest.mark.cuda
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_contractions_on_a_gpu(cuda: Any, sizes: tuple[int, ...]) -> None:
    assert_like_single_games(cuda, sizes)
