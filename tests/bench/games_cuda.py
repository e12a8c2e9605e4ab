"""Kernels on CUDA devices: rates of RM+ beside what the device could do at most, batches, and several devices.

The bounds, for one alternating iteration of an n x n game, which multiplies by the payoffs twice, 2 n^2 multiply-adds:

- FMA: fp32 units x clock of all multiprocessors / 2 n^2. For n = 8 and 32, whose payoffs stay in registers.
- shared memory: 128 bytes a clock of each multiprocessor / 8 n^2 bytes, as if payoffs were read from there each time.
  For n = 128; our tiles are in registers, so more than 100 % is possible, and the share of the FMA bound is told, too.
- memory: its bandwidth / 8 n^2 bytes. For n = 1024, whose payoffs are read from memory each time.

Clocks and bandwidth are those that the driver tells: the highest ones.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from bench_games import row

from engine.core.arrays import Device, cuda_devices
from engine.games.batch import solve_batch
from engine.games.kernels.batch import solve_on
from engine.games.kernels.module import Accelerator, accelerators
from engine.games.kernels.zero_sum import ZeroSumRun, bytes_a_game, layout_of
from engine.games.options import SolveOptions

# n, games at once (each multiprocessor gets some twenty blocks one after the other), goal a second, what bounds it
RATES = ((8, 1 << 20, 5e10, "FMA"), (32, 1 << 17, 5e9, "FMA"), (128, 1 << 13, 1.3e8, "shared memory"))
RATES = (*RATES, (1024, 128, 4e5, "memory"))
DISTINCT = 256  # random games; more are the same again, to save time where they are made
BATCH = 100_000


def rows(note: Callable[[str], None], seconds: float) -> list[dict[str, Any]]:
    """Return all rows. Raises DependencyError without CuPy or a device."""
    devices, told = accelerators(), cuda_devices()
    made = [rate_row(devices[0], told[0], *case, note, seconds) for case in RATES]
    made.append(batch_row(devices, BATCH, note, seconds))
    if len(devices) > 1:
        made.append(scaling_row(devices, BATCH, note, seconds))
    return made


def bound_of(device: Device, n: int, what: str) -> float:
    """Return the most iterations a second of n x n games that the device could do."""
    work = 2 * n * n
    if what == "FMA":
        return device.fma_rate / work
    return (device.shared_rate if what == "shared memory" else device.bandwidth) / (4 * work)


def rate_row(
    device: Accelerator,
    told: Device,
    n: int,
    games: int,
    goal: float,
    what: str,
    note: Callable[[str], None],
    seconds: float,
) -> dict[str, Any]:
    """Measure the rate of alternating RM+ in fp32."""
    games = max(1, min(games, device.room() // bytes_a_game(n, n)))
    note(f"cuda: RM+ on {games} games {n} x {n}")
    with device.active():
        few = np.random.default_rng(n).uniform(-1, 1, (min(games, DISTINCT), n, n))
        index = device.xp.asarray(np.arange(games) % len(few))
        run = ZeroSumRun(device, device.xp.asarray(few)[index], predictive=False)
        rate = _rate(device, run, games, seconds)
        gap = float(run.gaps(*run.averages()).max())
    bound, fma = bound_of(told, n, what), bound_of(told, n, "FMA")
    share = rate / bound if bound else None
    of_fma = f"{rate / fma:.0%} of the FMA bound" if fma else "clock unknown"
    text = f"{of_fma}; {layout_of(n, n).kind}, {games} games, gap {gap:.0e}; {told.name}"
    return row(
        f"RM+ {n} x {n}", 1e3 * games / rate, f"the {what} bound", 1e3 * games / bound if bound else None,
        note=text, rate=rate, unit="it/s", goal_rate=goal, bound=bound, share=share,
    )  # fmt: skip


def _rate(device: Accelerator, run: ZeroSumRun, games: int, seconds: float) -> float:
    """Return iterations a second, all games together: the median of five stretches, after a first one."""
    count = 8
    while True:  # as many iterations as take a fifth of the time
        taken = _timed(device, partial(run.advance, count))
        if taken >= seconds / 5 or count >= 1 << 16:
            break
        count *= 2
    return games * count / statistics.median(_timed(device, partial(run.advance, count)) for _ in range(5))


def _timed(device: Accelerator, work: Callable[[], object]) -> float:
    device.wait()
    started = time.perf_counter()
    work()
    device.wait()
    return time.perf_counter() - started


def batch_row(
    devices: Sequence[Accelerator], games: int, note: Callable[[str], None], seconds: float
) -> dict[str, Any]:
    """Time one equilibrium each of many random 8 x 8 games, copies to the device and back included."""
    note(f"cuda: one equilibrium each of {games} games 8 x 8")
    a, b = np.random.default_rng(8).uniform(size=(2, games, 8, 8))
    ours, found = _median(lambda: solve_on(devices, a, b, SolveOptions()), seconds)
    peer, answer = _median(lambda: solve_batch(a, b), seconds)
    missed = int(np.isnan(found.x).any(axis=1).sum())
    same = float((np.abs(np.nan_to_num(found.x) - answer.x).max(axis=1) < 1e-8).mean())
    text = f"{missed} left to the processor, {same:.1%} the same equilibria; gap {answer.relative.max():.0e}"
    return row(
        f"{games} random 8x8, one NE each", 1e3 * ours, "the processor's batch", 1e3 * peer,
        note=text, rate=games / ours, unit="games/s",
    )  # fmt: skip


def scaling_row(
    devices: Sequence[Accelerator], games: int, note: Callable[[str], None], seconds: float
) -> dict[str, Any]:
    """Time the same games on all devices and on one of them."""
    note(f"cuda: {len(devices)} devices against one")
    a, b = np.random.default_rng(16).uniform(size=(2, games, 16, 16))
    all_of_them, _ = _median(lambda: solve_on(devices, a, b, SolveOptions()), seconds)
    alone, _ = _median(lambda: solve_on(devices[:1], a, b, SolveOptions()), seconds)
    text = f"{games} games 16 x 16, one equilibrium each, copies included"
    return row(f"{len(devices)} devices", 1e3 * all_of_them, "one device", 1e3 * alone, note=text)


def _median(work: Callable[[], Any], seconds: float) -> tuple[float, Any]:
    """Return the median time of several runs after a first one, and what the last returned."""
    answer, taken, end = work(), [], time.perf_counter() + seconds
    while not taken or time.perf_counter() < end:
        started = time.perf_counter()
        answer = work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken), answer
