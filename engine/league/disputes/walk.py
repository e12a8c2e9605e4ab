"""Where two round trees first part: from the root down, two nodes a level."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.merkle import RoundTree


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first leaf that differs, and how many pairs of nodes were compared to find it."""

    index: int
    compared: int


def first_divergence(published: RoundTree, honest: RoundTree) -> Divergence | None:
    """Return the first leaf in which two trees of equal depth differ, None when they are the same.

    A node holds all that is below it, so the walk goes left where the left children differ and right otherwise.
    Raises ValueError for trees of unequal depth: rounds of that many and of that few matches are told apart before.
    """
    if published.depth != honest.depth:
        raise ValueError(f"trees of depth {published.depth} and {honest.depth} have no common shape")
    compared = 1
    if published.root == honest.root:
        return None
    index = 0
    for height in range(published.depth - 1, -1, -1):
        index *= 2
        compared += 1
        if published.node(height, index) == honest.node(height, index):
            index += 1
    return Divergence(index, compared)
