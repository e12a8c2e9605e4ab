"""Batches of games of one shape on all CUDA devices: dealt out in parts that fit, gathered, failures redone elsewhere.

Nothing is verified here: :mod:`engine.games.batch` does that, in fp64 on the processor, for whatever device.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from engine.core.errors import EngineError
from engine.games.games import Floats
from engine.games.kernels import bimatrix, zero_sum
from engine.games.kernels.bimatrix import Found
from engine.games.kernels.module import Accelerator, accelerators
from engine.games.options import SolveOptions

CAP = 32  # pivots until the next label is tried, at least; as many as there are labels, as on the processor
ITERATIONS = 20_000  # of PRM+
PARTS_A_DEVICE = 4  # so that devices of unequal speed end together
LEAST_PART = 4096  # games below which a part is not split further: a device needs many to be busy


def solve_batch_cuda(a: Floats, b: Floats | None, options: SolveOptions | None = None) -> Found:
    """Find one equilibrium of each game on all CUDA devices; ``a`` and ``b`` (g, n, m), without ``b`` zero-sum.

    Strategies are uniform where the devices found none; ``pivots`` counts iterations of zero-sum games that are too
    large for pivoting. Raises DependencyError without CuPy or a device, EngineError when every device failed.
    """
    found = solve_on(accelerators(), a, b, options or SolveOptions())
    left = np.isnan(found.x).any(axis=1)
    found.x[left], found.y[left] = 1.0 / a.shape[1], 1.0 / a.shape[2]
    return found


def solve_on(devices: Sequence[Accelerator], a: Floats, b: Floats | None, options: SolveOptions) -> Found:
    """Find one equilibrium of each game on the given devices."""
    games, n, m = a.shape
    found = Found(np.full((games, n), np.nan), np.full((games, m), np.nan), np.zeros(games, np.int64))

    def work(device: Accelerator, part: slice) -> None:
        solved = _solve_part(device, a[part], None if b is None else b[part], options)
        found.x[part], found.y[part], found.pivots[part] = solved.x, solved.y, solved.pivots

    need = bimatrix.bytes_a_game(n, m)
    if b is None and not all(bimatrix.fits(device, n, m) for device in devices):
        need = zero_sum.bytes_a_game(n, m)
    spread(devices, games, need, work)
    return found


def _solve_part(device: Accelerator, a: Floats, b: Floats | None, options: SolveOptions) -> Found:
    """Pivot; zero-sum games that are too large for that are iterated."""
    games, n, m = a.shape
    if b is not None or bimatrix.fits(device, n, m):
        return bimatrix.solve_bimatrix(device, a, b, cap=max(CAP, n + m), attempts=n + m)
    most = options.iterations or ITERATIONS
    x, y, gaps, count = zero_sum.solve_zero_sum(device, a, epsilon=max(options.epsilon, 1e-7), iterations=most)
    missed = ~(gaps <= options.epsilon)
    x[missed], y[missed] = np.nan, np.nan
    return Found(x, y, np.full(games, count))


def spread(
    devices: Sequence[Accelerator], games: int, bytes_a_game: int, work: Callable[[Accelerator, slice], None]
) -> None:
    """Call ``work(device, part)`` for parts that make up all games, each device in a thread, until all are done.

    A part is no larger than fits into the device. A device that fails is left out, and its part done by another.
    Raises EngineError with what each said when none is left.
    """
    parts: queue.SimpleQueue[slice] = queue.SimpleQueue()
    for part in parts_of(games, devices, bytes_a_game):
        parts.put(part)
    failures: list[tuple[Accelerator, str]] = []

    def run(device: Accelerator) -> None:
        while True:
            try:
                part = parts.get_nowait()
            except queue.Empty:
                return
            try:
                work(device, part)
            except device.failures as error:
                parts.put(part)
                failures.append((device, f"{device.name}: {error}"))
                return

    usable = list(devices)
    while usable and not parts.empty():
        with ThreadPoolExecutor(len(usable)) as pool:
            for done in [pool.submit(run, device) for device in usable]:
                done.result()
        usable = [device for device in usable if all(device is not failed for failed, _ in failures)]
    if not parts.empty():
        raise EngineError(
            "The batch was not solved", "; ".join(said for _, said in failures), "Use device 'cpu', or a smaller batch."
        )


def parts_of(games: int, devices: Sequence[Accelerator], bytes_a_game: int) -> list[slice]:
    """Return slices that make up all games: of equal size, small enough for every device, a few for each device."""
    if games == 0:
        return []
    fitting = max(1, min(device.room() for device in devices) // bytes_a_game)
    fair = -(-games // len(devices))
    size = min(fitting, fair, max(LEAST_PART, -(-fair // PARTS_A_DEVICE)))
    return [slice(start, min(start + size, games)) for start in range(0, games, size)]
