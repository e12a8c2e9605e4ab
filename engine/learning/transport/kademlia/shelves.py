"""What all peers hold: each record once, with the set of its holders as the bits of a number.

That is every peer's shelf at a fortieth of the memory: peers near a key hold the same.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from engine.learning.ports import Record
from engine.learning.transport.policy import Equivocations, same


@dataclass(slots=True)
class Holding:
    """A record and its holders: bit p is peer p."""

    record: Record
    holders: int


class Shelves:
    """The shelves of all peers. A peer keeps the first record of an author under a key, as long as that lives."""

    def __init__(self) -> None:
        self._keys: dict[str, dict[str, list[Holding]]] = {}
        self._deadlines: list[tuple[float, str]] = []
        self._first: dict[str, float] = {}  # when the first record under a key ends, as the deadlines have it
        self._gone = 0  # peers that were killed: what they held counts no more
        self._counts: Counter[int] = Counter()
        self.equivocations = Equivocations()

    def put(self, record: Record, holders: int, now: float) -> int:
        """Lay a record on the shelves of peers; return those of them that hold it now."""
        if self._gone & holders:
            self._purge()
        subkeys = self._keys.get(record.key)
        if subkeys is None:
            subkeys = self._keys[record.key] = {}
        if record.expiry < self._first.get(record.key, math.inf):
            self._first[record.key] = record.expiry
            heapq.heappush(self._deadlines, (record.expiry, record.key))
        holdings = subkeys.setdefault(record.subkey, [])
        kept = 0
        for held in holdings:
            if held.record.expiry <= now:
                continue
            both = held.holders & holders
            if held.record == record:
                kept |= both
            elif not same(held.record, record):
                self.equivocations.add(held.record, record)
            elif held.record.expiry >= record.expiry:
                kept |= both
            else:  # the same word for longer: the newer takes its place
                self._count(both, -1)
                held.holders &= ~both
                continue
            holders &= ~both
        if holders:
            self._add(holdings, record, holders)
        holdings[:] = [held for held in holdings if held.holders]
        return kept | holders

    def _add(self, holdings: list[Holding], record: Record, holders: int) -> None:
        self._count(holders, 1)
        for held in holdings:
            if held.record == record:
                held.holders |= holders
                return
        holdings.append(Holding(record, holders))

    def holds(self, record: Record) -> bool:
        """Return whether somebody holds a record, or one that its author put in its place."""
        return record.subkey in self._keys.get(record.key, {})

    def get(self, key: str, askable: int, now: float) -> list[Record]:
        """Return the live records under a key that some of the peers hold, one a subkey, sorted by it.

        Where an author wrote different things to different peers, the one that more of them hold counts.
        """
        askable &= ~self._gone
        found: list[Record] = []
        for subkey, holdings in self._keys.get(key, {}).items():
            there = [held for held in holdings if held.holders & askable and held.record.expiry > now]
            if not there:
                continue
            best = there[0]
            if len(there) > 1:
                best = max(there, key=lambda held: ((held.holders & askable).bit_count(), held.record.signature))
                for other in there:
                    if not same(best.record, other.record):
                        self.equivocations.add(best.record, other.record)
            assert best.record.subkey == subkey
            found.append(best.record)
        found.sort(key=lambda record: record.subkey)
        return found

    def kill(self, peer: int) -> None:
        """Drop what a peer holds."""
        self._gone |= 1 << peer
        self._counts.pop(peer, None)

    def revive(self, peer: int) -> None:
        """Let a peer hold again; its shelf is empty."""
        if self._gone >> peer & 1:
            self._purge()
            self._gone &= ~(1 << peer)

    def _purge(self) -> None:
        """Take the killed out of all sets of holders."""
        keep = ~self._gone
        for subkeys in self._keys.values():
            for subkey, holdings in list(subkeys.items()):
                for held in holdings:
                    held.holders &= keep
                holdings[:] = [held for held in holdings if held.holders]
                if not holdings:
                    del subkeys[subkey]

    def expire(self, now: float) -> None:
        """Drop what is over."""
        while self._deadlines and self._deadlines[0][0] <= now:
            deadline, key = heapq.heappop(self._deadlines)
            if self._first.get(key) != deadline:
                continue  # an earlier one came in afterwards
            subkeys = self._keys[key]
            for subkey, holdings in list(subkeys.items()):
                for held in holdings:
                    if held.record.expiry <= now:
                        self._count(held.holders & ~self._gone, -1)
                holdings[:] = [held for held in holdings if held.record.expiry > now]
                if not holdings:
                    del subkeys[subkey]
            if subkeys:
                self._first[key] = min(held.record.expiry for holdings in subkeys.values() for held in holdings)
                heapq.heappush(self._deadlines, (self._first[key], key))
            else:
                del self._keys[key], self._first[key]

    def _count(self, holders: int, change: int) -> None:
        for peer in bits_of(holders):
            self._counts[peer] += change

    def count(self, peer: int) -> int:
        """Return how many records a peer holds."""
        return self._counts[peer]

    def names(self) -> list[str]:
        """Return the keys under which something is held."""
        return list(self._keys)

    def holdings(self, key: str) -> Iterator[tuple[Record, int]]:
        """Yield each record under a key, with its holders that live."""
        for holdings in list(self._keys.get(key, {}).values()):
            for held in list(holdings):
                yield held.record, held.holders & ~self._gone

    def __len__(self) -> int:
        return sum(len(subkeys) for subkeys in self._keys.values())


def bits_of(number: int) -> list[int]:
    """Return the places of the bits that are set, rising."""
    places = []
    while number:
        low = number & -number
        places.append(low.bit_length() - 1)
        number ^= low
    return places


def bits(peers: Iterable[int]) -> int:
    """Return the number whose bits are set at those places."""
    number = 0
    for peer in peers:
        number |= 1 << peer
    return number
