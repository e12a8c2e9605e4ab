"""The committed form of a round: packed standings, one leaf a match, one positional Keccak tree."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.core.hashing import keccak
from engine.core.merkle import RoundTree, round_leaf_hash

NO_OPPONENT = 0xFFFFFFFF
_LEAF = struct.Struct(">IIIqq32s32s32s")
_SCORE = struct.Struct(">q")


@dataclass(frozen=True, slots=True)
class RoundLeaf:
    """One match of a round: seats ``a`` and ``b`` of the roster gained ``d_a`` and ``d_b``.

    ``pre`` and ``post`` are the hashes of the packed standings around it, ``evidence`` is the match commitment.
    A solo match has no ``b``: NO_OPPONENT.
    """

    index: int
    a: int
    b: int
    d_a: int
    d_b: int
    pre: bytes
    post: bytes
    evidence: bytes

    def hash(self) -> bytes:
        """Return the leaf hash, 32 bytes."""
        return round_leaf_hash(
            _LEAF.pack(self.index, self.a, self.b, self.d_a, self.d_b, self.pre, self.post, self.evidence)
        )

    def as_tuple(self) -> tuple[int, int, int, int, int, bytes, bytes, bytes]:
        """Return the fields in the order of the contract's struct."""
        return (self.index, self.a, self.b, self.d_a, self.d_b, self.pre, self.post, self.evidence)


@dataclass(frozen=True, slots=True)
class Played:
    """What a finished match adds to the standings: seats of the roster, their scores, the match commitment."""

    a: int
    b: int | None
    score_a: int
    score_b: int | None
    commitment: bytes


@dataclass(frozen=True, slots=True)
class RoundCommitment:
    """The leaves of a round in order, their tree, and the standings at the end (by seat)."""

    leaves: tuple[RoundLeaf, ...]
    tree: RoundTree
    scores: tuple[int, ...]


def pack_standings(scores: Sequence[int]) -> bytes:
    """Return the scores by seat as big-endian signed 64-bit integers."""
    return struct.pack(f">{len(scores)}q", *scores)


def standings_hash(scores: Sequence[int]) -> bytes:
    """Return Keccak-256 over the packed scores."""
    return keccak(pack_standings(scores))


def commit_round(
    roster_size: int, matches: Sequence[Played], go_on: Callable[[], object] = lambda: None
) -> RoundCommitment:
    """Return the leaves and the tree of a round whose ``matches`` are given in order.

    All standings are hashed after each match. ``go_on`` is called before each: what it raises ends the work.
    """
    scores = [0] * roster_size
    packed = bytearray(pack_standings(scores))  # a match changes two scores of perhaps thousands: only they are packed
    pre = keccak(packed)
    leaves = []
    for index, match in enumerate(matches):
        go_on()
        scores[match.a] += match.score_a
        _SCORE.pack_into(packed, _SCORE.size * match.a, scores[match.a])
        d_b = 0
        if match.b is not None and match.score_b is not None:
            d_b = match.score_b
            scores[match.b] += d_b
            _SCORE.pack_into(packed, _SCORE.size * match.b, scores[match.b])
        post = keccak(packed)
        b = NO_OPPONENT if match.b is None else match.b
        leaves.append(RoundLeaf(index, match.a, b, match.score_a, d_b, pre, post, match.commitment))
        pre = post
    return RoundCommitment(tuple(leaves), RoundTree([leaf.hash() for leaf in leaves]), tuple(scores))
