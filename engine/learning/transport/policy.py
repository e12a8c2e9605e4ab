"""Who may write what into the DHT: the one rule book of the simulated and of the real backend. Default deny.

Without it the first to write a key owns it: anybody could spam a committee's key, write in a member's name, or take a
member's place with a record that never expires.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.learning.config import ACK_TTL
from engine.learning.errors import TransportError
from engine.learning.ports import Record
from engine.learning.transport.records import MANIFEST_LIMIT, VALUE_LIMIT, is_signed, is_subkey, kind_of

ROLES = ("validator", "trainer")
WRITERS = {"delta": "trainer", "update": "validator", "ack": "validator", "reveal": "validator"}
LIMITS = {"delta": VALUE_LIMIT, "update": VALUE_LIMIT + MANIFEST_LIMIT, "ack": 1_024, "reveal": 1_024}  # bytes
REFUSALS = {
    "unknown_key": "its key is none of delta, update, ack and reveal",
    "oversize": "its value is larger than its kind may be",
    "unregistered": "its author is neither a validator nor a trainer of this chain",
    "not_validator": "only validators may write under this key",
    "not_trainer": "only trainers may write under this key",
    "foreign_subkey": "it is written in another's name",
    "expired": "its time is over",
    "far_expiry": "it is to live longer than a record may",
    "bad_signature": "the signature is not its author's over this key, name, value and expiry",
    "already_written": "its author wrote something else here before: what was first stays",
    "quota": "its author has as many live records as one may have",
    "unreachable": "no peer that could hold it answered",
    "malformed": "its bytes are not those of a record",
}
QUOTA = 2_048  # live records of an author: an hour of slots of 12 s has 300, with three or four records each


@dataclass(frozen=True, slots=True)
class Author:
    """Whom a key belongs to."""

    peer_id: str
    role: str


class RecordPolicy:
    """The rules, who may write, and how often each rule refused something."""

    def __init__(self, ttl: float = ACK_TTL, drift: float = 12.0) -> None:
        """``ttl``: the longest life of a record; ``drift``: how far clocks may be apart. Seconds of the chain's clock.

        The drift lets in the record of an author whose clock is a little ahead of the peer's.
        """
        self.ttl, self.drift = ttl, drift
        self._authors: dict[bytes, Author] = {}
        self._owners: dict[str, bytes] = {}
        self._living: dict[bytes, list[float]] = {}
        self.refused: Counter[str] = Counter()

    def register(self, author: bytes, peer_id: str, role: str) -> None:
        """Let an Ed25519 key write under its peer id. Raises TransportError where another key has that id."""
        if role not in ROLES or not is_subkey(peer_id) or len(author) != 32:
            raise TransportError("The author cannot be registered", f"role {role!r}, peer id {peer_id!r}")
        known = self._authors.get(author)
        if self._owners.get(peer_id, author) != author or (known is not None and known.peer_id != peer_id):
            raise TransportError(
                "The author cannot be registered",
                f"the peer id {peer_id} or its key is taken: two keys could write in one name",
                "Use another key.",
            )
        self._authors[author] = Author(peer_id, role)
        self._owners[peer_id] = author

    def authors(self) -> Mapping[bytes, Author]:
        """Return who may write, by Ed25519 key."""
        return self._authors

    def examine(self, record: Record, now: float) -> str:
        """Return why a record may not be stored at a time, a key of REFUSALS, or "". The cheap rules come first."""
        kind = kind_of(record.key)
        if not kind:
            return "unknown_key"
        if len(record.value) > LIMITS[kind]:
            return "oversize"
        author = self._authors.get(record.author)
        if author is None:
            return "unregistered"
        if author.role != WRITERS[kind]:
            return f"not_{WRITERS[kind]}"
        if record.subkey != author.peer_id:
            return "foreign_subkey"
        if not record.expiry > now:
            return "expired"
        if not record.expiry <= now + self.ttl + self.drift:
            return "far_expiry"
        return "" if is_signed(record) else "bad_signature"

    def spend(self, record: Record, now: float) -> bool:
        """Take a new record from its author's quota; return whether there was something left of it.

        A validator could otherwise fill the memory of all peers with ACKs of updates that do not exist.
        """
        living = self._living.setdefault(record.author, [])
        while living and living[0] <= now:
            heapq.heappop(living)
        if len(living) >= QUOTA:
            self.refused["quota"] += 1
            return False
        heapq.heappush(living, record.expiry)
        return True

    def admit(self, record: Record, now: float) -> str:
        """Examine a record and count what is refused."""
        reason = self.examine(record, now)
        if reason:
            self.refused[reason] += 1
        return reason


def same(first: Record, second: Record) -> bool:
    """Return whether two records of one author say the same; only their expiry may differ."""
    return first.value == second.value and first.author == second.author


def sentence(reason: str, record: Record | None = None) -> str:
    """Return what was refused and why, in one sentence for the operator."""
    what = "A record" if record is None else f"The record {record.key}:{record.subkey}"
    return f"{what[:96]} was refused: {REFUSALS.get(reason, reason)}."


class Equivocations:
    """Pairs of different records that one author wrote under one key: evidence, bounded in number."""

    def __init__(self, limit: int = 1_024) -> None:
        self._pairs: dict[tuple[str, str], tuple[Record, Record]] = {}
        self._limit = limit

    def add(self, first: Record, second: Record) -> None:
        """Keep the first pair of each author and key."""
        if len(self._pairs) < self._limit:
            self._pairs.setdefault((first.key, first.subkey), (first, second))

    def pairs(self) -> tuple[tuple[Record, Record], ...]:
        """Return the pairs, sorted by key and author."""
        return tuple(self._pairs[name] for name in sorted(self._pairs))

    def extend(self, pairs: Iterable[tuple[Record, Record]]) -> None:
        """Take over pairs that others found."""
        for first, second in pairs:
            self.add(first, second)
