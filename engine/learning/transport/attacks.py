"""Records of attackers on the DHT, for the faults and their tests. None of them may ever be counted."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from hashlib import sha256

from engine.learning.config import ACK_TTL
from engine.learning.crypto.ed25519 import SecretKey
from engine.learning.ports import Record
from engine.learning.transport.records import sign_record

ACCEPT = b"\x01" + bytes(128)  # the form of an ACK: verdict, BLS signature, commitment
SYBILS = 10_000


def sybil_key(seed: int, number: int) -> SecretKey:
    """Return the key of an identity that costs nothing."""
    return SecretKey(sha256(b"sybil" + seed.to_bytes(16, "big") + number.to_bytes(8, "big")).digest())


def sybil_acks(seed: int, key: str, count: int, now: float) -> Iterator[Record]:
    """Yield ACKs by ``count`` keys that are no validator's, each well signed and under a name of its own."""
    for number in range(count):
        secret = sybil_key(seed, number)
        yield sign_record(key, sha256(secret.public).hexdigest()[:16], ACCEPT, now + ACK_TTL, secret)


def forged_acks(key: str, victims: Iterable[str], liar: SecretKey, now: float) -> Iterator[Record]:
    """Yield ACKs in the names of others under the liar's own signature, and under a copy of the victim's name."""
    for victim in victims:
        yield sign_record(key, victim, ACCEPT, now + ACK_TTL, liar)


def borrowed_acks(key: str, victims: Iterable[tuple[str, bytes]], liar: SecretKey, now: float) -> Iterator[Record]:
    """Yield ACKs that claim the victim's key (peer id, Ed25519 public key) as author, with a signature of the liar."""
    for victim, public in victims:
        yield dataclasses.replace(sign_record(key, victim, ACCEPT, now + ACK_TTL, liar), author=public)


def squatting_acks(
    key: str, victims: Iterable[str], liar: SecretKey, now: float, years: float = 100.0
) -> Iterator[Record]:
    """Yield ACKs for the places of others, written first and to last for years, so that theirs come too late."""
    for victim in victims:
        yield sign_record(key, victim, ACCEPT, now + years * 31_557_600.0, liar)


def replayed_acks(records: Iterable[Record], key: str) -> Iterator[Record]:
    """Yield true ACKs of one update under the key of another: the signature stays what it was."""
    for record in records:
        yield dataclasses.replace(record, key=key)
