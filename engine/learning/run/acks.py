"""ACK records: what a member writes under its key, and how the records under an update's key are counted.

A record's value is 0x01 (accept) or 0x00 (reject), the member's BLS signature of the vote (96 bytes), and its
commitment to the loss that it found on texts of its own (32 bytes).
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256

import numpy as np

from engine.learning.beacon.committees import ack_committee_of
from engine.learning.beacon.messages import Bits, from_bits
from engine.learning.beacon.registry import Ints
from engine.learning.beacon.state import BeaconState
from engine.learning.config import LearnConfig, quorum_of
from engine.learning.crypto import bls
from engine.learning.ports import Record
from engine.learning.run.keyring import Keyring
from engine.learning.types import DOMAIN_ACK, AckCertificate, AckVote, UpdateCommit, root_of, signing_root

SIZE = 1 + 96 + 32
PIECE = 64  # ACKs that are read, or added up, at a time
NONE, ACCEPT, REJECT, FORGED = "-arf"


@dataclass(frozen=True, slots=True)
class Ack:
    """A member's ACK as its record says it."""

    validator: int
    accept: bool
    signature: bytes
    commitment: bytes


@dataclass(slots=True)
class Count:
    """The ACKs of a committee: members in index order, one letter each, and the ACKs that hold."""

    committee: Ints
    votes: list[str]
    acks: dict[int, Ack] = field(default_factory=dict)
    signature: bytes = b""  # the sum of those that accept, where all who say so have signed

    @property
    def accepts(self) -> int:
        """How many accept."""
        return self.votes.count(ACCEPT)

    def quorum(self, mode: str) -> int:
        """Return how many must."""
        return quorum_of(mode, len(self.committee))


def vote_for(config: LearnConfig, commit: UpdateCommit, slot: int, accept: bool) -> AckVote:
    """Return what members sign on the update that a commit names, in the slot that fixed it.

    All members, and all who count their ACKs, get the same object, which knows its root.
    """
    return _vote(config.chain_id, slot, bytes(commit.base_root), bytes(commit.update_id), accept)


@lru_cache(maxsize=256)
def _vote(chain_id: int, slot: int, base_root: bytes, update_id: bytes, accept: bool) -> AckVote:
    return AckVote(chain_id=chain_id, slot=slot, base_root=base_root, update_id=update_id, accept=accept)


def pack_ack(accept: bool, signature: bytes, commitment: bytes) -> bytes:
    """Return a record's value."""
    return bytes([accept]) + signature + commitment


def commitment_of(loss: int, salt: bytes) -> bytes:
    """Return H(loss|salt): the loss, a sum in nano-nats, as 8 bytes."""
    return sha256(b"POL-AI/loss/" + loss.to_bytes(8, "big") + salt).digest()


def count(keyring: Keyring, state: BeaconState, commit: UpdateCommit, slot: int, records: Sequence[Record]) -> Count:
    """Count the ACKs in records: of members of that slot's committee, under their own signature, one each."""
    steps = counting(keyring, state, commit, slot, records)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Count = end.value
            return found


def counting(
    keyring: Keyring, state: BeaconState, commit: UpdateCommit, slot: int, records: Sequence[Record]
) -> Generator[None, None, Count]:
    """Do the same in pieces: a thousand ACKs take longer than a frame."""
    committee = ack_committee_of(state, slot)
    place = {int(index): number for number, index in enumerate(committee)}
    found = Count(committee, [NONE] * len(committee))
    claims: dict[bool, list[Ack]] = {True: [], False: []}
    for number, record in enumerate(records, 1):
        ack = _read(keyring, state, record)
        if ack is not None and ack.validator in place:
            claims[ack.accept].append(ack)
        if number % PIECE == 0:
            yield
    for accept, made in claims.items():
        vote = vote_for(keyring.config, commit, slot, accept)
        root = signing_root(root_of(vote), DOMAIN_ACK, keyring.config.chain_id)
        # In the order of a certificate, whose check is then the same one, and known.
        good, total = yield from _valid(state, sorted(made, key=lambda ack: place[ack.validator]), root)
        if accept:
            found.signature = total
        for ack in made:
            held = ack.validator in good
            found.votes[place[ack.validator]] = (ACCEPT if accept else REJECT) if held else FORGED
            if held:
                found.acks[ack.validator] = ack
    return found


def _read(keyring: Keyring, state: BeaconState, record: Record) -> Ack | None:
    """Return the ACK in a record, None where it is none, or not its author's."""
    index = keyring.of_peer(state.registry, record.subkey)
    if index is None or len(record.value) != SIZE or record.value[0] > 1:
        return None
    if state.registry.node_keys[index] != record.author:
        return None
    return Ack(index, record.value[0] == 1, record.value[1:97], record.value[97:])


def _valid(state: BeaconState, claims: list[Ack], root: bytes) -> Generator[None, None, tuple[set[int], bytes]]:
    """Return whose signatures hold: all at once, with their sum, and one by one where that fails, with none."""
    if not claims:
        return set(), b""
    keys = state.registry.keys_of([ack.validator for ack in claims])
    try:
        total = yield from _sum([ack.signature for ack in claims])
    except ValueError:
        total = b""
    yield
    if bls.fast_aggregate_verify(keys, root, total):
        return {ack.validator for ack in claims}, total
    good = set()
    for ack, key in zip(claims, keys, strict=True):
        yield
        if bls.verify(key, root, ack.signature):
            good.add(ack.validator)
    return good, b""


def _sum(signatures: Sequence[bytes]) -> Generator[None, None, bytes]:
    """Add signatures up, so many at a time."""
    parts = []
    for first in range(0, len(signatures), PIECE):
        parts.append(bls.aggregate(signatures[first : first + PIECE]))
        yield
    return parts[0] if len(parts) == 1 else bls.aggregate(parts)


def certificate_of(config: LearnConfig, commit: UpdateCommit, slot: int, counted: Count) -> AckCertificate | None:
    """Return the certificate that a count makes, None where it falls short of the quorum."""
    if counted.accepts < counted.quorum(config.quorum):
        return None
    bits: Bits = np.array([letter == ACCEPT for letter in counted.votes])
    total = counted.signature
    if not total:
        total = bls.aggregate([counted.acks[int(index)].signature for index in counted.committee[bits]])
    return AckCertificate(vote=vote_for(config, commit, slot, True), bits=from_bits(bits), signature=total)


def arithmetic(mode: str, accepts: int, committee: int) -> str:
    """Return the quorum's arithmetic as a sentence."""
    quorum = quorum_of(mode, committee)
    rule = {"spec": f"ceil({committee}/2)", "bft": f"floor(2 x {committee}/3) + 1"}.get(mode, "set by hand")
    reached = "reached" if accepts >= quorum else "not reached"
    return f"{accepts} of {committee} accept, quorum {rule} = {quorum}: {reached}"
