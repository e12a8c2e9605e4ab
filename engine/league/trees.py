"""Merkle trees for views: a round with a leaf a match, a match with a leaf a step, flat and quick to send.

A tree is made in a worker process, where its hashing stalls nobody, and sent as a few long strings of bytes. Reading a
node, a path or a leaf costs nothing then, whatever the tree's size; searching 100,000 leaves takes milliseconds.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from struct import Struct
from typing import Final

from engine.core.merkle import ABSENT, round_node
from engine.league.bundle import read_bundle
from engine.league.history import EntryRow, History, MatchRow
from engine.league.settlement import StoredRound
from engine.league.trace import Record
from engine.store.database import Store

NODE: Final = 32
ROUND_LEAF: Final = Struct(">IIIqq32s32s32s")
STEP_LEAF: Final = 72
_HEX: Final = re.compile(r"[0-9a-f]{4,64}")
_SEPARATOR: Final = "\x1f"
_END: Final = "\n"
Place = tuple[int, str, bytes]  # on the way up: the level, the side of the sibling, the sibling


@dataclass(frozen=True)
class FlatTree:
    """A tree whose nodes lie in one string of bytes a level, leaves first.

    ``bodies`` are the bytes that leaves hash, ``width`` each. ``positional``: missing nodes are zeros or hashes of
    them, as on chain; otherwise a last lone node rises unchanged (RFC 6962). ``text`` has a line a leaf, to search in;
    ``keys`` are hashes that a leaf is found by besides its own, ``key_width`` bytes a leaf.
    """

    size: int
    width: int
    bodies: bytes
    levels: tuple[bytes, ...]
    positional: bool
    text: str = ""
    keys: bytes = b""
    key_width: int = 0

    @property
    def root(self) -> bytes:
        """The root, 32 bytes."""
        return self.levels[-1][:NODE]

    @property
    def depth(self) -> int:
        """Levels above the leaves."""
        return len(self.levels) - 1

    def body(self, index: int) -> bytes:
        """Return the bytes that a leaf hashes."""
        return self.bodies[index * self.width : (index + 1) * self.width]

    def count(self, level: int) -> int:
        """Return how many nodes a level has, absent ones left out."""
        return len(self.levels[level]) // NODE

    def node(self, level: int, index: int) -> bytes:
        """Return a node, ``level`` above the leaves, the ``index``-th from the left."""
        found = self.levels[level][index * NODE : (index + 1) * NODE]
        return found or self._absent[level]

    def children(self, level: int, index: int) -> tuple[bytes, bytes] | None:
        """Return what an inner node joins; None for a leaf, and where a lone node only rises."""
        if level == 0 or (2 * index + 1 >= self.count(level - 1) and not self.positional):
            return None
        return self.node(level - 1, 2 * index), self.node(level - 1, 2 * index + 1)

    def path(self, index: int, level: int = 0) -> list[Place]:
        """Return the way from a node up to the root."""
        places: list[Place] = []
        for height in range(level, self.depth):
            sibling = index ^ 1
            if self.positional or sibling < self.count(height):
                places.append((height, "left" if index % 2 else "right", self.node(height, sibling)))
            index //= 2
        return places

    def line(self, index: int) -> list[str]:
        """Return the words of a leaf."""
        return self._lines[index].split(_SEPARATOR) if index < len(self._lines) else []

    def search(self, query: str, limit: int = 200) -> list[int]:
        """Return the leaves that fit, in order: by number, by a hash's beginning, or by all words of their line."""
        words = query.casefold().replace(",", "").split()
        if not words:
            return []
        if len(words) == 1:
            word = words[0].removeprefix("0x").removeprefix("#")
            if word.isdecimal() and int(word) < self.size:
                exact = [int(word)]
                return exact + [at for at in self._with_words(words, limit) if at not in exact][: limit - 1]
            if _HEX.fullmatch(word) and (found := list(self._with_hash(word, limit))):
                return found
        return list(self._with_words(words, limit))

    def _with_words(self, words: Sequence[str], limit: int) -> Iterator[int]:
        """Yield the leaves whose lines have all words: only the places of the rarest one are looked at."""
        text, starts = self._folded, self._starts
        rarest = min(words, key=text.count)
        others = [word for word in words if word != rarest]
        found, at = 0, text.find(rarest)
        while at >= 0 and found < limit:
            leaf = bisect_right(starts, at) - 1
            end = starts[leaf + 1]
            if all(text.find(word, starts[leaf], end) >= 0 for word in others):
                yield leaf
                found += 1
            at = text.find(rarest, end)

    def _with_hash(self, word: str, limit: int) -> Iterator[int]:
        whole, seen = bytes.fromhex(word[: len(word) // 2 * 2]), set()
        for data, width in ((self.levels[0], NODE), (self.keys, self.key_width or NODE)):
            for start in _occurrences(data, whole):
                if start % NODE == 0 and data[start : start + NODE].hex().startswith(word):
                    seen.add(start // width)
                    if len(seen) == limit:
                        break
        yield from sorted(seen)[:limit]

    @cached_property
    def _lines(self) -> list[str]:
        return self.text.split(_END)

    @cached_property
    def _folded(self) -> str:
        return self.text.casefold()

    @cached_property
    def _starts(self) -> Sequence[int]:
        """Where each line begins, and where the text ends."""
        return array("q", accumulate((len(line) + 1 for line in self._folded.split(_END)), initial=0))

    @cached_property
    def _absent(self) -> list[bytes]:
        found = [ABSENT]
        for _ in range(self.depth):
            found.append(round_node(found[-1], found[-1]))
        return found


def _occurrences(data: bytes, part: bytes) -> Iterator[int]:
    at = data.find(part)
    while at >= 0:
        yield at
        at = data.find(part, at + 1)


@dataclass(frozen=True)
class MatchTree:
    """A round's tree. ``fixtures`` are the numbers of the matches by leaf, ``league_id`` is its name on chain."""

    round_id: str
    title: str
    book: str
    league_id: bytes
    anchored: bool
    tree: FlatTree
    fixtures: Sequence[int]

    def leaf_of(self, fixture: int) -> int | None:
        """Return the leaf of a match, None when the round has no such match."""
        return self._leaves.get(fixture)

    @cached_property
    def _leaves(self) -> dict[int, int]:
        return {fixture: leaf for leaf, fixture in enumerate(self.fixtures)}


@dataclass(frozen=True)
class StepTree:
    """A match's trace tree, with what binds it into its round."""

    steps: int
    seats: int
    header: bytes
    trace_root: bytes
    commitment: bytes
    tree: FlatTree


def load_round(database: Path, round_id: str) -> MatchTree:
    """Build a round's tree from the store; for worker processes. Raises UsageError for an unknown round."""
    with Store.reading(database) as store:
        stored = StoredRound.load(History(store), round_id)
    leaves, tree = stored.commitment.leaves, stored.commitment.tree
    matches = stored.matches[: len(leaves)]
    flat = FlatTree(
        size=len(leaves),
        width=ROUND_LEAF.size,
        bodies=b"".join(ROUND_LEAF.pack(*leaf.as_tuple()) for leaf in leaves),
        levels=tuple(b"".join(level) for level in tree.levels),
        positional=True,
        text=_END.join(_match_line(match, stored.entries) for match in matches),
        keys=b"".join(match.trace_root.ljust(NODE, b"\0")[:NODE] + leaf.evidence
                      for match, leaf in zip(matches, leaves, strict=False)),
        key_width=2 * NODE,
    )  # fmt: skip
    row = stored.row
    return MatchTree(
        row.round_id,
        f"{row.name} #{row.number}",
        row.book,
        stored.league_id,
        row.root is not None,
        flat,
        array("q", [match.fixture for match in matches]),
    )


def _match_line(match: MatchRow, entries: Sequence[EntryRow]) -> str:
    b = "" if match.b is None else entries[match.b].name
    scores = f"score {match.score_a}" + ("" if match.score_b is None else f" to {match.score_b}")
    parts = (f"match {match.fixture}", entries[match.a].name, b, match.outcome, match.cause or "", scores,
             f"{match.steps} steps")  # fmt: skip
    return _SEPARATOR.join(part.replace(_END, " ") for part in parts)


def load_trace(path: Path) -> StepTree:
    """Build the trace tree of a bundle's match; for worker processes. Raises BundleError."""
    bundle = read_bundle(path)
    records = bundle.records
    flat = FlatTree(
        size=bundle.steps,
        width=STEP_LEAF,
        bodies=b"".join(record.body() for record in records),
        levels=tuple(b"".join(level) for level in records.tree.levels),
        positional=False,
        text=_END.join(_step_lines(bundle.records)),
    )
    return StepTree(bundle.steps, len(bundle.agents), bundle.header, bundle.trace_root, bundle.commitment, flat)


def _step_lines(records: Iterable[Record]) -> Iterator[str]:
    for record in records:
        yield _SEPARATOR.join((f"step {record.step}", f"seat {record.seat}", record.cause or ""))


def leaf_tuple(body: bytes) -> tuple[int, int, int, int, int, bytes, bytes, bytes]:
    """Return the contract's struct in the bytes of a round leaf, true or edited."""
    index, a, b, d_a, d_b, pre, post, evidence = ROUND_LEAF.unpack(body)
    return index, a, b, d_a, d_b, pre, post, evidence
