"""What a node keeps until a block takes it in: votes, commits, deposits, evidence."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from engine.learning.beacon.messages import Bits, Vote, from_bits, to_bits
from engine.learning.beacon.state import BeaconState
from engine.learning.beacon.tree import BlockTree
from engine.learning.crypto import bls
from engine.learning.types import Attestation, AttestationData

MOST = 128  # attestations in a block


@dataclass(slots=True)
class Ballot:
    """Votes for one thing: who gave them (bits of the committee) and the signatures of disjoint parts of them."""

    data: AttestationData
    vote: Vote
    parts: list[tuple[Bits, bytes]] = field(default_factory=list)

    def add(self, bits: Bits, signature: bytes) -> bool:
        """Take votes in; False where nothing of them is new. Parts stay disjoint, so that their signatures add up."""
        if any((bits & ~known).sum() == 0 for known, _ in self.parts):
            return False
        self.parts = [(known, signed) for known, signed in self.parts if (known & ~bits).any()]
        self.parts.append((bits, signature))
        return True

    def union(self) -> Bits:
        """Return all who voted."""
        found: Bits = np.logical_or.reduce([bits for bits, _ in self.parts])
        return found

    def best(self, included: Bits | None) -> Attestation | None:
        """Return the votes as one attestation, None where a chain already has them all."""
        chosen: Bits | None = None
        signatures: list[bytes] = []
        for bits, signature in sorted(self.parts, key=lambda part: -int(part[0].sum())):
            if chosen is None or not (chosen & bits).any():
                chosen = bits.copy() if chosen is None else chosen | bits
                signatures.append(signature)
        if chosen is None or (included is not None and not (chosen & ~included).any()):
            return None
        total = signatures[0] if len(signatures) == 1 else bls.aggregate(signatures)
        return Attestation(aggregation_bits=from_bits(chosen), data=self.data, signature=total)


class VotePool:
    """Attestations by slot and by what they say."""

    def __init__(self, tree: BlockTree) -> None:
        self._tree = tree
        self._slots: dict[int, dict[bytes, Ballot]] = {}
        self._included: dict[bytes, dict[bytes, Bits]] = {}

    def add(self, vote: Vote, attestation: Attestation, bits: Bits) -> bool:
        """Take an attestation in; False where nothing of it is new."""
        ballots = self._slots.setdefault(vote.slot, {})
        ballot = ballots.get(vote.key)
        if ballot is None:
            ballot = ballots[vote.key] = Ballot(attestation.data, vote)
        return ballot.add(bits, bytes(attestation.signature))

    def ballots(self, slot: int) -> list[Ballot]:
        """Return what was voted for in a slot."""
        return list(self._slots.get(slot, {}).values())

    def pack(self, state: BeaconState, head: bytes, slot: int) -> tuple[Attestation, ...]:
        """Return attestations for a block of ``slot`` on ``head``: newest first, none that the chain has already."""
        first = max(0, slot - state.config.slots_per_epoch)
        included = self._on_chain(head, first)
        packed = []
        for past in range(slot - 1, first - 1, -1):
            for ballot in self.ballots(past):
                source = state.justified if ballot.vote.target.epoch == state.epoch else state.previous_justified
                if ballot.vote.source != source:
                    continue
                made = ballot.best(included.get(ballot.vote.key))
                if made is not None:
                    packed.append(made)
        return tuple(packed[:MOST])

    def _on_chain(self, head: bytes, first: int) -> dict[bytes, Bits]:
        found: dict[bytes, Bits] = {}
        root = head
        while self._tree.slot(root) > first:
            for key, bits in self._votes_in(root).items():
                found[key] = found[key] | bits if key in found else bits
            root = self._tree.parent(root)
        return found

    def _votes_in(self, root: bytes) -> dict[bytes, Bits]:
        known = self._included.get(root)
        if known is None:
            known = {}
            block = self._tree.block(root)
            for attestation in block.message.body.rest.attestations if block is not None else ():
                key, bits = bytes(attestation.data.hash_tree_root()), to_bits(attestation.aggregation_bits)
                known[key] = known[key] | bits if key in known else bits
            self._included[root] = known
        return known

    def prune(self, before: int) -> None:
        """Forget slots that no block can take votes of any more."""
        for slot in [slot for slot in self._slots if slot < before]:
            del self._slots[slot]
        if len(self._included) > 256:
            self._included.clear()
