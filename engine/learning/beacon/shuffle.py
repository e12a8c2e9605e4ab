"""Swap-or-not shuffle of a list of indices, one index at a time or the whole list at once.

Source: V. Hoang, B. Morris, P. Rogaway: An Enciphering Scheme Based on a Card Shuffle (CRYPTO 2012), as
consensus-specs phase0 fixes it (``compute_shuffled_index``). A round: 1. a pivot from the seed; 2. every index pairs
with its mirror about the pivot; 3. a bit that both share says whether they swap.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

ROUNDS = 10  # Source: phase0 minimal, SHUFFLE_ROUND_COUNT


def shuffled_index(index: int, count: int, seed: bytes, rounds: int = ROUNDS) -> int:
    """Return where an index of ``count`` goes. Raises ValueError for an index out of range."""
    if not 0 <= index < count:
        raise ValueError(f"index {index} of {count}")
    for number in range(rounds):
        step = seed + bytes([number])
        pivot = int.from_bytes(sha256(step).digest()[:8], "little") % count
        flip = (pivot + count - index) % count
        position = max(index, flip)
        source = sha256(step + (position // 256).to_bytes(4, "little")).digest()
        if source[position % 256 // 8] >> position % 8 & 1:
            index = flip
    return index


def shuffled(count: int, seed: bytes, rounds: int = ROUNDS) -> NDArray[np.int64]:
    """Return ``[shuffled_index(i, count, seed) for i in range(count)]``, all indices in step."""
    indices = np.arange(count, dtype=np.int64)
    if count < 2:
        return indices
    blocks = _block_numbers(-(-count // 256))
    for number in range(rounds):
        step = seed + bytes([number])
        start = sha256(step)
        pivot = int.from_bytes(start.digest()[:8], "little") % count
        flip = pivot - indices
        flip[flip < 0] += count
        bits = _bits(start, blocks)
        indices = np.where(bits[np.maximum(indices, flip)], flip, indices)
    return indices


def _bits(start: object, blocks: tuple[bytes, ...]) -> NDArray[np.uint8]:
    hashes = []
    for block in blocks:
        digest = start.copy()  # type: ignore[attr-defined]
        digest.update(block)
        hashes.append(digest.digest())
    return np.unpackbits(np.frombuffer(b"".join(hashes), np.uint8), bitorder="little")


@lru_cache(maxsize=32)
def _block_numbers(count: int) -> tuple[bytes, ...]:
    return tuple(number.to_bytes(4, "little") for number in range(count))
