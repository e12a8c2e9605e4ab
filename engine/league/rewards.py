"""Rewards by rank: the integer formula that LeagueAnchor computes too.

With n agents that were not disqualified, the position p (from 0, best score first) weighs n - p. Agents of equal
score share the weights of the positions they take together. Rounding is down; the dust goes back to the poster.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True, slots=True)
class Payouts:
    """``wei[seat]`` for each seat of the roster, and the ``dust`` for the poster; they add up to the pot."""

    wei: tuple[int, ...]
    dust: int


def payouts(scores: Sequence[int], disqualified: Collection[int], pot: int) -> Payouts:
    """Return what each seat earns of ``pot`` wei. ``disqualified`` holds seats; they earn nothing."""
    active = sorted((seat for seat in range(len(scores)) if seat not in disqualified), key=lambda seat: -scores[seat])
    total = len(active) * (len(active) + 1) // 2
    wei = [0] * len(scores)
    position = 0
    for _, group in groupby(active, key=lambda seat: scores[seat]):
        tied = list(group)
        weights = sum(len(active) - place for place in range(position, position + len(tied)))
        for seat in tied:
            wei[seat] = pot * weights // (len(tied) * total)
        position += len(tied)
    return Payouts(tuple(wei), pot - sum(wei))
