"""A proof hash by hash, from a leaf's bytes to the root, and what an edited byte does to it.

Two trees are walked: a match's trace (RFC 6962 over SHA-256, one leaf a step) and a round (positional over Keccak-256,
one leaf a match).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from engine.core.merkle import round_leaf_hash, round_node, trace_node

STEP_PARTS = (("step", 0, 8), ("observation hash", 8, 32), ("action hash", 40, 32))
ROUND_PARTS = (
    ("match", 0, 4),
    ("seat a", 4, 4),
    ("seat b", 8, 4),
    ("score a", 12, 8),
    ("score b", 20, 8),
    ("standings before", 28, 32),
    ("standings after", 60, 32),
    ("match commitment", 92, 32),
)
Node = Callable[[bytes, bytes], bytes]


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
    """A walk from a leaf to a root. ``note`` says what is special about it."""

    index: int
    size: int
    leaf: bytes
    leaf_hash: str
    lines: tuple[ProofLine, ...]
    computed: str
    expected: str
    edited: tuple[int, ...] = ()
    note: str = ""

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


def trace_leaf_hash(body: bytes) -> bytes:
    """Return the leaf hash over a step's bytes."""
    return sha256(b"\x00" + body).digest()


def walk_trace(
    index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes, original: bytes, note: str = ""
) -> ProofWalk:
    """Walk a step's proof; ``original`` are the committed bytes, so that an edit's trail can be shown."""
    places = list(enumerate(sides(index, size)))
    hashes = (trace_leaf_hash(leaf), trace_leaf_hash(original))
    return _walk(index, size, (leaf, original), hashes, places, path, root, trace_node, note)


def walk_round(
    index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes, original: bytes, note: str = ""
) -> ProofWalk:
    """Walk a match's proof in its round; the index's bits say on which side the siblings stand."""
    places = [(level, "left" if index >> level & 1 else "right") for level in range(len(path))]
    hashes = (round_leaf_hash(leaf), round_leaf_hash(original))
    return _walk(index, size, (leaf, original), hashes, places, path, root, round_node, note)


def _walk(
    index: int,
    size: int,
    bodies: tuple[bytes, bytes],
    hashes: tuple[bytes, bytes],
    places: Sequence[tuple[int, str]],
    path: Sequence[bytes],
    root: bytes,
    join: Node,
    note: str,
) -> ProofWalk:
    """Climb with the shown leaf and the committed one beside each other."""
    node, clean = hashes
    lines = []
    for (level, side), sibling in zip(places, path, strict=True):
        node, clean = (join(sibling, item) if side == "left" else join(item, sibling) for item in (node, clean))
        lines.append(ProofLine(level, side, sibling.hex(), node.hex(), node != clean))
    same = zip(*bodies, strict=False)
    edited = tuple(i for i, (now, then) in enumerate(same) if now != then)
    return ProofWalk(index, size, bodies[0], hashes[0].hex(), tuple(lines), node.hex(), root.hex(), edited, note)
