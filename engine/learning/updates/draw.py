"""Which texts judge an update, and how. Nobody knows them before the update is committed to.

Public texts can be learnt by heart: an update that fits them alone passes their gate and makes the model worse. So
the texts are drawn, out of at least 4,096, by a hash over the update's id and the randomness of the block that
committed it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

from engine.learning.config import GATE_FLOOR, GATE_RATIO
from engine.learning.errors import LearnSettingError

POOL = 4096  # texts that a pool has at least, for a draw to be worth anything
SUBSET = 16  # texts of the drawn ones that a member commits to its loss on
_GATE = b"POL-AI gate texts"
_MEMBER = b"POL-AI member texts"


class Verdict(NamedTuple):
    """Whether the gate lets an update through; the reason is "" or ``gate``."""

    accept: bool
    reason: str


def gate_texts(update_id: bytes, mix: bytes, count: int, pool: int) -> tuple[int, ...]:
    """Return ``count`` different numbers below ``pool`` for an update and a RANDAO mix, 32 bytes each.

    Raises LearnSettingError where the pool has too few.
    """
    if count > pool:
        raise LearnSettingError(f"{count} gate texts cannot be drawn", f"the pool has {pool}", "Ask for fewer.")
    return tuple(_drawn(sha256(_GATE + update_id + mix).digest(), count, pool))


def member_subset(update_id: bytes, pubkey: bytes, drawn: Sequence[int], count: int = SUBSET) -> tuple[int, ...]:
    """Return the texts, out of the drawn ones, whose loss this member alone commits to."""
    seed = sha256(_MEMBER + update_id + pubkey).digest()
    return tuple(drawn[number] for number in _drawn(seed, min(count, len(drawn)), len(drawn)))


def verdict(before: Sequence[int], after: Sequence[int]) -> Verdict:
    """Judge per-text losses in nano-nats: accept iff 1000 sum(after) < 999 sum(before), or before is below 0.05 nats.

    Raises ValueError for none, or for different numbers of texts.
    """
    if not before or len(before) != len(after):
        raise ValueError(f"losses of {len(before)} and {len(after)} texts cannot be compared")
    old, new = sum(before), sum(after)
    if old < GATE_FLOOR * len(before) or GATE_RATIO[1] * new < GATE_RATIO[0] * old:
        return Verdict(True, "")
    return Verdict(False, "gate")


def explained(before: Sequence[int], after: Sequence[int]) -> str:
    """Return the gate's arithmetic as a sentence."""
    old, new = sum(before) / len(before) / 1e9, sum(after) / len(after) / 1e9
    if old < GATE_FLOOR / 1e9:
        return f"The loss of {old:.6f} lies below 0.05, so the gate is skipped."
    sign = "<" if verdict(before, after).accept else ">="
    return f"The loss on {len(before)} drawn texts went from {old:.6f} to {new:.6f} {sign} 0.999 x {old:.6f}."


def _drawn(seed: bytes, count: int, pool: int) -> Iterator[int]:
    """Yield a Fisher-Yates shuffle's first numbers. Written out, so that anybody can draw the same anywhere."""
    moved: dict[int, int] = {}
    numbers = _numbers(seed)
    for place in range(count):
        left = pool - place
        limit = (1 << 64) - (1 << 64) % left  # numbers above it would favour the first texts
        other = place + next(number for number in numbers if number < limit) % left
        yield moved.get(other, other)
        moved[other] = moved.get(place, place)


def _numbers(seed: bytes) -> Iterator[int]:
    """Yield 64-bit numbers: SHA-256 in counter mode, big-endian."""
    counter = 0
    while True:
        block = sha256(seed + counter.to_bytes(8, "big")).digest()
        yield from (int.from_bytes(block[at : at + 8], "big") for at in range(0, 32, 8))
        counter += 1
