"""Records of the DHT: their keys, their signatures, and the bytes that go between peers.

A record is signed with Ed25519 over key, subkey, expiry and value, so that it is worth nothing under another key, in
another author's name, or for longer than its author meant. Layout of the wire form, big-endian:
version (1 byte) | key length (1) | key | subkey length (1) | subkey | expiry (float64) | author (32) | signature (64) |
value length (4) | value.
"""

from __future__ import annotations

import math
import re
import struct
from hashlib import sha256

from engine.learning.config import DELTA_LIMIT
from engine.learning.crypto import ed25519
from engine.learning.crypto.memo import Memo
from engine.learning.errors import TransportError
from engine.learning.ports import Record

VALUE_LIMIT = DELTA_LIMIT + 32  # bytes of a raw delta's value: the root of its base comes first
MANIFEST_LIMIT = 16_384  # bytes that an update's record may hold beside its delta
KEY_LIMIT = 64  # characters
ENVELOPE_LIMIT = 1 + 1 + KEY_LIMIT + 1 + 16 + 8 + 32 + 64 + 4  # bytes around a value
KINDS = ("delta", "update", "ack", "reveal")

_DOMAIN = b"POL-AI record\x01"
_VERSION = 1
_KEY = re.compile(r"(delta|update):(0|[1-9][0-9]{0,15})(?::([0-9a-f]{16}))?|(ack|reveal):([0-9a-f]{16})")
_SUBKEY = re.compile(r"[0-9a-f]{16}")
_VERIFIED: Memo[bytes, bool] = Memo(65_536)


def delta_key(number: int) -> str:
    """Return the key of a round's raw deltas; subkey: the trainer's id."""
    return f"delta:{number}"


def update_key(number: int, update_id: bytes | None = None) -> str:
    """Return the key of a round's update; subkey: the aggregator's peer id.

    With ``update_id`` the key of one of several updates of a round: only who lies needs it.
    """
    return f"update:{number}" if update_id is None else f"update:{number}:{update_id.hex()[:16]}"


def ack_key(update_id: bytes) -> str:
    """Return the key of an update's ACKs; subkey: the member's peer id."""
    return f"ack:{update_id.hex()[:16]}"


def reveal_key(update_id: bytes) -> str:
    """Return the key of the losses that members open after inclusion; subkey: the member's peer id."""
    return f"reveal:{update_id.hex()[:16]}"


def kind_of(key: str) -> str:
    """Return delta, update, ack or reveal, and "" for what is no key of ours."""
    return key.partition(":")[0] if len(key) <= KEY_LIMIT and _KEY.fullmatch(key) else ""


def is_subkey(subkey: str) -> bool:
    """Return whether a subkey has the form of a peer id: 16 hexadecimal digits, small letters."""
    return _SUBKEY.fullmatch(subkey) is not None


def shown(key: str, subkey: str) -> str:
    """Return a record's name as the specification writes it: ``ack:{updateID[:16]}:{peerID}``."""
    return f"{key}:{subkey}"


def signed_bytes(key: str, subkey: str, value: bytes, expiry: float) -> bytes:
    """Return the bytes that an author signs."""
    name, sub = key.encode("utf-8", "surrogatepass"), subkey.encode("utf-8", "surrogatepass")
    lengths = struct.pack(">IId", len(name), len(sub), expiry)
    return b"".join((_DOMAIN, lengths, name, sub, value))


def sign_record(key: str, subkey: str, value: bytes, expiry: float, secret: ed25519.SecretKey) -> Record:
    """Return a record under an author's signature. ``expiry`` is in seconds of the chain's clock.

    Nothing is checked here: attackers sign too. A signature just made needs no checking later, and is remembered.
    """
    message = signed_bytes(key, subkey, value, expiry)
    signature = ed25519.sign(secret, message)
    _VERIFIED.put(_memo_key(secret.public, message, signature), True)
    return Record(key, subkey, value, expiry, secret.public, signature)


def is_signed(record: Record) -> bool:
    """Return whether a record bears its author's signature. Each is verified once in a process."""
    try:
        message = signed_bytes(record.key, record.subkey, record.value, record.expiry)
    except struct.error:  # an expiry that is no number
        return False
    memo = _memo_key(record.author, message, record.signature)
    known = _VERIFIED.get(memo)
    if known is None:
        known = ed25519.verify(record.author, message, record.signature)
        _VERIFIED.put(memo, known)
    return known


def _memo_key(author: bytes, message: bytes, signature: bytes) -> bytes:
    lengths = struct.pack(">QQ", len(author), len(signature))
    return sha256(b"".join((lengths, author, signature, message))).digest()


def pack(record: Record) -> bytes:
    """Return a record's wire form. Raises TransportError for what does not fit into it."""
    key, subkey = record.key.encode("ascii", "replace"), record.subkey.encode("ascii", "replace")
    if len(key) > KEY_LIMIT or len(subkey) > 255 or len(record.author) != 32 or len(record.signature) != 64:
        raise TransportError("The record cannot be sent", "its key, author or signature has a wrong length")
    head = struct.pack(">BB", _VERSION, len(key)) + key + struct.pack(">B", len(subkey)) + subkey
    tail = struct.pack(">d32s64sI", record.expiry, record.author, record.signature, len(record.value))
    return head + tail + record.value


def parse(data: bytes) -> Record:
    """Return the record in a wire form. Raises TransportError where a byte is missing, over, or of another form."""
    try:
        version, length = struct.unpack_from(">BB", data)
        key = _text(data, 2, length)
        subkey = _text(data, 3 + length, data[2 + length])
        at = 3 + length + len(subkey)
        expiry, author, signature, size = struct.unpack_from(">d32s64sI", data, at)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise TransportError("The record cannot be read", "it is cut off or holds other bytes") from error
    value = data[at + 108 :]
    if version != _VERSION or length > KEY_LIMIT or len(value) != size or not math.isfinite(expiry):
        raise TransportError("The record cannot be read", "its version, lengths or expiry are not those of a record")
    return Record(key, subkey, bytes(value), expiry, author, signature)


def _text(data: bytes, at: int, length: int) -> str:
    if len(data) < at + length:
        raise IndexError
    return data[at : at + length].decode("ascii")
