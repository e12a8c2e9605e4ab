"""Identities of DHT peers: Ed25519 keys of the genesis seed, and libp2p's peer ids of them.

Source: the libp2p specification of peer ids and keys (protobuf of key type and bytes; an identity multihash, base58).
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

from engine.learning.crypto import ed25519

ID_BITS = 160
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_ED25519_PUBLIC = bytes([0x08, 0x01, 0x12, 32])  # protobuf: type Ed25519, 32 bytes of data
_ED25519_PRIVATE = bytes([0x08, 0x01, 0x12, 64])
_IDENTITY_HASH = bytes([0x00, 36])


@lru_cache(maxsize=8_192)
def peer_key(genesis_seed: str, number: int) -> ed25519.SecretKey:
    """Return the key of a DHT peer. It names the peer; records are signed by the keys of validators and trainers."""
    seed = sha256(b"POL-AI dht peer" + bytes.fromhex(genesis_seed) + number.to_bytes(4, "big")).digest()
    return ed25519.SecretKey(seed)


def libp2p_id(public: bytes) -> str:
    """Return libp2p's peer id of an Ed25519 public key: ``12D3KooW…``."""
    return base58(_IDENTITY_HASH + _ED25519_PUBLIC + public)


def libp2p_private(key: ed25519.SecretKey) -> bytes:
    """Return a key in the form of libp2p's identity files: for a file that only its node can read."""
    return _ED25519_PRIVATE + key.seed + key.public


def node_id(name: str) -> int:
    """Return the place of a peer or a key in the space of the simulated Kademlia, 160 bits."""
    return int.from_bytes(sha256(b"POL-AI kademlia" + name.encode()).digest()[: ID_BITS // 8], "big")


def base58(data: bytes) -> str:
    """Return bytes in Bitcoin's base 58."""
    number, digits = int.from_bytes(data, "big"), []
    while number:
        number, digit = divmod(number, 58)
        digits.append(_ALPHABET[digit])
    return "1" * (len(data) - len(data.lstrip(b"\x00"))) + "".join(reversed(digits))
