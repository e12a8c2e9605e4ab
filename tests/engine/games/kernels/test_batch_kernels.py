"""Batches over several devices: parts, failures, and what is left for the processor."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.core.errors import DependencyError, EngineError
from engine.games.batch import solve_batch
from engine.games.errors import GameError
from engine.games.games import BimatrixGame, MatrixGame
from engine.games.kernels.batch import LEAST_PART, parts_of, solve_batch_cuda, solve_on, spread
from engine.games.options import SolveOptions
from engine.games.verify import gap_of
from tests.engine.games.kernels.emulator.host import HostAccelerator


def test_parts_are_all_games_and_fit(kernel_folder: Path) -> None:
    small = HostAccelerator(kernel_folder, room=10_000)
    large = HostAccelerator(kernel_folder)
    for games, devices, size in [
        (1, [large], 1),
        (10, [small], 100),
        (99_999, [large, large], 1000),
        (5, [small], 10**9),
    ]:
        parts = parts_of(games, devices, size)
        assert [k for part in parts for k in range(part.start, part.stop)] == list(range(games))
        longest = max(part.stop - part.start for part in parts)
        assert longest == 1 or longest * size <= min(device.free for device in devices)
    assert len(parts_of(100 * LEAST_PART, [large, large], 1)) == 8
    assert parts_of(0, [large], 1) == []


class Failing(HostAccelerator):
    """A device that loses its memory after a while."""

    def __init__(self, folder: Path, after: int) -> None:
        super().__init__(folder, name="failing")
        self.after = after

    def kernel(self, file: str, name: str) -> Any:
        self.after -= 1
        if self.after < 0:
            raise MemoryError("the device is gone")
        return super().kernel(file, name)


def random_batch(games: int, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.random.default_rng(11).normal(size=(2, games, *shape))
    return a, b


def test_a_part_that_failed_is_done_by_another_device(kernel_folder: Path) -> None:
    a, b = random_batch(60, (4, 5))
    options = SolveOptions()
    good, bad = HostAccelerator(kernel_folder, room=20_000), Failing(kernel_folder, after=3)
    alone = solve_on([good], a, b, options)
    bad.free = good.free
    together = solve_on([bad, good], a, b, options)
    np.testing.assert_array_equal(together.x, alone.x)
    np.testing.assert_array_equal(together.y, alone.y)
    assert bad.after < 0
    for k in range(len(a)):
        assert gap_of(BimatrixGame(a[k], b[k]), (alone.x[k], alone.y[k])).relative <= 1e-9


def test_no_device_left_is_said_with_what_each_said(kernel_folder: Path) -> None:
    a, b = random_batch(5, (3, 3))
    with pytest.raises(EngineError, match=r"failing: the device is gone; failing: the device is gone.*cpu"):
        solve_on([Failing(kernel_folder, 0), Failing(kernel_folder, 0)], a, b, SolveOptions())


def test_a_bug_is_no_failed_device(kernel_folder: Path) -> None:
    def work(device: Any, part: slice) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        spread([HostAccelerator(kernel_folder)], 3, 1, work)


def test_devices_work_at_the_same_time(kernel_folder: Path) -> None:
    meeting = threading.Barrier(3, timeout=20)

    def work(device: Any, part: slice) -> None:
        meeting.wait()

    spread([HostAccelerator(kernel_folder, name=str(k)) for k in range(3)], 3, 1, work)


def test_large_zero_sum_games_are_iterated_and_what_misses_epsilon_is_left(kernel_folder: Path) -> None:
    a = np.random.default_rng(12).normal(size=(3, 130, 9))
    device = HostAccelerator(kernel_folder)
    device.block_shared = 16 << 10
    found = solve_on([device], a, None, SolveOptions(epsilon=2e-2))
    for game, x, y in zip(a, found.x, found.y, strict=True):
        assert gap_of(MatrixGame(game), (x, y)).relative <= 4e-2  # of both players' regrets
    assert np.isnan(solve_on([device], a, None, SolveOptions(epsilon=1e-6, iterations=4)).x).all()


@pytest.mark.parametrize("zero_sum", [False, True], ids=["bimatrix", "zero-sum"])
def test_the_batch_of_the_engine_is_verified_whatever_the_device(
    host: HostAccelerator, monkeypatch: pytest.MonkeyPatch, zero_sum: bool
) -> None:
    monkeypatch.setattr("engine.games.kernels.batch.accelerators", lambda: (host,))
    a, b = random_batch(50, (6, 6))
    a[:10] = np.round(a[:10])
    a[10:20] += 1e6
    found = solve_batch(a, None if zero_sum else b, SolveOptions(device="cuda"))
    assert found.solved
    assert found.relative.max() <= 1e-6
    if not zero_sum:
        there = solve_batch(a, b)
        np.testing.assert_allclose(found.x, there.x, atol=1e-9)
        np.testing.assert_array_equal(found.iterations, there.iterations)


def test_games_that_the_device_leaves_are_solved_by_the_processor(
    monkeypatch: pytest.MonkeyPatch, kernel_folder: Path
) -> None:
    small = HostAccelerator(kernel_folder)
    small.block_shared = 100
    monkeypatch.setattr("engine.games.kernels.batch.accelerators", lambda: (small,))
    a, b = random_batch(20, (5, 5))
    found = solve_batch(a, b, SolveOptions(device="cuda"))
    assert found.solved
    assert not any("lemke" in name for name in small.launched)


def test_payoffs_that_are_no_numbers_are_refused(host: HostAccelerator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.games.kernels.batch.accelerators", lambda: (host,))
    a, b = random_batch(3, (4, 4))
    a[1, 2, 3] = np.nan
    with pytest.raises(GameError, match=r"\(2, 3, 4\)"):
        solve_batch(a, b, SolveOptions(device="cuda"))


def test_without_cupy_it_says_how_to_get_it() -> None:
    try:
        import cupy  # noqa: F401
    except ImportError:
        with pytest.raises(DependencyError, match="nashboard\\[gpu\\]"):
            solve_batch_cuda(np.zeros((1, 2, 2)), None)
    else:
        pytest.skip("CuPy is here")
