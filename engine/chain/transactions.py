"""Transactions of EIP-1559, encoded and signed: the same bytes as eth_account gives, in a seventh of its time.

RLP as the yellow paper defines it (appendix B); the signature is libsecp256k1's, deterministic by RFC 6979.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.core.hashing import keccak

if TYPE_CHECKING:
    from coincurve import PrivateKey

Item = bytes | Sequence["Item"]
_TYPE = b"\x02"
_NUMBERS = ("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas")
_RAISE = (9, 8)  # nodes take a replacement that pays at least a tenth more: an eighth more is safe


@dataclass(frozen=True, slots=True)
class Fees:
    """What a transaction pays a unit of gas, in wei: at most ``cap``, of which ``tip`` goes to who mines it."""

    cap: int
    tip: int

    @classmethod
    def offer(cls, gas_price: int, factor: int) -> Fees:
        """Return fees that hold while the price of gas rises to ``factor`` times what it is."""
        return cls(gas_price * factor, min(gas_price, 10**9))

    def replaced_by(self, offer: Fees) -> Fees:
        """Return fees that a node takes in place of these: the offer, or an eighth more than these."""
        more, base = _RAISE
        return Fees(max(offer.cap, self.cap * more // base + 1), max(offer.tip, self.tip * more // base + 1))


def sign_transaction(key: PrivateKey, fields: Mapping[str, Any]) -> tuple[bytes, str]:
    """Return the signed bytes and the hash (0x hex) of a transaction with the fields of ``eth_sendTransaction``.

    Numbers are integers, ``data`` bytes; no ``to`` creates a contract. Raises ValueError for another type than 2.
    """
    if fields["type"] != 2:
        raise ValueError(f"transactions of type {fields['type']} are not signed here")
    to = fields.get("to")
    unsigned = [
        *(encode(_number(fields[name])) for name in _NUMBERS),
        encode(bytes.fromhex(to[2:]) if to else b""),
        encode(_number(fields.get("value", 0))),
        encode(bytes(fields.get("data", b""))),
        encode([]),
    ]
    signature = key.sign_recoverable(keccak(_TYPE + _listed(unsigned)), hasher=None)
    parts = (signature[64:].lstrip(b"\0"), signature[:32].lstrip(b"\0"), signature[32:64].lstrip(b"\0"))
    raw = _TYPE + _listed([*unsigned, *map(encode, parts)])
    return raw, "0x" + keccak(raw).hex()


def fees_of(raw: bytes) -> Fees:
    """Return the fees in the signed bytes of ``sign_transaction``."""
    fields = _fields(raw[1:], 4)
    return Fees(int.from_bytes(fields[3]), int.from_bytes(fields[2]))


def gas_of(raw: bytes) -> int:
    """Return the gas limit in the signed bytes of ``sign_transaction``."""
    return int.from_bytes(_fields(raw[1:], 5)[4])


def encode(item: Item) -> bytes:
    """Return the RLP of bytes or of a nested list of them."""
    if isinstance(item, bytes):
        return item if len(item) == 1 and item[0] < 0x80 else _head(0x80, len(item)) + item
    return _listed([encode(part) for part in item])


def _listed(parts: Sequence[bytes]) -> bytes:
    body = b"".join(parts)
    return _head(0xC0, len(body)) + body


def _head(offset: int, length: int) -> bytes:
    if length < 56:
        return bytes((offset + length,))
    size = _number(length)
    return bytes((offset + 55 + len(size),)) + size


def _number(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8)


def _fields(rlp: bytes, count: int) -> list[bytes]:
    """Return the first ``count`` items, all shorter than 56 bytes, of an RLP list."""
    at = 1 if rlp[0] < 0xF8 else 1 + rlp[0] - 0xF7
    fields = []
    for _ in range(count):
        length = 0 if rlp[at] < 0x80 else rlp[at] - 0x80
        fields.append(rlp[at : at + 1] if rlp[at] < 0x80 else rlp[at + 1 : at + 1 + length])
        at += 1 + length
    return fields
