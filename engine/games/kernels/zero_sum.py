"""Many zero-sum games of one shape at once by PRM+ (or RM+) on an accelerator: state, launches, gaps, who is done.

The layout follows from the shape (:func:`layout_of`): a thread a game to 8 x 8, 4 lanes to 16, 16 lanes to 32, a block
of 64 or 256 threads to 64 or 128, and launches over all of memory beyond.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from engine.games.games import Floats
from engine.games.kernels.module import Accelerator

TILE = 8
GROUP_THREADS = 128
LARGE_THREADS = 256
LARGE_ROWS = 32
LARGE_MULTIPLE = 128
FIRST_ROUND = 128
LAST_ROUND = 4096
FLOOR = np.float32(1e-30)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a game lies on the device: ``threads`` a game, ``side`` of the square that they form."""

    kind: Literal["thread", "lanes", "block", "large"]
    side: int
    threads: int


def layout_of(n: int, m: int) -> Layout:
    """Return the layout for games of n rows and m columns."""
    size = max(n, m)
    if size <= TILE:
        return Layout("thread", 1, 1)
    for side in (2, 4, 8, 16):
        if size <= TILE * side:
            return Layout("lanes" if side <= 4 else "block", side, side * side)
    return Layout("large", 0, LARGE_THREADS)


def block_shared_bytes(side: int) -> int:
    """Return the shared memory of ``rm_plus_block<side>``."""
    warps, length = side * side // 32, side * TILE
    return 4 * (warps * length + length + 4 * warps)


def bytes_a_game(n: int, m: int) -> int:
    """Return how much memory one game takes: payoffs in fp64 and fp32 (that twice where large), scratch, state."""
    large = 8 * (m + LARGE_MULTIPLE) * n if layout_of(n, m).kind == "large" else 0
    return 40 * n * m + large + 64 * (n + m) + 64


