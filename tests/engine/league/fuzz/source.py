"""Where a generator's choices come from: a string of bytes, so that a run repeats and hypothesis can shrink it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")
ENTROPY_BYTES = 4096
EDGES = (0, 1, 2, 7, 8, 31, 32, 63, 64, 127, 128, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1)
WIDE_EDGES = (*EDGES, 2**32, 2**53, 2**63 - 1, 2**63, 2**64 - 1)


class Source:
    """Choices read from bytes. Behind the end every choice is the first one, so whatever is being built ends soon."""

    def __init__(self, data: bytes) -> None:
        self._data, self._pos = data, 0

    @classmethod
    def seeded(cls, seed: int) -> Source:
        """Return the source that stands for a seed."""
        return cls(random.Random(seed).randbytes(ENTROPY_BYTES))

    @property
    def dry(self) -> bool:
        """Whether nothing is left to choose by."""
        return self._pos >= len(self._data)

    def bits(self, size: int) -> int:
        """Return ``size`` bytes as a number."""
        raw = self._data[self._pos : self._pos + size]
        self._pos += size
        return int.from_bytes(raw, "little")

    def below(self, end: int) -> int:
        """Return a number in [0, end)."""
        if end <= 1:
            return 0
        return (self.bits(1) * end) >> 8 if end <= 128 else (self.bits(4) * end) >> 32

    def chance(self, percent: int) -> bool:
        """Return True in about that share of cases; False behind the end."""
        return self.bits(1) > 255 - percent * 256 // 100

    def pick(self, items: Sequence[T]) -> T:
        """Return one of the items."""
        return items[self.below(len(items))]

    def weighted(self, items: Sequence[tuple[int, T]]) -> T:
        """Return one of (weight, item)."""
        at = self.below(sum(weight for weight, _ in items))
        for weight, item in items:
            at -= weight
            if at < 0:
                return item
        raise AssertionError("weights do not add up")

    def number(self, bits: int) -> int:
        """Return an integer of 32 or 64 bits as signed: small, an edge, or any."""
        kind = self.below(4)
        if kind < 2:
            value = self.bits(1) - 16
        elif kind == 2:
            value = self.pick(EDGES if bits == 32 else WIDE_EDGES)
        else:
            value = self.bits(bits // 8)
        value &= 2**bits - 1
        return value - 2**bits if value >> (bits - 1) else value
