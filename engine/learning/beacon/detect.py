"""Finds who breaks the rules in what a node sees: evidence that any block can carry.

Late, missing or merely unlucky is no offence. What a single object proves is judged by the very rule by which the chain
will judge it (:func:`holds`), so that nobody is accused whom the chain would acquit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from engine.learning.beacon import slashings as rules
from engine.learning.beacon.messages import Headed, Vote, vote_of
from engine.learning.beacon.registry import Ints
from engine.learning.beacon.spans import SignedVote, VoteHistory
from engine.learning.beacon.state import BeaconState
from engine.learning.errors import BlockRefusedError
from engine.learning.types import (
    NO_UPDATE,
    AckSlashing,
    Attestation,
    AttesterSlashing,
    IndexedAttestation,
    ProposerSlashing,
    SignedBeaconBlock,
    SignedBeaconBlockHeader,
    UncertifiedSlashing,
    header_of,
)

Evidence = ProposerSlashing | AttesterSlashing | AckSlashing | UncertifiedSlashing
HEADERS_KEPT = 512  # slots
_RULES: dict[type, Callable[..., None]] = {
    ProposerSlashing: rules.apply_proposer_slashing,
    AttesterSlashing: rules.apply_attester_slashing,
    AckSlashing: rules.apply_ack_slashing,
    UncertifiedSlashing: rules.apply_uncertified_slashing,
}


class Detector:
    """The headers and votes that one node has seen, each under a signature that the caller found to hold."""

    def __init__(self) -> None:
        self._headers: dict[tuple[int, int], Headed] = {}
        self._votes = VoteHistory()

    def on_header(self, seen: Headed) -> ProposerSlashing | None:
        """See a block's header; return the evidence where its proposer signed another one for the slot."""
        first = self._headers.setdefault((seen.values.slot, seen.values.proposer), seen)
        if first.values != seen.values:
            return ProposerSlashing(first=first.signed, second=seen.signed)
        if len(self._headers) > 2 * HEADERS_KEPT:
            newest = max(slot for slot, _ in self._headers)
            self._headers = {key: value for key, value in self._headers.items() if key[0] > newest - HEADERS_KEPT}
        return None

    def on_attestation(
        self, indices: Ints, attestation: Attestation | IndexedAttestation, vote: Vote | None = None
    ) -> list[AttesterSlashing]:
        """See votes of the validators ``indices``; return evidence for each earlier attestation that they exclude.

        ``vote`` is ``vote_of(attestation.data)`` where the caller has it. An attestation seen before gives nothing.
        """
        voters = np.sort(np.asarray(indices, np.int64))
        signature = bytes(attestation.signature)
        signed = SignedVote(voters, vote or vote_of(attestation.data), attestation.data, signature)
        return [
            AttesterSlashing(first=_indexed(conflict.first), second=_indexed(conflict.second))
            for conflict in self._votes.add(signed)
        ]


def uncertified(state: BeaconState, signed: SignedBeaconBlock) -> UncertifiedSlashing | None:
    """Return the evidence against a block that names an update without a valid certificate, None where it is none.

    ``state`` is the state of the block's parent, advanced to the block's slot: it knows who was to certify.
    """
    body = signed.message.body
    if bytes(body.execution.extra_data)[32:] == NO_UPDATE:
        return None
    evidence = UncertifiedSlashing(
        header=SignedBeaconBlockHeader(message=header_of(signed.message), signature=signed.signature),
        execution=body.execution,
        certificates=body.certificates,
        rest_root=body.rest.hash_tree_root(),
    )
    return evidence if holds(state, evidence) else None


def holds(state: BeaconState, evidence: Evidence) -> bool:
    """Return whether a block on this state could carry the evidence: it convicts somebody who is not slashed yet."""
    try:
        _RULES[type(evidence)](state.copy(), evidence, verify=True)
    except BlockRefusedError:
        return False
    return True


def _indexed(signed: SignedVote) -> Any:
    indices = [int(index) for index in signed.indices]
    return IndexedAttestation(attesting_indices=indices, data=signed.data, signature=signed.signature)
