"""The roots that keys sign, and bit fields as arrays.

Source: consensus-specs phase0 for headers and checkpoints; SSZ bit lists (a delimiting 1 above the last bit).
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from remerkleable.basic import uint64
from remerkleable.bitfields import Bitlist
from remerkleable.byte_arrays import Bytes96

from engine.learning.crypto.memo import Memo
from engine.learning.types import (
    MAX_VALIDATORS,
    ZERO,
    AttestationData,
    BeaconBlockHeader,
    Deposit,
    SignedBeaconBlock,
    SignedBeaconBlockHeader,
    header_of,
)

Bits = NDArray[np.bool_]
_BITS = Bitlist[MAX_VALIDATORS]
_PAIR_OF_ZEROS = sha256(ZERO + ZERO).digest()


class Check(NamedTuple):
    """A checkpoint: an epoch and the block at its first slot."""

    epoch: int
    root: bytes


class Header(NamedTuple):
    """A block's header as plain values; :meth:`tree_root` is the block's root."""

    slot: int
    proposer: int
    parent: bytes
    state: bytes
    body: bytes

    def tree_root(self) -> bytes:
        """Return hash_tree_root of the header's container: five leaves, padded to eight."""
        numbers = _pair(self.slot.to_bytes(32, "little"), self.proposer.to_bytes(32, "little"))
        left = _pair(numbers, _pair(self.parent, self.state))
        return _pair(left, _pair(_pair(self.body, ZERO), _PAIR_OF_ZEROS))


class Headed(NamedTuple):
    """A signed header, and its values."""

    values: Header
    signed: SignedBeaconBlockHeader


class Vote(NamedTuple):
    """An attestation's data as plain values; ``key`` is its root, what is signed."""

    slot: int
    head: bytes
    source: Check
    target: Check
    key: bytes


_VOTES: Memo[bytes, Vote] = Memo(4096)  # hash_tree_root -> the same as values


def header_of_container(header: BeaconBlockHeader) -> Header:
    """Return a container's values."""
    return Header(
        int(header.slot),
        int(header.proposer_index),
        bytes(header.parent_root),
        bytes(header.state_root),
        bytes(header.body_root),
    )


def headed(signed: SignedBeaconBlock | SignedBeaconBlockHeader) -> Headed:
    """Return the signed header of a block, or a signed header, with its values."""
    if isinstance(signed, SignedBeaconBlock):
        signed = SignedBeaconBlockHeader(message=header_of(signed.message), signature=signed.signature)
    return Headed(header_of_container(signed.message), signed)


def vote_of(data: AttestationData) -> Vote:
    """Return a container's values. They are kept by its root, since many validators and nodes send the same."""
    key = bytes(data.hash_tree_root())
    vote = _VOTES.get(key)
    if vote is None:
        source, target = data.source, data.target
        vote = Vote(
            int(data.slot),
            bytes(data.beacon_block_root),
            Check(int(source.epoch), bytes(source.root)),
            Check(int(target.epoch), bytes(target.root)),
            key,
        )
        _VOTES.put(key, vote)
    return vote


def unsigned_root(container: Any) -> bytes:
    """Return the root of a container that holds its own signature, with that set to zero: what is signed."""
    copy = container.copy()
    copy.signature = Bytes96()
    return bytes(copy.hash_tree_root())


def deposit_root(deposit: Deposit) -> bytes:
    """Return what a deposit's BLS key signs: all of it but the index, which the staking contract gives afterwards."""
    copy = deposit.copy()
    copy.index = uint64(0)
    return unsigned_root(copy)


def epoch_root(epoch: int) -> bytes:
    """Return hash_tree_root of an epoch's number: what a RANDAO reveal signs."""
    return epoch.to_bytes(32, "little")


def to_bits(field: Any) -> Bits:
    """Return a Bitlist as an array of bool, its length kept."""
    raw = np.frombuffer(field.encode_bytes(), np.uint8)
    return np.unpackbits(raw, bitorder="little")[: len(field)].astype(bool)


def from_bits(bits: Bits) -> Any:
    """Return an array of bool as a Bitlist: twenty times as fast as bit by bit."""
    return _BITS.decode_bytes(np.packbits(np.append(bits, True), bitorder="little").tobytes())


def _pair(left: bytes, right: bytes) -> bytes:
    return sha256(left + right).digest()
