"""The pure check and Lemke-Howson as CUDA C, run on the processor, against the solvers of single games."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.games.games import BimatrixGame
from engine.games.kernels.bimatrix import follow_paths, pure_cells, shared_bytes, solve_bimatrix
from engine.games.solvers.lemke_howson_path import DONE, Path

SHAPES = [(1, 1), (1, 5), (4, 1), (2, 2), (3, 5), (8, 8), (12, 7), (33, 9), (32, 32), (40, 40)]


def pairs(shape: tuple[int, int], count: int, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Random games; every third has integers with many ties, every fifth repeated rows."""
    random = np.random.default_rng(seed)
    made = random.normal(size=(2, count, *shape))
    made[:, ::3] = random.integers(-1, 2, made[:, ::3].shape)
    made[:, ::5, -1] = made[:, ::5, 0]
    return made[0], made[1]


def path_of(a: np.ndarray, b: np.ndarray, label: int, cap: int) -> tuple[int, int, np.ndarray, np.ndarray]:
    path = Path(BimatrixGame(a, b), label)
    status = path.advance(cap)
    return status, path.pivots, *path._values()


def assert_the_same_paths(device: Any, shape: tuple[int, int]) -> None:
    a, b = pairs(shape, 12)
    for label in {0, sum(shape) - 1}:
        with device.active():
            xp = device.xp
            found = follow_paths(device, xp.asarray(a), xp.asarray(b), label=label, cap=200, attempts=1)
            x, y, pivots = (device.to_host(part) for part in found)
        for k in range(len(a)):
            status, count, want_x, want_y = path_of(a[k], b[k], label, 200)
            assert pivots[k] == (count if status == DONE else -count - 1)
            if status == DONE:
                np.testing.assert_array_equal(x[k], want_x)  # to the last digit
                np.testing.assert_array_equal(y[k], want_y)
            else:
                assert not x[k].any()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_paths_are_those_of_the_reference(host: Any, shape: tuple[int, int]) -> None:
    assert_the_same_paths(host, shape)


@pytest.mark.cuda
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_on_a_gpu_they_are_too(cuda: Any, shape: tuple[int, int]) -> None:
    assert_the_same_paths(cuda, shape)


@pytest.mark.parametrize("shape", [(8, 8), (40, 40)], ids=str)
def test_no_barrier_is_missing(host: Any, backwards: Any, shape: tuple[int, int]) -> None:
    a, b = pairs(shape, 4, seed=4)
    one, other = (follow_paths(device, a, b, label=1, cap=100, attempts=2) for device in (host, backwards))
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first, second)


def first_pure(a: np.ndarray, b: np.ndarray) -> int:
    cells = np.flatnonzero((a == a.max(axis=0)) & (b == b.max(axis=1, keepdims=True)))
    return int(cells[0]) if cells.size else -1


def assert_the_first_pure_ones(device: Any, shape: tuple[int, int]) -> None:
    a, b = pairs(shape, 30, seed=5)
    with device.active():
        found = device.to_host(pure_cells(device, device.xp.asarray(a), device.xp.asarray(b)))
    assert found.tolist() == [first_pure(a[k], b[k]) for k in range(len(a))]


PURE_SHAPES = [(1, 1), (1, 40), (40, 1), (3, 3), (8, 8), (31, 33), (64, 70)]


@pytest.mark.parametrize("shape", PURE_SHAPES, ids=str)
def test_pure_check(host: Any, backwards: Any, shape: tuple[int, int]) -> None:
    assert_the_first_pure_ones(host, shape)
    assert_the_first_pure_ones(backwards, shape)


@pytest.mark.cuda
@pytest.mark.parametrize("shape", PURE_SHAPES, ids=str)
def test_pure_check_on_a_gpu(cuda: Any, shape: tuple[int, int]) -> None:
    assert_the_first_pure_ones(cuda, shape)


@pytest.mark.parametrize("shape", [(2, 2), (5, 6), (8, 8), (20, 20)], ids=str)
@pytest.mark.parametrize("zero_sum", [False, True], ids=["bimatrix", "zero-sum"])
def test_every_answer_is_an_equilibrium(host: Any, shape: tuple[int, int], zero_sum: bool) -> None:
    a, b = pairs(shape, 40, seed=6)
    a[1::3], b[2::3] = 1e6 + a[1::3], 1e-3 * b[2::3]
    found = solve_bimatrix(host, a, None if zero_sum else b, cap=1000, attempts=4)
    for k in range(len(a)):
        game = BimatrixGame(a[k], -a[k] if zero_sum else b[k])
        regrets = game.regrets(game.check_profile((found.x[k], found.y[k]))) / game.ranges()
        assert regrets.sum() <= 1e-8


def test_paths_that_are_cut_short_are_told_from_equilibria(host: Any) -> None:
    pennies = np.array([[[1.0, -1.0], [-1.0, 1.0]]])
    found = solve_bimatrix(host, pennies, None, cap=1, attempts=2)
    assert np.isnan(found.x).all()
    assert found.pivots.tolist() == [2]


def test_what_does_not_fit_into_shared_memory_is_left(host: Any) -> None:
    assert shared_bytes(116, 116) <= host.block_shared < shared_bytes(130, 130)
    a = np.random.default_rng(7).normal(size=(2, 130, 130))  # no saddle point at that size
    found = solve_bimatrix(host, a, None, cap=10, attempts=1)
    assert np.isnan(found.x).all()
