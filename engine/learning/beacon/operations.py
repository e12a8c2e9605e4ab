"""What a block carries besides its update: attestations, deposits, exits. Each is taken in, or refused by a sentence.

Source: consensus-specs phase0 (``process_attestation``, ``process_deposit``, ``process_voluntary_exit``).
"""

from __future__ import annotations

import numpy as np

from engine.learning.beacon.committees import committee_of
from engine.learning.beacon.execution import Known
from engine.learning.beacon.messages import Vote, deposit_root, to_bits, unsigned_root, vote_of
from engine.learning.beacon.registry import EXIT_DELAY, FAR
from engine.learning.beacon.signatures import demand, holds
from engine.learning.beacon.state import HEAD, SOURCE, TARGET, BeaconState, Flags
from engine.learning.config import DEPOSIT
from engine.learning.crypto import bls
from engine.learning.crypto.keys import peer_id_of
from engine.learning.errors import BlockRefusedError
from engine.learning.types import (
    DOMAIN_ATTESTER,
    DOMAIN_DEPOSIT,
    DOMAIN_EXIT,
    MAX_VALIDATORS,
    Attestation,
    Deposit,
    VoluntaryExit,
    root_of,
)

STAKE = DEPOSIT // 10**9  # in the unit of a Deposit


def apply_attestation(state: BeaconState, attestation: Attestation, *, verify: bool) -> None:
    """Count the votes of a committee. Raises BlockRefusedError."""
    vote = vote_of(attestation.data)
    check_vote(state, vote)
    committee, bits = committee_of(state, vote.slot), to_bits(attestation.aggregation_bits)
    if len(bits) != len(committee) or not bits.any():
        raise BlockRefusedError(
            "attestation",
            f"it counts {int(bits.sum())} of {len(bits)} votes of slot {vote.slot}, the committee has {len(committee)}",
        )
    voters = committee[bits]
    if verify:
        why = f"the signature of the {len(voters)} votes of slot {vote.slot} is not that of their voters"
        demand(
            state,
            state.registry.keys_of(voters),
            vote.key,
            DOMAIN_ATTESTER,
            attestation.signature,
            "attestation_signature",
            why,
        )
    flags = SOURCE
    if vote.target.root == state.checkpoint_root(vote.target.epoch):
        flags |= TARGET
        if vote.head == state.block_root_at(vote.slot):
            flags |= HEAD
    current = vote.target.epoch == state.epoch
    counted = (state.current if current else state.previous).copy()
    counted[voters] |= np.uint8(flags)
    counted.flags.writeable = False
    if current:
        state.current = counted
    else:
        state.previous = counted


def check_vote(state: BeaconState, vote: Vote) -> None:
    """Refuse a vote whose slot, target or source the state cannot count. Raises BlockRefusedError."""
    length = state.config.slots_per_epoch
    if not vote.slot + 1 <= state.slot <= vote.slot + length:
        raise BlockRefusedError(
            "attestation_slot",
            f"votes of slot {vote.slot} do not go into slot {state.slot}, only into the next {length}",
        )
    if vote.target.epoch != vote.slot // length:
        raise BlockRefusedError(
            "attestation_target", f"the target of a vote in slot {vote.slot} is epoch {vote.target.epoch}"
        )
    source = state.justified if vote.target.epoch == state.epoch else state.previous_justified
    if vote.source != source:
        raise BlockRefusedError(
            "attestation_source",
            f"its source is epoch {vote.source.epoch} ({vote.source.root.hex()[:16]}), justified is epoch "
            f"{source.epoch} ({source.root.hex()[:16]})",
        )


def apply_deposit(state: BeaconState, deposit: Deposit, known: Known | None, *, verify: bool) -> None:
    """Take a new validator in, which is active once that is final. Raises BlockRefusedError."""
    index, pubkey, node_key = int(deposit.index), bytes(deposit.pubkey), bytes(deposit.node_key)
    if index < state.deposit_index:
        raise BlockRefusedError("deposit_index", f"deposit {index} comes after deposit {state.deposit_index - 1}")
    if known is not None and known.deposits is not None and known.deposits.get(index) != root_of(deposit):
        raise BlockRefusedError("deposit_unknown", f"the staking contract has no such deposit {index}")
    if int(deposit.amount) < STAKE:
        raise BlockRefusedError(
            "deposit_amount", f"deposit {index} is {int(deposit.amount) / 1e9:g} POL, a validator stakes 32"
        )
    if len(state.registry) >= MAX_VALIDATORS:
        raise BlockRefusedError("deposit_full", f"there are {MAX_VALIDATORS} validators, and no more may join")
    peer_id = peer_id_of(pubkey)
    if peer_id in state.registry.peer_ids:
        raise BlockRefusedError(
            "deposit_duplicate", f"a validator has the peer id {peer_id} of deposit {index} already"
        )
    if node_key in state.registry.node_key_set:
        raise BlockRefusedError("deposit_duplicate", f"a validator has the DHT key of deposit {index} already")
    if verify and not (
        bls.is_public(pubkey) and holds(state, (pubkey,), deposit_root(deposit), DOMAIN_DEPOSIT, deposit.signature)
    ):
        raise BlockRefusedError("deposit_signature", f"deposit {index} does not prove that its BLS key is its own")
    state.registry = state.registry.joined_by(pubkey, node_key, min(int(deposit.amount), STAKE), state.epoch)
    state.previous = _one_more(state.previous)
    state.current = _one_more(state.current)
    state.deposit_index = index + 1


def apply_exit(state: BeaconState, wish: VoluntaryExit, *, verify: bool) -> None:
    """Let a validator leave two epochs from now. Raises BlockRefusedError."""
    index, epoch, registry = int(wish.validator_index), int(wish.epoch), state.registry
    if index >= len(registry):
        raise BlockRefusedError("exit", f"there is no validator {index}")
    if not registry.activation[index] <= state.epoch < registry.exit[index]:
        raise BlockRefusedError("exit", f"validator {index} is not active in epoch {state.epoch}")
    if registry.exit[index] != FAR:
        raise BlockRefusedError("exit", f"validator {index} leaves at epoch {int(registry.exit[index])} already")
    if epoch > state.epoch:
        raise BlockRefusedError("exit", f"the exit of validator {index} counts from epoch {epoch}, it is {state.epoch}")
    if int((registry.exit[registry.active(state.epoch)] == FAR).sum()) == 1:
        raise BlockRefusedError("exit", f"validator {index} is the last one")
    if verify:
        why = f"the exit of validator {index} is not signed by it"
        demand(state, registry.keys_of((index,)), unsigned_root(wish), DOMAIN_EXIT, wish.signature, "exit", why)
    state.registry = registry.changed((index,), exit=state.epoch + EXIT_DELAY)


def _one_more(flags: Flags) -> Flags:
    made = np.append(flags, np.uint8(0))
    made.flags.writeable = False
    return made
