"""What a host publishes of a round: leaves, final scores, and where it was dishonest, which only a simulation knows."""

from __future__ import annotations

import sqlite3
import struct
from dataclasses import dataclass
from enum import StrEnum

from engine.core.merkle import RoundTree
from engine.league.standings import RoundCommitment, RoundLeaf, pack_standings

_LEAF = struct.Struct(">IIIqq32s32s32s")


class Dishonesty(StrEnum):
    """How a host cheats when it anchors a round. The operator's console switches it on to show what follows."""

    HONEST = "honest"
    INFLATE = "inflate"
    INFLATE_TOTAL = "inflate_total"
    ALTER = "alter"
    WITHHOLD = "withhold"
    EQUIVOCATE = "equivocate"

    @property
    def meaning(self) -> str:
        """What the host does, for a person."""
        return _MEANINGS[self]


_MEANINGS = {
    Dishonesty.HONEST: "Honest",
    Dishonesty.INFLATE: "Raises a score in one match, and the standings after it",
    Dishonesty.INFLATE_TOTAL: "Posts a total that its own matches do not add up to",
    Dishonesty.ALTER: "Changes a step in the trace of one match",
    Dishonesty.WITHHOLD: "Raises a score in one match and does not publish that match",
    Dishonesty.EQUIVOCATE: "Signs a second root for the same round",
}


@dataclass(frozen=True, slots=True)
class SecondRoot:
    """Another root that the host signed for the same round, with its EIP-712 signature."""

    root: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Published:
    """A round as others see it. A withheld leaf is None, its hash is known: it is part of the tree.

    ``scores`` are the final ones by seat, ``second`` another root that came to light.
    """

    hashes: tuple[bytes, ...]
    leaves: tuple[RoundLeaf | None, ...]
    scores: tuple[int, ...]
    second: SecondRoot | None = None

    @property
    def withheld(self) -> tuple[int, ...]:
        """The indices of the leaves that were not published."""
        return tuple(index for index, leaf in enumerate(self.leaves) if leaf is None)

    def tree(self) -> RoundTree:
        """Return the tree over the published hashes."""
        return RoundTree(self.hashes)


@dataclass(frozen=True, slots=True)
class Publication:
    """A round as its host has it: what it anchored, what of that it holds back, and the match it cheated in."""

    dishonesty: Dishonesty
    commitment: RoundCommitment
    match: int | None = None
    withheld: frozenset[int] = frozenset()
    second: SecondRoot | None = None

    def shown(self) -> Published:
        """Return what others get to see."""
        leaves = self.commitment.leaves
        return Published(
            tuple(leaf.hash() for leaf in leaves),
            tuple(None if leaf.index in self.withheld else leaf for leaf in leaves),
            self.commitment.scores,
            self.second,
        )


class Publications:
    """The publications of dishonest hosts in the store; an honest one follows from the matches and is not kept."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def add(self, round_id: str, item: Publication) -> None:
        """Keep a publication, in the caller's transaction. The first one stays."""
        second = None if item.second is None else item.second.root + item.second.signature
        cursor = self._db.execute(
            "INSERT INTO publications VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING",
            (round_id, item.dishonesty.value, item.match, pack_standings(item.commitment.scores), second),
        )
        if cursor.rowcount:
            self._db.executemany(
                "INSERT INTO published_leaves VALUES (?,?,?,?)",
                (
                    (round_id, leaf.index, _LEAF.pack(*leaf.as_tuple()), leaf.index in item.withheld)
                    for leaf in item.commitment.leaves
                ),
            )

    def get(self, round_id: str) -> Publication | None:
        """Return the publication of a round whose host was told to cheat, None for an honest one."""
        row = self._db.execute("SELECT * FROM publications WHERE round_id = ?", (round_id,)).fetchone()
        if row is None:
            return None
        rows = self._db.execute(
            "SELECT leaf, withheld FROM published_leaves WHERE round_id = ? ORDER BY idx", (round_id,)
        ).fetchall()
        leaves = tuple(RoundLeaf(*_LEAF.unpack(item["leaf"])) for item in rows)
        tree = RoundTree([leaf.hash() for leaf in leaves])
        return Publication(
            Dishonesty(row["dishonesty"]),
            RoundCommitment(leaves, tree, _unpack_scores(row["scores"])),
            row["match"],
            frozenset(index for index, item in enumerate(rows) if item["withheld"]),
            None if row["second"] is None else SecondRoot(row["second"][:32], row["second"][32:]),
        )


def _unpack_scores(packed: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{len(packed) // 8}q", packed)
