"""Curves that grow while they are drawn: appending is cheap, and a picture costs as much as it has pixels.

Beside the values lies a pyramid: level k knows, for every run of 4^k points, where the least and the greatest value of
each channel are. A redraw takes the level that fits and touches few points; what it draws covers the same pixels. The
pyramid grows when it is asked: curves that nobody looks at cost no more than their points. Who looks after a long time
lets it grow a piece at a time (``grow``), since 100,000 points at once are more work than a frame has time for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.int64]
FAN = 4  # blocks of one level in a block of the next
MOST = 1 << 17  # points kept: 131,072
PARTS = 8  # of the room is this part left when it begins to be halved
_FIRST = 1024


class CurveBuffer:
    """Channels over one x that never decreases. Values must be finite.

    Of more than ``most`` points, at least 8, half are let go, again and again; of the first channel every run keeps its
    extremes. ``thinned`` says by what factor. What stays is gathered while more points come: to look at all at once
    takes longer than a frame has time.
    """

    def __init__(self, channels: int, most: int = MOST) -> None:
        self.channels = channels
        self.most = most
        self.thinned = 1
        self.count = 0
        self._built, self._depth = 0, 0  # points that the pyramid knows, and its levels
        self._half: _Half | None = None
        self._least = np.full(channels, np.inf)
        self._x = np.empty(_FIRST)
        self._y = np.empty((_FIRST, channels))
        self._low: list[Places] = []  # of each level: where the extremes of its blocks are, (blocks, channels)
        self._high: list[Places] = []

    @property
    def x(self) -> Floats:
        """All x, (count,): a view."""
        return self._x[: self.count]

    @property
    def y(self) -> Floats:
        """All values, (count, channels): a view."""
        return self._y[: self.count]

    def append(self, x: ArrayLike, y: ArrayLike) -> None:
        """Add points: ``x`` (k,), ``y`` (k, channels)."""
        xs = np.asarray(x, dtype=np.float64)
        ys = np.asarray(y, dtype=np.float64).reshape(len(xs), self.channels)
        if not len(xs) or not self.channels:
            return
        step = max(1, self.most // PARTS)
        for first in range(0, len(xs), step):
            self._add(xs[first : first + step], ys[first : first + step])
        self._least = np.minimum(self._least, np.where(ys > 0, ys, np.inf).min(axis=0))

    def fit(self) -> None:
        """Let go of the room for more points, once none are expected; more can come all the same."""
        self._x, self._y, self._half = self.x.copy(), self.y.copy(), None

    @property
    def behind(self) -> int:
        """How many points the pyramid does not know yet: whatever is asked of it looks at all of them first."""
        return self.count - self._built

    def grow(self, values: int) -> None:
        """Let the pyramid know some more points, of so many values in all channels together."""
        self._learn(min(self.count, self._built + max(FAN, values // max(1, self.channels))))

    def last(self, channel: int = 0) -> float:
        """The newest value; NaN before the first."""
        return float(self._y[self.count - 1, channel]) if self.count else float("nan")

    def least_positive(self, channel: int = 0) -> float:
        """The least value above zero; infinite before there is one."""
        return float(self._least[channel])

    def at(self, x: float, channel: int = 0) -> float:
        """The value at the first point that is not before ``x``."""
        place = min(int(np.searchsorted(self.x, x)), self.count - 1)
        return float(self._y[place, channel]) if self.count else float("nan")

    def span(self, channel: int = 0) -> tuple[float, float]:
        """The least and the greatest value of a channel; (0, 1) before the first point."""
        if not self.count:
            return 0.0, 1.0
        top_low, top_high = self._blocks(64)
        values = self._y[:, channel]
        return float(values[top_low[:, channel]].min()), float(values[top_high[:, channel]].max())

    def places(self, channel: int, buckets: int, start: int = 0, stop: int | None = None) -> Places:
        """Which points to draw of a range: at most two for each of ``buckets`` runs of equal length, in order.

        The runs lie at multiples of a power of two, so that a picture stands still while the curve grows. The first
        and the last point are always among them.
        """
        stop = self.count if stop is None else min(stop, self.count)
        start = max(0, start)
        if stop - start <= 2 * buckets:
            return np.arange(start, stop)
        level, doubled = self._level(stop - start, buckets)
        low, high = self._blocks(level)
        first, last = start // FAN**level, -(-stop // FAN**level)
        low, high = low[first:last, channel], high[first:last, channel]
        if doubled:
            low, high = (found[:, 0] for found in self._pairs(low[:, None], high[:, None], np.array([channel]), first))
        found = np.sort(np.concatenate([low, high, [start, stop - 1]]), kind="stable")
        fresh = np.diff(found, prepend=-1) > 0
        return found[fresh & (found >= start) & (found < stop)]

    def envelope(self, channel: int, buckets: int, start: int = 0, stop: int | None = None) -> tuple[Floats, Floats]:
        """The points to draw, as x and y."""
        found = self.places(channel, buckets, start, stop)
        return self._x[found], self._y[found, channel]

    def envelopes(
        self, channels: Sequence[int], buckets: int, start: int = 0, stop: int | None = None
    ) -> tuple[Floats, Floats]:
        """The points to draw of several channels at once: x and y (channels, points), each as of ``envelope``.

        All channels get as many points; where one needs fewer, some of its points come twice.
        """
        stop = self.count if stop is None else min(stop, self.count)
        start = max(0, start)
        chosen = np.asarray(channels, dtype=np.intp)
        if stop - start <= 2 * buckets:
            return np.tile(self._x[start:stop], (len(chosen), 1)), self._y[start:stop, chosen].T.copy()
        level, doubled = self._level(stop - start, buckets)
        low, high = self._blocks(level)
        first, last = start // FAN**level, -(-stop // FAN**level)
        low, high = low[first:last, chosen], high[first:last, chosen]
        if doubled:
            low, high = self._pairs(low, high, chosen, first)
        found = np.empty((len(chosen), 2 * len(low) + 2), dtype=np.int64)
        found[:, 0], found[:, -1] = start, stop - 1
        # A block's two places in order, so that the whole is in order: sorting it would take longer than all the rest.
        found[:, 1:-1:2], found[:, 2:-1:2] = np.minimum(low, high).T, np.maximum(low, high).T
        np.clip(found, start, stop - 1, out=found)
        return self._x[found], self._y[found, chosen[:, None]]

    def range_of(self, left: float, right: float) -> tuple[int, int]:
        """Which points lie in a range of x, and one more at each end where there is one."""
        first = int(np.searchsorted(self.x, left, side="left"))
        last = int(np.searchsorted(self.x, right, side="right"))
        return max(0, first - 1), min(self.count, last + 1)

    # Inside

    def _add(self, xs: Floats, ys: Floats) -> None:
        """Add a few points, and look at as many older ones as have to be looked at before there is no room."""
        if self.count + len(xs) > self.most:
            self._halve(self.most)
        old, new = self.count, self.count + len(xs)
        self._x, self._y = _grown(self._x, new), _grown(self._y, new)
        self._x[old:new], self._y[old:new] = xs, ys
        self.count = new
        if new > self.most - self.most // PARTS:
            self._halve(PARTS * len(xs))

    def _halve(self, points: int) -> None:
        """Look at so many more of the points of which half stay; with the last, the others are let go."""
        self._half = self._half or _Half(self._x, self._y, self.count)
        if self._half.gather(self._x, self._y, points):
            self._x, self._y, self.count = self._half.close(self._x, self._y, self.count)
            self._half, self._built = None, 0
            self.thinned *= 2

    def _level(self, points: int, buckets: int) -> tuple[int, int]:
        """Return the level that fits, and whether its blocks are to be joined in pairs."""
        # Three buckets are left for the ends, which the range may cut, and for the two points there.
        power = max(0, int(np.ceil(np.log2(points / max(1, buckets - 3)))))
        return power // 2, power % 2

    def _blocks(self, level: int) -> tuple[Places, Places]:
        """Return the extremes' places of a level, the highest where it has fewer; level 0 are the points themselves."""
        self._learn(self.count)
        level = min(level, self._depth)
        if level == 0:
            own = np.broadcast_to(np.arange(self.count)[:, None], (self.count, self.channels))
            return own, own
        size = -(-self.count // FAN**level)
        return self._low[level - 1][:size], self._high[level - 1][:size]

    def _learn(self, stop: int) -> None:
        """Let the pyramid know the points before ``stop``: only blocks that change are looked at."""
        old, level, below = self._built, 1, stop
        self._built = max(old, stop)
        if stop <= old:
            return
        while below > FAN:
            first, blocks = old // FAN**level, -(-below // FAN)
            if level > self._depth:
                first = 0
            if level > len(self._low):
                self._low.append(np.empty((_FIRST, self.channels), dtype=np.int64))
                self._high.append(np.empty((_FIRST, self.channels), dtype=np.int64))
            for kept, best in ((self._low, np.argmin), (self._high, np.argmax)):
                kept[level - 1] = _grown(kept[level - 1], blocks)
                under = None if level == 1 else kept[level - 2]
                kept[level - 1][first:blocks] = self._best(under, best, first * FAN, below)
            level, below = level + 1, blocks
        self._depth = level - 1

    def _best(self, under: Places | None, best: Callable[..., Places], start: int, stop: int) -> Places:
        """Return where each block of FAN entries from ``start`` on has its extreme."""
        columns = np.arange(self.channels)
        values = self._y[start:stop] if under is None else self._y[under[start:stop], columns]
        missing = -(stop - start) % FAN
        if missing:  # the last entry again: it changes no extreme
            values = np.concatenate([values, np.repeat(values[-1:], missing, axis=0)])
        chosen = best(values.reshape(-1, FAN, self.channels), axis=1)
        chosen += np.arange(start, stop, FAN)[:, None]
        np.minimum(chosen, stop - 1, out=chosen)
        return chosen if under is None else under[chosen, columns]

    def _pairs(self, low: Places, high: Places, channels: Places, first: int) -> tuple[Places, Places]:
        """Join blocks (blocks, channels) two by two, at even places."""
        if first % 2:  # the first block's partner is out of sight
            low, high = np.concatenate([low[:1], low]), np.concatenate([high[:1], high])
        if len(low) % 2:
            low, high = np.concatenate([low, low[-1:]]), np.concatenate([high, high[-1:]])
        return (
            np.where(self._y[low[1::2], channels] < self._y[low[::2], channels], low[1::2], low[::2]),
            np.where(self._y[high[1::2], channels] > self._y[high[::2], channels], high[1::2], high[::2]),
        )


class _Half:
    """Half of a buffer's first points: of each run of FAN its least and its greatest value of the first channel."""

    def __init__(self, x: Floats, y: Floats, count: int) -> None:
        self._stop = (count - 1) // FAN * FAN  # the newest is kept, and what comes later
        self._at, self._kept = 0, 0
        self._x, self._y = np.empty_like(x), np.empty_like(y)

    def gather(self, x: Floats, y: Floats, points: int) -> bool:
        """Look at so many more points; whether none are left."""
        first, last = self._at, min(self._stop, self._at + max(FAN, points // FAN * FAN))
        runs = y[first:last, 0].reshape(-1, FAN)
        low, high = runs.argmin(axis=1), runs.argmax(axis=1)
        flat = low == high  # then its first and its last point stand for a run
        ends = np.where(flat, 0, np.minimum(low, high)), np.where(flat, FAN - 1, np.maximum(low, high))
        found = (np.stack(ends, axis=1) + np.arange(first, last, FAN)[:, None]).ravel()  # in order
        if not first and found[0]:  # a curve begins where it began
            found = np.concatenate([[0], found])
        old, self._at, self._kept = self._kept, last, self._kept + len(found)
        self._x[old : self._kept] = x.take(found)
        self._y[old : self._kept] = y.take(found, axis=0)  # four times as fast as an index
        return last == self._stop

    def close(self, x: Floats, y: Floats, count: int) -> tuple[Floats, Floats, int]:
        """Return the points that stay, with those that came in the meantime, and how many they are."""
        whole = self._kept + count - self._stop
        self._x[self._kept : whole], self._y[self._kept : whole] = x[self._stop : count], y[self._stop : count]
        return self._x, self._y, whole


def _grown(kept: NDArray, size: int) -> NDArray:  # type: ignore[type-arg]
    """Return an array with room for ``size`` entries: doubled, so that growing costs a constant a point."""
    if size <= len(kept):
        return kept
    room = np.empty((max(size, 2 * len(kept)), *kept.shape[1:]), dtype=kept.dtype)
    room[: len(kept)] = kept
    return room