class ZeroSumRun:
    """Games on one accelerator with the state of PRM+, for use inside its ``active()``.

    ``a``: (games, n, m) of any range; gaps are relative to it.
    """

    def __init__(self, device: Accelerator, a: Any, *, predictive: bool = True) -> None:
        """Make the state of a uniform start. ``a`` is a NumPy array or one of the device."""
        xp = self._xp = device.xp
        self.device = device
        self.predictive = predictive
        given = xp.asarray(a, dtype=xp.float64)
        games, n, m = self.shape = given.shape
        self.layout = layout_of(n, m)
        low, high = given.min(axis=(1, 2), keepdims=True), given.max(axis=(1, 2), keepdims=True)
        half = (high - low) / 2
        self.payoffs = (given - (high + low) / 2) / xp.where(half > 0, half, 1.0)  # in [-1, 1], as all gaps here
        single = self.payoffs.astype(xp.float32)
        self._parts = (n, m)
        if self.layout.kind == "large":
            self._games: tuple[Any, ...] = (_padded(xp, single), _padded(xp, -single.transpose(0, 2, 1)))
        elif self.layout.kind == "thread":
            self._games = (xp.ascontiguousarray(single.reshape(games, n * m).T),)
        else:
            self._games = (single,)
        self.iterations = 0
        self.regret = self._vectors(FLOOR, FLOOR)
        self.play = self._vectors(np.float32(1 / n), np.float32(1 / m))
        self.value = xp.ascontiguousarray(single.mean(axis=(1, 2), dtype=xp.float64).astype(xp.float32))
        self.sum = self._vectors(0.0, 0.0)
        # Only used where payoffs do not fit into a multiprocessor: those of each action at the current profile.
        self._seen = (xp.zeros((games, n), xp.float32), xp.ascontiguousarray(-single.mean(axis=1)))

    def advance(self, iterations: int) -> None:
        """Queue so many more iterations."""
        if self.layout.kind == "large":
            self._advance_large(iterations)
        else:
            self._advance_small(iterations)
        self.iterations += iterations

    def averages(self) -> tuple[Any, Any]:
        """Return the averaged strategies, (games, n) and (games, m), fp64 on the device."""
        x, y = self._split(self.sum)
        return x / x.sum(axis=1, keepdims=True), y / y.sum(axis=1, keepdims=True)

    def gaps(self, x: Any, y: Any) -> Any:
        """Return each game's NashConv by its payoff range, fp64 on the device."""
        best = self._xp.matmul(self.payoffs, y[:, :, None])[:, :, 0].max(axis=1)
        worst = self._xp.matmul(x[:, None, :], self.payoffs)[:, 0, :].min(axis=1)
        return self._xp.maximum(best - worst, 0.0) / 2

    def _vectors(self, of_x: Any, of_y: Any) -> Any:
        """Return an array of both players' numbers: (numbers, games) for threads, (games, numbers) else."""
        games, (n, m) = self.shape[0], self._parts
        both = self._xp.asarray(np.concatenate([np.full(n, of_x), np.full(m, of_y)]))
        if self.layout.kind == "thread":
            return self._xp.broadcast_to(both[:, None], (n + m, games)).copy()
        if self.layout.kind == "large":  # each player's numbers lie together: a launch updates one player
            return self._xp.concatenate([self._xp.tile(both[:n], games), self._xp.tile(both[n:], games)])
        return self._xp.broadcast_to(both, (games, n + m)).copy()

    def _split(self, both: Any) -> tuple[Any, Any]:
        games, (n, m) = self.shape[0], self._parts
        if self.layout.kind == "thread":
            return both[:n].T, both[n:].T
        if self.layout.kind == "large":
            return both[: games * n].reshape(games, n), both[games * n :].reshape(games, m)
        return both[:, :n], both[:, n:]

    def _advance_small(self, iterations: int) -> None:
        games, (n, m) = self.shape[0], self._parts
        flag = "true" if self.predictive else "false"
        size = (np.int32(games),) if self.layout.kind == "thread" else (np.int32(games), np.int32(n), np.int32(m))
        arguments = (self._games[0], *size, self.regret, self.play, self.value, self.sum)
        counts = (np.int32(self.iterations + 1), np.int32(iterations))
        if self.layout.kind == "block":
            kernel = self.device.kernel("rm_plus.cu", f"rm_plus_block<{self.layout.side}, {flag}>")
            shared = block_shared_bytes(self.layout.side)
            kernel((games, 1, 1), (self.layout.threads, 1, 1), (*arguments, *counts), shared)
            return
        template = f"thread<{n}, {m}" if self.layout.kind == "thread" else f"lanes<{self.layout.side}"
        kernel = self.device.kernel("rm_plus.cu", f"rm_plus_{template}, {flag}>")
        blocks = -(-games * self.layout.threads // GROUP_THREADS)
        kernel((blocks, 1, 1), (GROUP_THREADS, 1, 1), (*arguments, *counts))

    def _advance_large(self, iterations: int) -> None:
        kernel = self.device.kernel("rm_plus_large.cu", f"rm_plus_half<{'true' if self.predictive else 'false'}>")
        regret, play, total = self._split(self.regret), self._split(self.play), self._split(self.sum)
        for t in range(self.iterations + 1, self.iterations + iterations + 1):
            for me in (0, 1):
                other = 1 - me
                # What the other plays now was made in this iteration (player 1) or the one before (player 2).
                made = t if other == 0 else t - 1
                weight = 0.0 if t == self.iterations + 1 and other == 1 else self._weight(made)
                self._launch_half(kernel, me, regret[me], play, total[other], weight)
        # Player 2's last strategy is averaged here, since no launch follows that would do so.
        last = play[1].astype(self._xp.float64)
        total[1][...] += self._weight(self.iterations + iterations) * last / last.sum(axis=1, keepdims=True)

    def _launch_half(self, kernel: Any, me: int, regret: Any, play: Any, total: Any, weight: float) -> None:
        rows, cols, stride = self._parts[me], self._parts[1 - me], self._games[me].shape[2]
        kernel(
            (-(-rows // LARGE_ROWS), self.shape[0], 1),
            (LARGE_THREADS, 1, 1),
            (
                self._games[me],
                *(np.int32(number) for number in (rows, cols, stride)),
                regret,
                play[me],
                self._seen[me],
                play[1 - me],
                self._seen[1 - me],
                total,
                np.float32(weight),
            ),
            4 * stride + 8 * LARGE_THREADS // 32,
        )

    def _weight(self, iteration: int) -> float:
        return float(iteration * iteration if self.predictive else iteration)


def solve_zero_sum(
    device: Accelerator, a: Any, *, epsilon: float, iterations: int, predictive: bool = True
) -> tuple[Floats, Floats, Floats, int]:
    """Return strategies (games, n) and (games, m), relative gaps (games,), and the iterations that were done.

    Games go on together, in rounds that double, until every gap is at most ``epsilon`` or ``iterations`` are done; a
    game keeps the best of its averages. In fp32 gaps reach 1e-7 of the payoff range, not much less.
    """
    with device.active():
        xp, run, size = device.xp, ZeroSumRun(device, a, predictive=predictive), FIRST_ROUND
        games, n, m = run.shape
        best_x, best_y, best = xp.zeros((games, n)), xp.zeros((games, m)), xp.full(games, np.inf)
        while run.iterations < iterations and float(best.max()) > epsilon:
            run.advance(min(size, iterations - run.iterations))
            x, y = run.averages()
            gaps = run.gaps(x, y)
            better = gaps < best
            best_x, best_y = xp.where(better[:, None], x, best_x), xp.where(better[:, None], y, best_y)
            best = xp.where(better, gaps, best)
            size = min(2 * size, LAST_ROUND)
        return device.to_host(best_x), device.to_host(best_y), device.to_host(best), run.iterations


def _padded(xp: Any, a: Any) -> Any:
    """Return (games, rows, cols) with rows filled up by zeros to a multiple of 128 numbers."""
    stride = -(-a.shape[2] // LARGE_MULTIPLE) * LARGE_MULTIPLE
    made = xp.zeros((a.shape[0], a.shape[1], stride), xp.float32)
    made[:, :, : a.shape[2]] = a
    return made
