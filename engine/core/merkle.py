"""Merkle trees: RFC 6962 over SHA-256 for match traces, positional Keccak for what the chain checks.

Sources: RFC 6962 section 2.1 (shape), RFC 9162 sections 2.1.3.1 and 2.1.3.2 (audit paths).
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from engine.core.hashing import keccak

EMPTY_TRACE_ROOT = sha256(b"").digest()
ABSENT = bytes(32)


def trace_node(left: bytes, right: bytes) -> bytes:
    """Return the inner node over two 32-byte children of a trace tree."""
    return sha256(b"\x01" + left + right).digest()


class TraceTree:
    """RFC 6962 tree over leaf hashes; no leaf is ever duplicated. Levels are kept, so a path costs O(log n).

    ``levels[0]`` are the leaves, ``levels[-1]`` the root alone. An unpaired last node rises unchanged, which
    gives the same root as the recursive definition of the RFC.
    """

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.levels: list[list[bytes]] = [list(leaves)]
        while len(self.levels[-1]) > 1:
            below = self.levels[-1]
            level = [trace_node(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)]
            if len(below) % 2:
                level.append(below[-1])
            self.levels.append(level)

    @property
    def size(self) -> int:
        """Number of leaves."""
        return len(self.levels[0])

    @property
    def root(self) -> bytes:
        """The tree head, 32 bytes."""
        return self.levels[-1][0] if self.levels[0] else EMPTY_TRACE_ROOT

    def path(self, index: int) -> list[bytes]:
        """Return the audit path of leaf ``index``, from the leaf up. Raises IndexError outside the tree."""
        if not 0 <= index < self.size:
            raise IndexError(f"leaf {index} is outside a tree of {self.size}")
        path = []
        for level in self.levels[:-1]:
            sibling = index ^ 1
            if sibling < len(level):
                path.append(level[sibling])
            index //= 2
        return path


def trace_root_from_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root that the audit path leads to, or None when the path does not fit (index, size).

    1. Refuse an index outside the tree. 2. Walk up; where the node is a right child or the last of its level,
    the sibling is on the left, and levels without a sibling are skipped. 3. All of the path must be used.
    """
    if not 0 <= index < size:
        return None
    node, last = leaf, size - 1
    for sibling in path:
        if last == 0:
            return None
        if index % 2 or index == last:
            node = trace_node(sibling, node)
            while index % 2 == 0 and index:
                index, last = index // 2, last // 2
        else:
            node = trace_node(node, sibling)
        index, last = index // 2, last // 2
    return node if last == 0 else None


def round_leaf_hash(packed: bytes) -> bytes:
    """Return the leaf hash over the packed bytes of a round leaf."""
    return keccak(b"\x00" + packed)


def round_node(left: bytes, right: bytes) -> bytes:
    """Return the inner node over two 32-byte children of a round tree."""
    return keccak(b"\x01" + left + right)


class RoundTree:
    """Positional tree of fixed depth; absent leaves are 32 zero bytes. A proof binds the index by its bits."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.size = len(leaves)
        self.depth = max(len(leaves) - 1, 0).bit_length()
        self._absent = [ABSENT]
        for _ in range(self.depth):
            self._absent.append(round_node(self._absent[-1], self._absent[-1]))
        self.levels: list[list[bytes]] = [list(leaves) or [ABSENT]]
        for height in range(self.depth):
            below = self.levels[-1]
            if len(below) % 2:
                below = [*below, self._absent[height]]
            self.levels.append([round_node(below[i], below[i + 1]) for i in range(0, len(below), 2)])

    @property
    def root(self) -> bytes:
        """The root, 32 bytes."""
        return self.levels[-1][0]

    def node(self, height: int, index: int) -> bytes:
        """Return a node, ``height`` levels above the leaves, the ``index``-th from the left."""
        level = self.levels[height]
        return level[index] if index < len(level) else self._absent[height]

    def proof(self, index: int) -> list[bytes]:
        """Return the ``depth`` siblings of leaf ``index``, from the leaf up. Raises IndexError outside the tree."""
        if not 0 <= index < self.size:
            raise IndexError(f"leaf {index} is outside a tree of {self.size}")
        siblings = []
        for height in range(self.depth):
            siblings.append(self.node(height, index ^ 1))
            index //= 2
        return siblings


def round_root_from_proof(leaf: bytes, index: int, proof: Sequence[bytes]) -> bytes:
    """Return the root that the siblings of leaf ``index`` lead to."""
    node = leaf
    for sibling in proof:
        node = round_node(sibling, node) if index % 2 else round_node(node, sibling)
        index //= 2
    return node
