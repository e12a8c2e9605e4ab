"""The nodes of a Merkle tree: what a view of it shows, its levels, and where the arrow keys lead in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import Qt

Node = tuple[int, int]  # level, from the leaves up, and place in it


@dataclass(frozen=True, eq=False)
class MerkleTreeState:
    """How many leaves, which is chosen, how to name a node (asked only for nodes in sight), and marked leaves.

    ``positional``: a lone node is joined with an absent one instead of rising. ``node`` is a chosen inner node.
    """

    n_leaves: int = 0
    selected: int | None = None
    hash_of: Callable[[int, int], str] | None = None
    marks: tuple[tuple[int, str], ...] = ()
    positional: bool = False
    node: tuple[int, int] | None = None


def level_counts(n_leaves: int) -> list[int]:
    """Nodes of every level, leaves first."""
    counts = [n_leaves] if n_leaves else []
    while counts and counts[-1] > 1:
        counts.append((counts[-1] + 1) // 2)
    return counts


def moved(key: int, at: Node | None, counts: Sequence[int]) -> Node | None:
    """Return the node that an arrow key leads to; the first leaf where none is chosen, None for other keys.

    ``counts`` are the nodes of every level, leaves first. At an edge the choice stays.
    """
    arrows = (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down)
    if key not in arrows or not counts:
        return None
    if at is None or at[0] >= len(counts):
        return (0, 0)
    level, index = at
    if key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
        step = 1 if key == Qt.Key.Key_Right else -1
        return level, max(0, min(counts[level] - 1, index + step))
    if key == Qt.Key.Key_Up:
        return (level + 1, index // 2) if level + 1 < len(counts) else at
    return (level - 1, index * 2) if level else at
