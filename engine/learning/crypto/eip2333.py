"""BLS keys derived from a seed along a path. Source: EIP-2333 (the tree of keys), EIP-2334 (the paths' form)."""

from __future__ import annotations

import hmac
import re
from functools import lru_cache
from hashlib import sha256

from engine.learning.crypto.bls import ORDER
from engine.learning.errors import LearnSettingError

_SALT = b"BLS-SIG-KEYGEN-SALT-"
_OKM = 48  # bytes that are reduced modulo the order: ceil(1.5 * 255 bits / 8)
_LAMPORT = 255  # chunks of 32 bytes in one half of a Lamport key
_PATH = re.compile(r"m(?:/(?:0|[1-9][0-9]{0,9}))*")


def derive_master(seed: bytes) -> int:
    """Return the master key of a seed of at least 32 bytes. Raises LearnSettingError for less."""
    if len(seed) < 32:
        raise LearnSettingError(
            "The seed is too short", f"it has {len(seed)} bytes of at least 32", "Give a longer one."
        )
    return hkdf_mod_r(seed)


def derive_child(parent: int, index: int) -> int:
    """Return the child key of a key; ``index`` is from 0 to 2**32 - 1. All children are hardened."""
    if not 0 <= index < 1 << 32 or not 0 < parent < ORDER:
        raise LearnSettingError("The key cannot be derived", "a parent or an index is out of range", "Correct it.")
    return hkdf_mod_r(_lamport_public(parent, index))


def derive_path(path: str, seed: bytes) -> int:
    """Return the key at a path like ``m/12381/3600/0/0/0``. Raises LearnSettingError for what is no path."""
    if not _PATH.fullmatch(path):
        raise LearnSettingError(f"{path!r} is no path of a key", "it goes m/12381/3600/0/0/0", "Correct it.")
    head, _, last = path.rpartition("/")
    if not head:
        return derive_master(seed)
    return derive_child(_branch(head, seed), int(last))


@lru_cache(maxsize=64)
def _branch(path: str, seed: bytes) -> int:
    """Return an inner key; kept, because a chain's validators share the first three."""
    return derive_path(path, seed)


def hkdf_mod_r(material: bytes, info: bytes = b"") -> int:
    """Return a key other than zero from key material. Source: EIP-2333, ``hkdf_mod_r``."""
    salt, key = _SALT, 0
    while key == 0:
        # 1. Salt of this attempt   2. Extract   3. Expand   4. Reduce: biased by less than 2**-128
        salt = sha256(salt).digest()
        pseudo_random = _extract(salt, material + b"\x00")
        key = int.from_bytes(_expand(pseudo_random, info + _OKM.to_bytes(2, "big"), _OKM), "big") % ORDER
    return key


def _lamport_public(parent: int, index: int) -> bytes:
    """Return the hash of the Lamport public key between a key and its child, 32 bytes."""
    material = parent.to_bytes(32, "big")
    flipped = bytes(byte ^ 0xFF for byte in material)
    salt = index.to_bytes(4, "big")
    public = sha256()
    for half in (material, flipped):
        secret = _expand(_extract(salt, half), b"", 32 * _LAMPORT)
        for start in range(0, len(secret), 32):
            public.update(sha256(secret[start : start + 32]).digest())
    return public.digest()


def _extract(salt: bytes, material: bytes) -> bytes:
    """HKDF-Extract. Source: RFC 5869 with SHA-256."""
    return hmac.digest(salt, material, "sha256")


def _expand(key: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand to at most 255 * 32 bytes. Source: RFC 5869 with SHA-256."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

    return HKDFExpand(SHA256(), length, info).derive(key)
