"""Evidence that a validator broke the rules, and its punishment: slashed once, gone two epochs later.

Source: consensus-specs phase0 (``is_slashable_attestation_data``, ``process_proposer_slashing``,
``process_attester_slashing``); uncertified updates and contradicted ACKs are ours. A missed deadline is no offence.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import numpy as np

from engine.learning.beacon.certificates import deep_fault, plain_fault
from engine.learning.beacon.committees import ack_committee_of
from engine.learning.beacon.messages import Header, Vote, header_of_container, to_bits, vote_of
from engine.learning.beacon.registry import EXIT_DELAY, FAR
from engine.learning.beacon.signatures import demand
from engine.learning.beacon.state import BeaconState, Slashed
from engine.learning.errors import BlockRefusedError
from engine.learning.types import (
    DOMAIN_ACK,
    DOMAIN_ATTESTER,
    DOMAIN_PROPOSER,
    DOMAIN_REPORT,
    NO_UPDATE,
    ZERO,
    AckSlashing,
    AttesterSlashing,
    IndexedAttestation,
    ProposerSlashing,
    SignedBeaconBlockHeader,
    UncertifiedSlashing,
    root_of,
)

WITHDRAWAL_DELAY = 256  # epochs after its exit in which a validator can still be slashed. Source: phase0


def is_double(first: Vote, second: Vote) -> bool:
    """Return whether two different votes are for one target epoch."""
    return first.key != second.key and first.target.epoch == second.target.epoch


def is_surround(first: Vote, second: Vote) -> bool:
    """Return whether the first vote's link surrounds the second's."""
    return first.source.epoch < second.source.epoch and second.target.epoch < first.target.epoch


def can_be_slashed(state: BeaconState, index: int) -> bool:
    """Return whether a validator has stake that was not slashed yet."""
    registry = state.registry
    if not 0 <= index < len(registry) or registry.slashed[index] or registry.activation[index] > state.epoch:
        return False
    return bool(registry.exit[index] == FAR or state.epoch < registry.exit[index] + WITHDRAWAL_DELAY)


def slash(state: BeaconState, indices: Sequence[int], reason: str, evidence: bytes) -> None:
    """Slash validators that can be slashed: each keeps no vote in finality, and leaves."""
    leaving = np.minimum(state.registry.exit[list(indices)], state.epoch + EXIT_DELAY)
    state.registry = state.registry.changed(indices, slashed=True, exit=leaving)
    state.slashings += tuple(Slashed(index, reason, state.slot, evidence) for index in indices)


def apply_proposer_slashing(state: BeaconState, evidence: ProposerSlashing, *, verify: bool) -> None:
    """Slash who signed two headers for one slot. Raises BlockRefusedError."""
    first, second = (header_of_container(signed.message) for signed in (evidence.first, evidence.second))
    if first.slot != second.slot or first.proposer != second.proposer:
        raise BlockRefusedError(
            "proposer_slashing",
            f"its headers are of validators {first.proposer} and {second.proposer} "
            f"for slots {first.slot} and {second.slot}",
        )
    if first == second:
        raise BlockRefusedError("proposer_slashing", "its two headers are one and the same")
    _demand_slashable(state, first.proposer, "proposer_slashing")
    if verify:
        _demand_header(state, first, evidence.first, "proposer_slashing")
        _demand_header(state, second, evidence.second, "proposer_slashing")
    slash(state, (first.proposer,), "proposer_equivocation", root_of(evidence))


def apply_attester_slashing(state: BeaconState, evidence: AttesterSlashing, *, verify: bool) -> None:
    """Slash all who signed both of two votes that exclude each other. Raises BlockRefusedError."""
    first, second = vote_of(evidence.first.data), vote_of(evidence.second.data)
    if not (is_double(first, second) or is_surround(first, second)):
        raise BlockRefusedError(
            "attester_slashing",
            f"votes {first.source.epoch} to {first.target.epoch} and {second.source.epoch} to {second.target.epoch} "
            "neither double nor surround",
        )
    signers = [
        _demand_indexed(state, indexed, vote, verify=verify)
        for indexed, vote in ((evidence.first, first), (evidence.second, second))
    ]
    guilty = [index for index in sorted(set(signers[0]) & set(signers[1])) if can_be_slashed(state, index)]
    if not guilty:
        raise BlockRefusedError("attester_slashing", "nobody who can be slashed signed both votes")
    slash(state, guilty, "double_vote" if is_double(first, second) else "surround_vote", root_of(evidence))


def apply_uncertified_slashing(state: BeaconState, evidence: UncertifiedSlashing, *, verify: bool) -> None:
    """Slash who proposed a block that names an update without a valid certificate. Raises BlockRefusedError."""
    header, rule = header_of_container(evidence.header.message), "uncertified_slashing"
    if header.body != body_root_of(evidence):
        raise BlockRefusedError(rule, f"what it shows is not the body of the block of slot {header.slot}")
    update_id = bytes(evidence.execution.extra_data)[32:]
    if update_id == NO_UPDATE:
        raise BlockRefusedError(rule, f"the block of slot {header.slot} names no update")
    if header.slot > state.slot:
        raise BlockRefusedError(rule, f"slot {header.slot} is still to come")
    _demand_slashable(state, header.proposer, rule)
    if not (
        plain_fault(evidence.certificates, update_id, state.config.quorum) or _proven_fault(state, header, evidence)
    ):
        raise BlockRefusedError(rule, f"that the certificate of update {update_id.hex()[:16]} is false is not proven")
    if verify:
        _demand_header(state, header, evidence.header, rule)
    slash(state, (header.proposer,), "uncertified_update", root_of(evidence))


def body_root_of(evidence: UncertifiedSlashing) -> bytes:
    """Return the root of the body that the evidence shows: it stands for the rest by a root."""
    halves = (bytes(evidence.execution.hash_tree_root()), bytes(evidence.certificates.hash_tree_root()))
    return body_root(*halves, bytes(evidence.rest_root))


def body_root(execution: bytes, certificates: bytes, rest: bytes) -> bytes:
    """Return the root of a body from the roots of its three fields."""
    left, right = sha256(execution + certificates).digest(), sha256(rest + ZERO).digest()
    return sha256(left + right).digest()


def _proven_fault(state: BeaconState, header: Header, evidence: UncertifiedSlashing) -> str:
    """Return what is wrong with a certificate's committee or signature, "" where this branch cannot tell.

    Only a state that shares with the block all that decided who was active may judge: else a certificate that was
    right on its own side of a partition would convict an honest proposer on the other side.
    """
    certificate = evidence.certificates[0]
    length, voted = state.config.slots_per_epoch, int(certificate.vote.slot)
    if voted >= header.slot:
        return f"its certificate is of slot {voted}, which was still to come"
    decided = (voted // length - EXIT_DELAY + 1) * length - 1  # the last slot that had a say in that committee
    oldest = max(0, decided, state.slot - len(state.block_roots))
    if not any(state.block_root_at(slot) == header.parent for slot in range(oldest, min(header.slot, state.slot))):
        return ""
    return deep_fault(state, certificate)


def apply_ack_slashing(state: BeaconState, evidence: AckSlashing, *, verify: bool) -> None:
    """Slash whose ACK more than two thirds of its committee report to be contradicted. Raises BlockRefusedError."""
    ack, report, rule = evidence.ack, evidence.report, "ack_slashing"
    index, vote = int(ack.validator_index), ack.vote
    if bytes(report.ack_root) != root_of(ack) or bytes(report.update_id) != bytes(vote.update_id):
        raise BlockRefusedError(rule, "its report is of another ACK")
    if int(vote.slot) > state.slot:
        raise BlockRefusedError(rule, f"slot {int(vote.slot)} is still to come")
    committee, bits = ack_committee_of(state, int(vote.slot)), to_bits(evidence.bits)
    if len(bits) != len(committee) or index not in committee:
        raise BlockRefusedError(
            rule,
            f"{len(bits)} bits and validator {index} do not fit the {len(committee)} members of slot {int(vote.slot)}",
        )
    if int(bits.sum()) * 3 <= len(committee) * 2:
        raise BlockRefusedError(rule, f"{int(bits.sum())} of {len(committee)} report it, over two thirds must")
    _demand_slashable(state, index, rule)
    if verify:
        keys = state.registry.keys_of((index,))
        demand(state, keys, root_of(vote), DOMAIN_ACK, ack.signature, rule, f"validator {index} did not sign that ACK")
        why = "the report's signature is not that of the members whom it counts"
        keys = state.registry.keys_of(committee[bits])
        demand(state, keys, root_of(report), DOMAIN_REPORT, evidence.signature, rule, why)
    slash(state, (index,), "contradicted_ack", root_of(evidence))


def _demand_slashable(state: BeaconState, index: int, rule: str) -> None:
    if not can_be_slashed(state, index):
        slashed = index < len(state.registry) and state.registry.slashed[index]
        raise BlockRefusedError(rule, f"validator {index} {'was slashed already' if slashed else 'has no stake'}")


def _demand_header(state: BeaconState, header: Header, signed: SignedBeaconBlockHeader, rule: str) -> None:
    keys = state.registry.keys_of((header.proposer,))
    why = f"validator {header.proposer} did not sign that header of slot {header.slot}"
    demand(state, keys, header.tree_root(), DOMAIN_PROPOSER, signed.signature, rule, why)


def _demand_indexed(state: BeaconState, indexed: IndexedAttestation, vote: Vote, *, verify: bool) -> list[int]:
    indices = [int(index) for index in indexed.attesting_indices]
    if not indices or indices != sorted(set(indices)) or indices[-1] >= len(state.registry):
        raise BlockRefusedError("attester_slashing", "its voters are not a rising list of validators")
    if verify:
        keys = state.registry.keys_of(indices)
        why = f"the signature of the vote of slot {vote.slot} is not that of its {len(indices)} voters"
        demand(state, keys, vote.key, DOMAIN_ATTESTER, indexed.signature, "attester_slashing", why)
    return indices
