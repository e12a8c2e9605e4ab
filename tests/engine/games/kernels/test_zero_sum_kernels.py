"""RM+ and PRM+ in all four layouts, run for real: on the processor always, on a GPU where there is one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.games.kernels.reference import rm_plus
from engine.games.kernels.zero_sum import ZeroSumRun, layout_of, solve_zero_sum

# One shape or more for each layout, with odd ones that leave a part of the last tile empty.
SHAPES = [
    (1, 1), (2, 2), (3, 3), (1, 8), (8, 3), (8, 8),
    (9, 4), (16, 16), (5, 23), (32, 32),
    (40, 33), (64, 64), (65, 20), (128, 128), (3, 100),
    (129, 7), (140, 150),
]  # fmt: skip


def games(shape: tuple[int, int], count: int, seed: int = 0) -> np.ndarray:
    """Random ones, then integers with many ties, a constant one, one with equal rows, and one far from zero."""
    random = np.random.default_rng(seed)
    made = random.uniform(-1, 1, (count, *shape))
    made[1] = random.integers(-1, 2, shape)
    made[2] = 4.0
    made[3] = made[3][:1]
    made[4] = 1e6 + made[0]
    return made


def averages(device: Any, a: np.ndarray, iterations: int, predictive: bool) -> tuple[np.ndarray, np.ndarray]:
    with device.active():
        run = ZeroSumRun(device, a, predictive=predictive)
        run.advance(iterations - iterations // 3)
        run.advance(iterations // 3)  # what goes on from a state must be as if it had never stopped
        x, y = run.averages()
        return device.to_host(x), device.to_host(y)


def scaled(game: np.ndarray) -> np.ndarray:
    half = (game.max() - game.min()) / 2
    return (game - (game.max() + game.min()) / 2) / (half or 1.0)


def assert_like_the_reference(device: Any, shape: tuple[int, int], predictive: bool) -> None:
    a, iterations = games(shape, 6), 24
    x, y = averages(device, a, iterations, predictive)
    for k, (found_x, found_y) in enumerate(zip(x, y, strict=True)):
        game = scaled(a[k])
        want_x, want_y = rm_plus(game, iterations, predictive=predictive)
        # Among actions that are worth the same, rounding decides: there only what they pay is determined.
        np.testing.assert_allclose(game @ found_y, game @ want_y, atol=2e-4)
        np.testing.assert_allclose(found_x @ game, want_x @ game, atol=2e-4)
        if k == 0:
            np.testing.assert_allclose(found_x, want_x, atol=2e-4)
            np.testing.assert_allclose(found_y, want_y, atol=2e-4)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("predictive", [False, True], ids=["rm+", "prm+"])
def test_kernels_do_what_the_reference_does(host: Any, shape: tuple[int, int], predictive: bool) -> None:
    assert_like_the_reference(host, shape, predictive)


@pytest.mark.cuda
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("predictive", [False, True], ids=["rm+", "prm+"])
def test_on_a_gpu_they_do_too(cuda: Any, shape: tuple[int, int], predictive: bool) -> None:
    assert_like_the_reference(cuda, shape, predictive)


@pytest.mark.parametrize("shape", [(3, 3), (16, 16), (32, 32), (64, 64), (128, 128), (129, 7)], ids=str)
def test_every_iteration_is_averaged_once(host: Any, shape: tuple[int, int]) -> None:
    run = ZeroSumRun(host, games(shape, 5), predictive=False)
    run.advance(70)  # beyond one flush of the fp32 sums
    run.advance(5)
    for total in run._split(run.sum):
        np.testing.assert_allclose(total.sum(axis=1), 75 * 76 / 2, rtol=1e-5)


@pytest.mark.parametrize("shape", [(16, 16), (32, 32), (64, 64), (128, 128), (140, 150)], ids=str)
def test_no_barrier_is_missing(host: Any, backwards: Any, shape: tuple[int, int]) -> None:
    """Threads in the opposite order give the same, to the last bit."""
    a = games(shape, 5)
    for one, other in zip(averages(host, a, 6, True), averages(backwards, a, 6, True), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("a", [
    [[0, -1, 1], [1, 0, -1], [-1, 1, 0]],
    [[3, 0, -3], [0, 3, -4], [0, 0, 1]],  # RM+ needs 120,000 iterations for 1e-5
    [[-1, 1, 1, -1], [1, -1, 1, 1], [1, 1, -1, -1], [-1, 1, -1, 1]],
], ids=["rock-paper-scissors", "hard 3 x 3", "O'Neill-like"])  # fmt: skip
def test_whole_solves_of_known_games(host: Any, a: list[list[float]]) -> None:
    game = np.array(a, dtype=float)
    x, y, gaps, iterations = solve_zero_sum(host, game[None], epsilon=1e-5, iterations=20_000)
    assert (game @ y[0]).max() - (x[0] @ game).min() <= 1e-5 * np.ptp(game)
    assert gaps[0] <= 1e-5
    assert iterations < 20_000


def test_a_batch_ends_when_its_last_game_is_done_and_none_gets_worse(host: Any) -> None:
    a = np.random.default_rng(1).uniform(0, 1, (40, 8, 8)) * np.geomspace(1e-3, 1e3, 40)[:, None, None] + 1e4
    x, y, gaps, _ = solve_zero_sum(host, a, epsilon=3e-4, iterations=30_000)
    for game, mine, theirs, gap in zip(a, x, y, gaps, strict=True):
        real = ((game @ theirs).max() - (mine @ game).min()) / np.ptp(game)
        assert gap <= 3e-4
        rounding = 4 * np.finfo(float).eps * np.abs(game).max() / np.ptp(game)  # payoffs are far from zero
        assert real == pytest.approx(gap, abs=1e-9 + rounding)


def test_layouts() -> None:
    assert [layout_of(*shape).kind for shape in [(8, 8), (9, 1), (32, 17), (33, 2), (128, 128), (2, 129)]] == [
        "thread", "lanes", "lanes", "block", "block", "large",
    ]  # fmt: skip
