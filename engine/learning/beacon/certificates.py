"""Certificates: when a quorum of ACKs stands for an update.

What is wrong with a certificate falls in two. Faults that show in the certificate itself (absent, of another update,
short of the quorum of the committee that its own bits count) are the same on every branch of the chain. Whether its
committee and signature are right depends on who is active, and is asked of a state that knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.learning.beacon.committees import ack_committee_of
from engine.learning.beacon.messages import to_bits
from engine.learning.beacon.signatures import holds
from engine.learning.beacon.state import BeaconState
from engine.learning.config import quorum_of
from engine.learning.types import DOMAIN_ACK, AckCertificate, root_of


def plain_fault(certificates: Sequence[Any], update_id: bytes, mode: str) -> str:
    """Return what is wrong with a block's certificates for anybody who looks at them; "" where nothing is."""
    if not len(certificates):
        return f"it names update {update_id.hex()[:16]} without a certificate"
    vote = certificates[0].vote
    if bytes(vote.update_id) != update_id:
        return f"it names update {update_id.hex()[:16]}, its certificate stands for {bytes(vote.update_id).hex()[:16]}"
    if not vote.accept:
        return f"its certificate is of votes against update {update_id.hex()[:16]}"
    bits = to_bits(certificates[0].bits)
    accepts, quorum = int(bits.sum()), quorum_of(mode, len(bits))
    if accepts < quorum:
        return f"{accepts} of {len(bits)} accept, the quorum is {quorum}"
    return ""


def deep_fault(state: BeaconState, certificate: AckCertificate, *, verify: bool = True) -> str:
    """Return what is wrong with a certificate's committee or signature as a state knows them; "" where nothing is."""
    vote = certificate.vote
    committee, bits = ack_committee_of(state, int(vote.slot)), to_bits(certificate.bits)
    if len(bits) != len(committee):
        return f"its certificate counts a committee of {len(bits)}, that of slot {int(vote.slot)} has {len(committee)}"
    keys = state.registry.keys_of(committee[bits])
    if verify and not holds(state, keys, root_of(vote), DOMAIN_ACK, certificate.signature):
        return f"the signature of its certificate is not that of the {len(keys)} members whom it counts"
    return ""
