"""BLS signatures over BLS12-381: public keys in G1, signatures in G2, proof-of-possession ciphersuite.

Source: draft-irtf-cfrg-bls-signature, BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_, as Ethereum's consensus uses it.
Keys and signatures are compressed points as bytes. What comes from outside (a wrong length, no point of the curve or
of its subgroup, infinity) makes a check False and never raises.

Points and verdicts are kept: a check that was made before, by whichever node, costs a look-up, and so does the check
of a signature that this process made itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256
from typing import Any

from engine.learning.crypto.memo import Memo
from engine.learning.errors import LearnSettingError

ORDER = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
PUBLIC_SIZE = 48
SIGNATURE_SIZE = 96
_KEYS: Memo[bytes, Any] = Memo(16_384)  # compressed public key -> checked point
_SIGNATURES: Memo[bytes, Any] = Memo(16_384)  # compressed signature -> checked point
_VERDICTS: Memo[tuple[bytes, bytes, bytes], bool] = Memo(65_536)  # (hash of the keys, root, signature)


class SecretKey:
    """A scalar between 1 and the group's order, 32 bytes big-endian; its ``repr`` shows the public key alone."""

    __slots__ = ("__dict__", "_key")

    def __init__(self, secret: bytes) -> None:
        """Raises LearnSettingError for bytes that are no scalar of the group."""
        from blspy import PrivateKey

        if len(secret) != 32 or not 0 < int.from_bytes(secret, "big") < ORDER:
            raise LearnSettingError(
                "The BLS key cannot be used", "it is not 32 bytes between 1 and the group's order", "Derive it anew."
            )
        self._key = PrivateKey.from_bytes(secret)

    @cached_property
    def public(self) -> bytes:
        """The public key, 48 bytes."""
        point = self._key.get_g1()
        made = bytes(point)
        _KEYS.put(made, point)
        return made

    def __repr__(self) -> str:
        return f"SecretKey(public={self.public.hex()[:16]}…)"

    def __reduce__(self) -> Any:
        raise TypeError("a secret key is not pickled: derive it where it is needed")


def sign(key: SecretKey, root: bytes) -> bytes:
    """Return the signature of a message (32 bytes as a rule), 96 bytes; the same for the same key and message."""
    from blspy import PopSchemeMPL

    point = PopSchemeMPL.sign(key._key, root)
    made = bytes(point)
    _SIGNATURES.put(made, point)
    _VERDICTS.put((sha256(key.public).digest(), bytes(root), made), True)
    return made


def verify(public: bytes, root: bytes, signature: bytes) -> bool:
    """Return whether one key signed the message."""
    return fast_aggregate_verify((public,), root, signature)


def fast_aggregate_verify(publics: Sequence[bytes], root: bytes, signature: bytes) -> bool:
    """Return whether the signature is the sum of all these keys' signatures of one message.

    Sound only for keys whose possession was proven (:func:`verify_possession`, or a deposit signed over its own key).
    No keys at all is False.
    """
    # Only keys of full length may share the hash: else two lists with the same bytes would be taken for one.
    if not publics or any(len(key) != PUBLIC_SIZE for key in publics) or len(signature) != SIGNATURE_SIZE:
        return False
    asked = (sha256(b"".join(publics)).digest(), bytes(root), bytes(signature))
    verdict = _VERDICTS.get(asked)
    if verdict is None:
        verdict = _verify(publics, asked[1], asked[2])
        _VERDICTS.put(asked, verdict)
    return verdict


def _verify(publics: Sequence[bytes], root: bytes, signature: bytes) -> bool:
    from blspy import PopSchemeMPL

    point = _signature_point(signature)
    keys = [_key_point(bytes(key)) for key in publics]
    if point is None or any(key is None for key in keys):  # "None in keys" asks the library to compare points
        return False
    if len(keys) == 1:
        return bool(PopSchemeMPL.verify(keys[0], root, point))
    return bool(PopSchemeMPL.fast_aggregate_verify(keys, root, point))


def aggregate(signatures: Sequence[bytes]) -> bytes:
    """Return the sum of signatures, 96 bytes. Raises ValueError for no signatures, or one that is no point."""
    from blspy import PopSchemeMPL

    points = [_signature_point(bytes(signature)) for signature in signatures]
    if not points or any(point is None for point in points):
        raise ValueError("signatures that add up are at least one, each a point of G2")
    total = PopSchemeMPL.aggregate(points)
    made = bytes(total)
    _SIGNATURES.put(made, total)
    return made


def prove(key: SecretKey) -> bytes:
    """Return the proof of possession of a key: 96 bytes, under a domain of its own."""
    from blspy import PopSchemeMPL

    return bytes(PopSchemeMPL.pop_prove(key._key))


def verify_possession(public: bytes, proof: bytes) -> bool:
    """Return whether a proof of possession is this key's."""
    from blspy import PopSchemeMPL

    key, point = _key_point(bytes(public)), _signature_point(bytes(proof))
    return key is not None and point is not None and bool(PopSchemeMPL.pop_verify(key, point))


def is_public(public: bytes) -> bool:
    """Return whether bytes are a public key: a point of G1's subgroup other than infinity."""
    return _key_point(bytes(public)) is not None


def forget() -> None:
    """Drop all that is kept, so that the next checks are computed."""
    for memo in (_KEYS, _SIGNATURES, _VERDICTS):
        memo.clear()


def _key_point(public: bytes) -> Any:
    from blspy import G1Element

    return _point(G1Element, PUBLIC_SIZE, _KEYS, public)


def _signature_point(signature: bytes) -> Any:
    from blspy import G2Element

    return _point(G2Element, SIGNATURE_SIZE, _SIGNATURES, signature)


def _point(group: Any, size: int, memo: Memo[bytes, Any], compressed: bytes) -> Any:
    """Return the point, checked for the curve and the subgroup; None for anything else, infinity too."""
    point = memo.get(compressed)
    if point is None:
        if len(compressed) != size or compressed[0] & 0x40:  # the bit that marks infinity
            return None
        try:
            point = group.from_bytes(compressed)
        except ValueError:
            return None
        memo.put(compressed, point)
    return point
