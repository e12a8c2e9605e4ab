"""Proof of work of an execution header: a hash with enough leading zero bits.

The hash is SHA-256 over a tag and the header's SSZ bytes. They are of fixed length and end with the nonce, so that a
miner hashes what comes before once and goes on from there: one attempt costs about half a microsecond.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import TYPE_CHECKING

from engine.core.turns import own_turn

if TYPE_CHECKING:
    from engine.learning.types import ExecutionHeader

MAX_BITS = 28
SLICE = 4_096  # attempts between two looks at the rest of the program: some 2 ms
_TAG = b"POL-AI/pow/"
_NONCE = 8  # bytes at the end of a header, little-endian as SSZ has it


def hash_of(header: ExecutionHeader) -> bytes:
    """Return a header's hash, 32 bytes: what the next block names as its parent."""
    return sha256(_TAG + header.encode_bytes()).digest()


def check(header: ExecutionHeader, bits: int) -> bool:
    """Return whether a header claims this difficulty and its hash has that many leading zero bits."""
    return int(header.difficulty_bits) == bits and leading_zeros(hash_of(header)) >= bits


def leading_zeros(digest: bytes) -> int:
    """Return how many zero bits a hash begins with."""
    return 8 * len(digest) - int.from_bytes(digest, "big").bit_length()


def search(header: ExecutionHeader, bits: int, attempts: int = SLICE) -> Iterator[ExecutionHeader | None]:
    """Try nonces from 0 up: yield None after each slice of attempts, at last the header with its nonce.

    The first nonce that fits is found, so that the same header gives the same block everywhere.
    """
    if not 0 <= bits <= MAX_BITS:
        raise ValueError(f"a difficulty is from 0 to {MAX_BITS} bits, got {bits}")
    found = header.copy()
    found.difficulty_bits = bits
    start = sha256(_TAG + found.encode_bytes()[:-_NONCE])
    limit = 1 << (256 - bits)
    first = 0
    while True:
        for nonce in range(first, first + attempts):
            attempt = start.copy()
            attempt.update(nonce.to_bytes(_NONCE, "little"))
            if int.from_bytes(attempt.digest(), "big") < limit:
                found.nonce = nonce
                yield found
                return
        first += attempts
        yield None


def mine(header: ExecutionHeader, bits: int) -> ExecutionHeader:
    """Return the header with this difficulty and a nonce that fits: 2**bits attempts on average."""
    return next(found for found in search(header, bits) if found is not None)


async def mine_beside(header: ExecutionHeader, bits: int) -> ExecutionHeader:
    """Do the same as :func:`mine` in slices, so that the loop goes on; cancelled within one."""
    for found in search(header, bits):
        if found is not None:
            return found
        await own_turn()
    raise AssertionError("a search ends only with what it found")
