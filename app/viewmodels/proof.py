"""A proof hash by hash, from a leaf's bytes to the root, and what an edited byte does to it.

Two trees are walked: a match's trace (RFC 6962 over SHA-256, one leaf a step) and a round (positional over Keccak-256,
one leaf a match).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from engine.core.merkle import round_leaf_hash, round_node, trace_node, trace_root_from_path
from engine.league.trees import FlatTree

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
INNER_PARTS = (("left child", 0, 32), ("right child", 32, 32))
Node = Callable[[bytes, bytes], bytes]
Place = tuple[int, str, bytes]


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


def walk_trace(index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes, original: bytes) -> ProofWalk:
    """Walk a step's proof; ``original`` are the committed bytes, so that an edit's trail can be shown."""
    places = [(level, *place) for level, place in enumerate(zip(sides(index, size), path, strict=True))]
    hashes = (trace_leaf_hash(leaf), trace_leaf_hash(original))
    start = ProofWalk(index, size, leaf, hashes[0].hex(), (), "", root.hex(), _edits(leaf, original))
    return _climb(start, hashes, places, trace_node)


def walk_leaf(tree: FlatTree, index: int, leaf: bytes | None = None) -> ProofWalk:
    """Walk a leaf's proof in a tree, with its own bytes or edited ones."""
    original = tree.body(index)
    body = original if leaf is None else leaf
    hashes = (_leaf_hash(tree, body), tree.node(0, index))
    start = ProofWalk(index, tree.size, body, hashes[0].hex(), (), "", tree.root.hex(), _edits(body, original))
    return _climb(start, hashes, tree.path(index), round_node if tree.positional else trace_node)


def inner_above(tree: FlatTree, leaf: int) -> tuple[int, int] | None:
    """Return level and index of the lowest inner node above a leaf, None in a tree of one leaf."""
    for level in range(1, tree.depth + 1):
        if tree.children(level, leaf >> level) is not None:
            return level, leaf >> level
    return None


def offer_inner(tree: FlatTree, level: int, index: int) -> ProofWalk | None:
    """Offer an inner node as if it were a leaf: the bytes that it hashes, and the rest of the path.

    None where there is no inner node. The walk cannot hold: a leaf hashes behind 00, a node behind 01.
    """
    children = tree.children(level, index)
    if children is None:
        return None
    body, node, places = b"".join(children), tree.node(level, index), tree.path(index, level)
    hashes = (_leaf_hash(tree, body), node)
    start = ProofWalk(
        index, tree.size, body, hashes[0].hex(), (), "", tree.root.hex(), (), _refusal(tree, level, index)
    )
    return _climb(start, hashes, places, round_node if tree.positional else trace_node)


def _refusal(tree: FlatTree, level: int, index: int) -> str:
    """Say why neither the node's bytes nor its hash pass for a leaf; the second is tried here."""
    path = [sibling for _, _, sibling in tree.path(index, level)]
    full = len(tree.path(index << level if index << level < tree.size else tree.size - 1))
    refused = len(path) != full
    if not tree.positional:
        reached = trace_root_from_path(tree.node(level, index), index, tree.size, path)
        refused = reached != tree.root
    outcome = "is refused" if refused else "is accepted"
    return (
        f"The {len(tree.node(level, index)) * 2} bytes of an inner node on level {level}, offered as a leaf. A leaf is "
        f"hashed behind the byte 00 and a node behind 01, so another hash comes out. Its own hash offered as a leaf's "
        f"{outcome}, too: the path has {len(path)} hashes where this leaf's has {full}."
    )


def _leaf_hash(tree: FlatTree, body: bytes) -> bytes:
    return round_leaf_hash(body) if tree.positional else trace_leaf_hash(body)


def _edits(body: bytes, original: bytes) -> tuple[int, ...]:
    return tuple(i for i, (now, then) in enumerate(zip(body, original, strict=True)) if now != then)


def _climb(start: ProofWalk, hashes: tuple[bytes, bytes], places: Sequence[Place], join: Node) -> ProofWalk:
    """Climb with the shown leaf and the committed one beside each other."""
    node, clean = hashes
    lines = []
    for level, side, sibling in places:
        node, clean = (join(sibling, item) if side == "left" else join(item, sibling) for item in (node, clean))
        lines.append(ProofLine(level, side, sibling.hex(), node.hex(), node != clean))
    return replace(start, lines=tuple(lines), computed=node.hex())
