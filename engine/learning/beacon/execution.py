"""The proof-of-work block inside a beacon block, and the round of learning whose update it may name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from engine.learning import pow as work
from engine.learning.beacon.certificates import deep_fault, plain_fault
from engine.learning.beacon.committees import aggregator_of
from engine.learning.beacon.messages import unsigned_root
from engine.learning.beacon.signatures import demand
from engine.learning.beacon.state import BeaconState, Pending
from engine.learning.config import ACK_TIMEOUT, INCLUSION_SLOTS, LearnConfig
from engine.learning.errors import BlockRefusedError
from engine.learning.types import (
    DOMAIN_UPDATE,
    NO_UPDATE,
    AckCertificate,
    BeaconBlock,
    ExecutionHeader,
    UpdateCommit,
)


@dataclass(frozen=True)
class Known:
    """What a node learnt outside the chain, by which it judges what blocks say of it.

    ``deltas``: update id to the SHA-256 of its delta's bytes. ``deposits``: index in the deposit contract to the
    deposit's root; None where no contract is watched, so that a deposit's own signature is all that is asked for.
    """

    deltas: Mapping[bytes, bytes] = field(default_factory=dict)
    deposits: Mapping[int, bytes] | None = None


def timestamp_at(state: BeaconState, slot: int) -> int:
    """Return the seconds that the proof-of-work block of a slot bears."""
    return int(state.genesis_time + slot * state.config.seconds_per_slot)


def merged_root(base: bytes, delta_hash: bytes) -> bytes:
    """Return the root of the model that a delta, by its SHA-256, makes of a base."""
    return sha256(base + delta_hash).digest()


def window_of(config: LearnConfig) -> int:
    """Return how many slots after its opening a round's update may go into a block: 2, fewer where slots are long."""
    return min(INCLUSION_SLOTS, int(ACK_TIMEOUT // config.seconds_per_slot))


def check_header(state: BeaconState, block: BeaconBlock, *, verify: bool) -> ExecutionHeader:
    """Return a block's execution header, found to follow on the state's. Raises BlockRefusedError."""
    header = block.body.execution
    parent, extra = bytes(header.parent_hash), bytes(header.extra_data)
    number, time = int(header.number), int(header.timestamp)
    if parent != state.execution_hash:
        raise BlockRefusedError(
            "execution_parent",
            f"its parent hash is {parent.hex()[:16]}, the chain's is {state.execution_hash.hex()[:16]}",
        )
    if number != state.execution_number + 1:
        raise BlockRefusedError("execution_number", f"its number is {number}, not {state.execution_number + 1}")
    if time != timestamp_at(state, state.slot):
        raise BlockRefusedError(
            "execution_time", f"its time is {time} s, slot {state.slot} begins at {timestamp_at(state, state.slot)} s"
        )
    if header.proposer_index != block.proposer_index:
        raise BlockRefusedError(
            "execution_proposer",
            f"validator {int(header.proposer_index)} mined it, validator {int(block.proposer_index)} proposes it",
        )
    if extra[:32] != parent:
        raise BlockRefusedError(
            "extra_data", f"its ExtraData begins with {extra[:8].hex()}, not with its parent hash {parent[:8].hex()}"
        )
    bits = state.config.pow_bits
    if int(header.difficulty_bits) != bits:
        raise BlockRefusedError("proof_of_work", f"its difficulty is {int(header.difficulty_bits)} bits, not {bits}")
    if verify and not work.check(header, bits):
        found = work.leading_zeros(work.hash_of(header))
        raise BlockRefusedError("proof_of_work", f"its hash begins with {found} zero bits, {bits} are asked for")
    return header


def apply_update(state: BeaconState, block: BeaconBlock, known: Known | None, *, verify: bool) -> None:
    """Take the update in that a block names, if any. Raises BlockRefusedError."""
    header = block.body.execution
    update_id, model = bytes(header.extra_data)[32:], bytes(header.model_root)
    if update_id == NO_UPDATE:
        if len(block.body.certificates):
            raise BlockRefusedError("certificate", "it bears a certificate and names no update")
        if model != state.working_root:
            raise BlockRefusedError(
                "model_root", f"it names model {model.hex()[:16]}, the chain works on {state.working_root.hex()[:16]}"
            )
        return
    if fault := plain_fault(block.body.certificates, update_id, state.config.quorum):
        raise BlockRefusedError("certificate", fault)
    certificate = block.body.certificates[0]
    check_round(state, certificate)
    if fault := deep_fault(state, certificate, verify=verify):
        raise BlockRefusedError("certificate", fault)
    if known is not None:
        _check_model(state, update_id, model, known)
    state.pending += (Pending(update_id, state.round, state.slot, state.working_root, model),)
    state.working_root, state.commit, state.round_open = model, None, False


def check_round(state: BeaconState, certificate: AckCertificate) -> None:
    """Refuse a certificate that is not of the round that is open at the state. Raises BlockRefusedError."""
    vote, commit = certificate.vote, state.commit
    if not state.round_open:
        raise BlockRefusedError("round", f"no round is open at slot {state.slot}")
    if commit is None:
        raise BlockRefusedError("commit", f"no block fixed an update of round {state.round} before the vote")
    if bytes(commit.update_id) != bytes(vote.update_id):
        raise BlockRefusedError(
            "commit",
            f"round {state.round} fixed update {bytes(commit.update_id).hex()[:16]}, "
            f"the vote is on {bytes(vote.update_id).hex()[:16]}",
        )
    if int(vote.slot) != state.round_opened + 1 or state.slot != state.round_opened + INCLUSION_SLOTS:
        raise BlockRefusedError(
            "round",
            f"round {state.round} opened at slot {state.round_opened}: its vote is of slot {state.round_opened + 1} "
            f"and goes into slot {state.round_opened + INCLUSION_SLOTS}, not of {int(vote.slot)} into {state.slot}",
        )
    if bytes(vote.base_root) != state.working_root:
        raise BlockRefusedError(
            "base_root",
            f"the vote is on model {bytes(vote.base_root).hex()[:16]}, the chain works on "
            f"{state.working_root.hex()[:16]}",
        )
    if int(vote.chain_id) != state.config.chain_id:
        raise BlockRefusedError("chain_id", f"the vote is of chain {int(vote.chain_id)}, not {state.config.chain_id}")


def _check_model(state: BeaconState, update_id: bytes, model: bytes, known: Known) -> None:
    delta = known.deltas.get(update_id)
    if delta is None:
        raise BlockRefusedError("update_unknown", f"the bytes of update {update_id.hex()[:16]} were never seen here")
    if model != (expected := merged_root(state.working_root, delta)):
        raise BlockRefusedError(
            "model_root", f"it names model {model.hex()[:16]}, its update makes {expected.hex()[:16]}"
        )


def apply_commit(state: BeaconState, commit: UpdateCommit, *, verify: bool) -> None:
    """Fix the update of the round that is open: from now on its texts can be drawn. Raises BlockRefusedError."""
    number, base, aggregator = int(commit.round), bytes(commit.base_root), int(commit.aggregator_index)
    if not state.round_open or number != state.round:
        raise BlockRefusedError("commit", f"round {number} is not open at slot {state.slot}")
    if state.slot != state.round_opened + 1:
        raise BlockRefusedError(
            "commit", f"round {number} opened at slot {state.round_opened}: only slot {state.round_opened + 1} fixes it"
        )
    expected = aggregator_of(state, state.round_opened)
    if aggregator != expected:
        raise BlockRefusedError("commit", f"validator {aggregator} aggregated, it was validator {expected}'s turn")
    if base != state.working_root:
        raise BlockRefusedError(
            "commit", f"it is on model {base.hex()[:16]}, the chain works on {state.working_root.hex()[:16]}"
        )
    if bytes(commit.update_id) == NO_UPDATE:
        raise BlockRefusedError("commit", "the zero update cannot be fixed")
    if verify:
        keys = state.registry.keys_of((aggregator,))
        why = f"the commit of round {number} is not signed by validator {aggregator}"
        demand(state, keys, unsigned_root(commit), DOMAIN_UPDATE, commit.signature, "commit", why)
    state.commit = commit
