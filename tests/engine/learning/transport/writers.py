"""Authors of records, for the tests of the DHT."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from engine.learning.crypto.ed25519 import SecretKey
from engine.learning.ports import Record
from engine.learning.transport.records import ack_key, sign_record

UPDATE = sha256(b"update").digest()
KEY = ack_key(UPDATE)
VALUE = b"\x01" + bytes(128)


@dataclass(frozen=True)
class Writer:
    """A validator or trainer of a test."""

    secret: SecretKey
    peer_id: str

    def record(self, key: str = KEY, value: bytes = VALUE, expiry: float = 3600.0) -> Record:
        return sign_record(key, self.peer_id, value, expiry, self.secret)


def writers(count: int, name: str = "validator") -> list[Writer]:
    secrets = [SecretKey(sha256(f"{name} {number}".encode()).digest()) for number in range(count)]
    return [Writer(secret, sha256(secret.public).hexdigest()[:16]) for secret in secrets]


def register(dht: Any, authors: list[Writer], role: str = "validator") -> None:
    for author in authors:
        dht.register(author.secret.public, author.peer_id, role)
