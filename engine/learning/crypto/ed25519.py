"""Ed25519 signatures of records in the DHT. Source: RFC 8032."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from engine.learning.crypto.memo import Memo
from engine.learning.errors import LearnSettingError

PUBLIC_SIZE = 32
SIGNATURE_SIZE = 64
_FIELD = 2**255 - 19
_EIGHTH = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826  # y of a point of order 8
# The points whose order divides 8, by y and in each way of writing it: under such a key, signatures fit any message.
_SMALL_ORDER = frozenset({0, 1, _EIGHTH, _FIELD - _EIGHTH, _FIELD - 1, _FIELD, _FIELD + 1})
_PUBLICS: Memo[bytes, Any] = Memo(8_192)


class SecretKey:
    """A key of a seed of 32 bytes; its ``repr`` shows the public key alone."""

    __slots__ = ("__dict__", "_key")

    def __init__(self, seed: bytes) -> None:
        """Raises LearnSettingError for a seed of another length."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        if len(seed) != 32:
            raise LearnSettingError("The Ed25519 seed cannot be used", f"it has {len(seed)} bytes of 32", "Derive it.")
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    @cached_property
    def public(self) -> bytes:
        """The public key, 32 bytes."""
        return self._key.public_key().public_bytes_raw()

    @cached_property
    def seed(self) -> bytes:
        """The 32 bytes that the key is made of: for a DHT node that has to prove its identity itself."""
        return self._key.private_bytes_raw()

    def __repr__(self) -> str:
        return f"SecretKey(public={self.public.hex()[:16]}…)"

    def __reduce__(self) -> Any:
        raise TypeError("a secret key is not pickled: derive it where it is needed")


def sign(key: SecretKey, message: bytes) -> bytes:
    """Return the signature of a message, 64 bytes; the same for the same key and message."""
    return key._key.sign(message)


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether a key signed a message. What is no key or no signature is False and never raises."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    public = bytes(public)
    if not is_public(public) or len(signature) != SIGNATURE_SIZE:
        return False
    key = _PUBLICS.get(public)
    try:
        if key is None:
            key = Ed25519PublicKey.from_public_bytes(public)
            _PUBLICS.put(public, key)
        key.verify(bytes(signature), bytes(message))
    except (InvalidSignature, ValueError):
        return False
    return True


def is_public(public: bytes) -> bool:
    """Return whether bytes have a key's length and name no point of small order."""
    return len(public) == PUBLIC_SIZE and int.from_bytes(public, "little") % 2**255 not in _SMALL_ORDER
