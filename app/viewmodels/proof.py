"""The proof of the step shown: hash by hash from the leaf to the root, and what an edited byte does to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from engine.core.merkle import trace_node

LEAF_PARTS = (("step", 0, 8), ("observation hash", 8, 32), ("action hash", 40, 32))


@dataclass(frozen=True, slots=True)
class ProofLine:
    """One level: on which side the sibling stands, and what both hash to; ``changed`` by an edit."""

    level: int
    side: str
    sibling: str
    result: str
    changed: bool = False


@dataclass(frozen=True, slots=True)
class ProofWalk:
    """A walk from a leaf to a root."""

    index: int
    size: int
    leaf: bytes
    leaf_hash: str
    lines: tuple[ProofLine, ...]
    computed: str
    expected: str
    edited: tuple[int, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether the walk ends at the expected root."""
        return self.computed == self.expected


def sides(index: int, size: int) -> list[str]:
    """Return on which side the sibling stands at each level of an RFC 6962 tree; levels without one are skipped."""
    found = []
    last = size - 1
    while last > 0:
        if index % 2:
            found.append("left")
        elif index < last:
            found.append("right")
        index, last = index // 2, last // 2
    return found


def walk(index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes, original: bytes) -> ProofWalk:
    """Walk from the leaf's bytes up; ``original`` are the committed ones, so that an edit's trail can be shown."""
    node, clean = _leaf(leaf), _leaf(original)
    leaf_hash = node.hex()
    lines = []
    for level, (side, sibling) in enumerate(zip(sides(index, size), path, strict=True)):
        node, clean = (_up(item, sibling, side) for item in (node, clean))
        lines.append(ProofLine(level, side, sibling.hex(), node.hex(), node != clean))
    edited = tuple(i for i, (now, then) in enumerate(zip(leaf, original, strict=True)) if now != then)
    return ProofWalk(index, size, leaf, leaf_hash, tuple(lines), node.hex(), root.hex(), edited)


def _leaf(data: bytes) -> bytes:
    return sha256(b"\x00" + data).digest()


def _up(node: bytes, sibling: bytes, side: str) -> bytes:
    return trace_node(sibling, node) if side == "left" else trace_node(node, sibling)
