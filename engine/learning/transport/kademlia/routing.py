"""Routing tables: what each peer knows of the others, in k-buckets by the length of the common prefix.

Places in the space have 160 bits; distances are compared by the first 64, which no two peers share.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from engine.learning.errors import LearnSettingError
from engine.learning.transport.identity import ID_BITS

BUCKET = 20  # k: contacts a bucket, and replicas of a record
_POWERS = np.array([1 << bit for bit in range(64)], dtype=np.uint64)
FAILURES = 3  # in a row, after which a contact leaves the table
_STEP = 30.0  # seconds: chances are given in such steps, not one by one
_BACKOFF = (60.0, 240.0, 960.0)  # seconds that a silent peer is left alone after each


class Target:
    """A key seen by the network: all peers in the order of their distance, and each peer's rank in it."""

    __slots__ = ("order", "ranks", "rows")

    def __init__(self, places: npt.NDArray[np.uint64], place: int) -> None:
        order = np.argsort(places ^ np.uint64(place >> (ID_BITS - 64)), kind="stable")
        self.order: list[int] = order.tolist()
        self.ranks = np.empty(len(places), dtype=np.int64)
        self.ranks[order] = np.arange(len(places))
        self.rows: dict[int, tuple[int, frozenset[int]]] = {}  # peer -> (version of its table, its k nearest ranks)


class Routing:
    """The tables of all peers."""

    def __init__(self, places: Sequence[int], seed: Callable[[int], np.random.Generator]) -> None:
        """``places``: 160-bit numbers, one a peer; ``seed`` gives the generator that fills a peer's table.

        The tables are those of a network that has run for a while: each bucket holds up to k of the peers that
        belong there, drawn at random.
        """
        self.places = np.array([place >> (ID_BITS - 64) for place in places], dtype=np.uint64)
        if len(set(self.places.tolist())) != len(places):
            raise LearnSettingError("Two DHT peers cannot be told apart", "their places share 64 bits", "Change one.")
        self._contacts: list[set[int]] = []
        self._arrays: list[npt.NDArray[np.int64] | None] = [None] * len(places)
        self._versions = [0] * len(places)
        self._silent: list[dict[int, tuple[float, int]]] = [{} for _ in places]
        self._sparse: set[int] = set()  # peers whose table lost a contact: they take new ones in
        self._next_chance = math.inf
        for number in range(len(places)):
            order = seed(number).permutation(len(places))
            self._contacts.append(set(self._fill(number, order)))

    def _fill(self, number: int, order: npt.NDArray[np.int64]) -> list[int]:
        """Return the first k peers of each bucket, in the given order of acquaintance."""
        order = order[order != number]
        buckets = self._bucket(number, order)
        by_bucket = np.argsort(buckets, kind="stable")
        ordered = buckets[by_bucket]
        place_in_bucket = np.arange(len(ordered)) - np.searchsorted(ordered, ordered, side="left")
        kept: list[int] = order[by_bucket[place_in_bucket < BUCKET]].tolist()
        return kept

    def _bucket(self, number: int, others: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        lengths: npt.NDArray[np.int64] = np.searchsorted(_POWERS, self.places[others] ^ self.places[number], "right")
        return lengths

    def target(self, place: int) -> Target:
        """Return the network's order around a place."""
        return Target(self.places, place)

    def nearest(self, peer: int, target: Target) -> frozenset[int]:
        """Return what a peer answers to FIND_NODE: the ranks of the k contacts nearest to the target."""
        row = target.rows.get(peer)
        if row is not None and row[0] == self._versions[peer]:
            return row[1]
        contacts = self._arrays[peer]
        if contacts is None:
            quiet = {contact for contact, (until, _) in self._silent[peer].items() if until}
            contacts = np.array(sorted(self._contacts[peer] - quiet), dtype=np.int64)
            self._arrays[peer] = contacts
        ranks = target.ranks[contacts]
        if len(ranks) > BUCKET:
            ranks = np.partition(ranks, BUCKET - 1)[:BUCKET]
        found = frozenset(ranks.tolist())
        target.rows[peer] = (self._versions[peer], found)
        return found

    def contacts(self, peer: int) -> frozenset[int]:
        """Return whom a peer knows."""
        return frozenset(self._contacts[peer])

    def silent(self, peer: int) -> list[int]:
        """Return whom a peer leaves alone because they did not answer it lately."""
        return [other for other, (until, _) in self._silent[peer].items() if until]

    def failed(self, peer: int, other: int, now: float) -> None:
        """Note that a peer did not answer another: it is left alone for a while, and forgotten after three times."""
        fails = min(self._silent[peer].get(other, (0.0, 0))[1], len(_BACKOFF) - 1)
        if other in self._contacts[peer] and self._silent[peer].get(other, (0.0, 0))[1] >= FAILURES - 1:
            self._contacts[peer].discard(other)
        until = _STEP * math.ceil((now + _BACKOFF[fails]) / _STEP)
        self._silent[peer][other] = (until, fails + 1)
        self._next_chance = min(self._next_chance, until)
        self._sparse.add(peer)
        self._changed(peer)

    def heard(self, peer: int, others: Iterable[int]) -> None:
        """Note that a peer heard of live others: known ones count again, new ones are taken in where there is room."""
        if peer not in self._sparse:
            return
        silent, contacts = self._silent[peer], self._contacts[peer]
        for other in others:
            if other in silent:
                del silent[other]
                self._changed(peer)
            if other not in contacts and other != peer and self._has_room(peer, other):
                contacts.add(other)
                self._changed(peer)

    def _has_room(self, peer: int, other: int) -> bool:
        known = np.array([*self._contacts[peer], other], dtype=np.int64)
        buckets = self._bucket(peer, known)
        return int((buckets[:-1] == buckets[-1]).sum()) < BUCKET

    def restart(self, peer: int, contacts: Iterable[int]) -> None:
        """Empty a peer's table but for those it starts with."""
        self._contacts[peer] = set(contacts)
        self._silent[peer] = {}
        self._sparse.add(peer)
        self._changed(peer)

    def advance(self, now: float) -> None:
        """Try contacts again whose time to be left alone is over (they keep their count of failures)."""
        if now < self._next_chance:
            return
        for peer in sorted(self._sparse):
            over = [contact for contact, (until, _) in self._silent[peer].items() if 0 < until <= now]
            if over:
                self._changed(peer)
            for contact in over:
                self._silent[peer][contact] = (0.0, self._silent[peer][contact][1])
        untils = (until for peer in self._sparse for until, _ in self._silent[peer].values() if until)
        self._next_chance = min(untils, default=math.inf)

    def _changed(self, peer: int) -> None:
        self._versions[peer] += 1
        self._arrays[peer] = None
