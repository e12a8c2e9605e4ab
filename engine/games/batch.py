"""Many games of one shape at once: one equilibrium each, all verified.

Bimatrix games: the first equilibrium in pure strategies where there is one, as in two of three random games, else
Lemke-Howson, else whatever :mod:`engine.games.solvers.bimatrix` finds. Zero-sum games: the simplex method. The games
are spread over the processor's cores; on a GPU :mod:`engine.games.kernels` does the same.
"""

from __future__ import annotations

import functools
import os
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.games.errors import GameError
from engine.games.games import MAX_NUMBERS, BimatrixGame, Floats, MatrixGame, payoff_array
from engine.games.options import SolveOptions
from engine.games.results import Status
from engine.games.solve import solve
from engine.games.solvers.lemke_howson_path import writable

CODES = (Status.SOLVED, Status.NOT_CONVERGED)  # what the numbers in ``BatchSolution.status`` mean
_SLICE = 1 << 24  # payoffs to look at between two looks at the clock
_SHARE = 1 << 14  # payoffs for which another thread is worth its start
_LIMIT = 20_000  # pivots a game, before the slower ways are tried
_Found = tuple[Floats, Floats, Floats, NDArray[np.int64]]  # strategies, gaps (g, 2), pivots


@dataclass(frozen=True, slots=True, eq=False)
class BatchSolution:
    """Verified equilibria of g games: ``x`` (g, n) and ``y`` (g, m).

    ``nashconv`` (g,) in payoff units and ``relative`` (g,) to the payoff ranges are those of
    :func:`engine.games.verify.gap_of`. ``status`` (g,) are indices into CODES: 0 where ``relative`` is at most epsilon.
    ``iterations`` (g,) counts pivots (on a GPU, what its method counts). ``seconds`` is wall time with verification.
    """

    x: Floats
    y: Floats
    nashconv: Floats
    relative: Floats
    status: NDArray[np.int8]
    iterations: NDArray[np.int64]
    seconds: float
    device: str = "cpu"

    @property
    def solved(self) -> bool:
        """Whether every game is."""
        return not self.status.any()


def solve_batch(a: ArrayLike, b: ArrayLike | None = None, options: SolveOptions | None = None) -> BatchSolution:
    """Find one equilibrium of each game: payoffs ``a`` and ``b`` of shape (g, n, m), zero-sum where ``b`` is None.

    Games that the time limit left out keep uniform strategies and say so in their status. Raises GameError for payoffs
    that cannot be used, DependencyError where ``options.device`` is "cuda" and there is no GPU.
    """
    options = options or SolveOptions()
    rows = _stack(a, "payoffs of player 1")
    columns = None if b is None else _stack(b, "payoffs of player 2")
    if columns is not None and columns.shape != rows.shape:
        raise GameError("The payoffs do not fit", f"their shapes are {rows.shape} and {columns.shape}")
    started = time.perf_counter()
    x, y, found, iterations = (_on_gpu if options.device == "cuda" else _on_cpu)(rows, columns, options, started)
    if np.isnan(found).any():
        payoff_array(rows, 3, "payoffs of player 1")
        payoff_array(rows if columns is None else columns, 3, "payoffs of player 2")
    missed = np.flatnonzero(found[:, 1] > options.epsilon)
    for game in missed:
        if time.perf_counter() - started >= options.time_limit_s:
            break
        one = MatrixGame(rows[game]) if columns is None else BimatrixGame(rows[game], columns[game])
        best = solve(one, options=replace(options, device="cpu")).equilibria
        if best and best[0].gap.relative < found[game, 1]:
            (x[game], y[game]), found[game] = best[0].profile, (best[0].gap.nashconv, best[0].gap.relative)
    status = (found[:, 1] > options.epsilon).astype(np.int8)
    seconds = time.perf_counter() - started
    return BatchSolution(x, y, found[:, 0], found[:, 1], status, iterations, seconds, options.device)


def _stack(values: ArrayLike, what: str) -> Floats:
    """Return payoffs (g, n, m) as a contiguous array; whether they are finite is found out while solving."""
    made = np.asarray(values)
    usable = made.dtype == np.float64 and made.ndim == 3 and made.flags.c_contiguous and 0 < made.size <= MAX_NUMBERS
    return writable(made if usable else payoff_array(values, 3, what))


def _on_cpu(a: Floats, b: Floats | None, options: SolveOptions, started: float) -> _Found:
    from engine.games import batch_jit as jit

    games, n, m = a.shape
    x, y, pivots = np.zeros((games, n)), np.zeros((games, m)), np.zeros(games, np.int64)
    found = np.empty((games, 2))
    verify = _verifier(a, b, x, y, found)
    caps = (max(32, n + m), _LIMIT)

    def do(part: slice) -> None:
        if b is None:
            jit.zero_sum_games(a[part], x[part], y[part], _LIMIT, pivots[part])
        else:
            jit.bimatrix_games(a[part], b[part], x[part], y[part], caps, pivots[part])
        verify(part)

    some = max(1, _SLICE // (n * m))
    for first in range(0, games, some):
        if first and time.perf_counter() - started >= options.time_limit_s:
            verify(slice(first, games))
            break
        _spread(do, first, min(games, first + some), n * m)
    return x, y, found, pivots


def _on_gpu(a: Floats, b: Floats | None, options: SolveOptions, started: float) -> _Found:
    from engine.games.kernels.batch import solve_batch_cuda

    solved = solve_batch_cuda(a, b, options)
    x, y = (np.ascontiguousarray(part, dtype=np.float64) for part in (solved.x, solved.y))
    found = np.empty((len(a), 2))
    _spread(_verifier(a, b, x, y, found), 0, len(a), a[0].size)
    return x, y, found, solved.pivots


def _verifier(a: Floats, b: Floats | None, x: Floats, y: Floats, found: Floats) -> Callable[[slice], None]:
    """Return what writes NashConv and the relative gap of some games into ``found`` (g, 2)."""
    from engine.games import batch_jit as jit

    columns, sign = (a, -1.0) if b is None else (b, 1.0)

    def verify(part: slice) -> None:
        jit.gaps(a[part], columns[part], sign, x[part], y[part], found[part])

    return verify


def _spread(do: Callable[[slice], None], first: int, end: int, size: int) -> None:
    """Deal the games out to the cores; this thread takes shares too, and never waits for one that cannot start."""
    shares = min((end - first) * size // _SHARE, end - first, 8 * _cores())
    if shares < 2:
        do(slice(first, end))
        return
    shares = min(-(-shares // _cores()) * _cores(), end - first)  # as many for each core, else one waits in the end
    edges = np.linspace(first, end, shares + 1).astype(int).tolist()
    left = deque(map(slice, edges[:-1], edges[1:]))

    def work() -> None:
        while True:
            try:
                share = left.popleft()
            except IndexError:
                return
            do(share)

    others = [_threads().submit(work) for _ in range(min(_cores(), shares) - 1)]
    work()
    for other in others:
        if not other.cancel():
            other.result()


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_cores(), "games")


@functools.cache
def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
