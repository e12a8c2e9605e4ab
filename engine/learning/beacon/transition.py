"""The state transition: slots pass, epochs end, blocks apply.

Source: consensus-specs phase0 (``process_slots``, ``process_block``), in its order; rounds of learning are ours.
"""

from __future__ import annotations

from hashlib import sha256
from typing import cast

import numpy as np

from engine.learning.beacon import operations as ops
from engine.learning.beacon import slashings
from engine.learning.beacon.committees import proposer_of
from engine.learning.beacon.execution import Known, apply_commit, apply_update, check_header, window_of
from engine.learning.beacon.ffg import next_finality
from engine.learning.beacon.messages import Header, epoch_root
from engine.learning.beacon.registry import EXIT_DELAY, FAR
from engine.learning.beacon.signatures import demand
from engine.learning.beacon.state import MIXES, BeaconState, block_root_of
from engine.learning.errors import BlockRefusedError
from engine.learning.pow import hash_of
from engine.learning.types import DOMAIN_PROPOSER, DOMAIN_RANDAO, ZERO, BeaconBlock, BodyRest, SignedBeaconBlock

LONGEST_GAP = 4096  # slots without a block: a fifth of a second to pass


def decode(data: bytes) -> SignedBeaconBlock:
    """Return the block in SSZ bytes from anybody. Raises BlockRefusedError (``malformed``)."""
    try:
        signed = SignedBeaconBlock.decode_bytes(data)
        if signed.encode_bytes() != data:
            raise ValueError("it has another form than SSZ gives it")
    except Exception as error:
        raise BlockRefusedError("malformed", f"its {len(data):,} bytes are no block: {str(error)[:80]}") from error
    return cast(SignedBeaconBlock, signed)


def advance(state: BeaconState, slot: int) -> BeaconState:
    """Return the state at the beginning of a later slot, before any block of it; the same state for its own slot.

    Raises BlockRefusedError for a slot that is past, or so far ahead that somebody means to keep a node busy.
    """
    if not state.slot <= slot <= state.slot + LONGEST_GAP:
        said = "past" if slot < state.slot else f"more than {LONGEST_GAP:,} slots ahead"
        raise BlockRefusedError("slot", f"slot {slot} is {said}, the state is at slot {state.slot}")
    if slot == state.slot:
        return state
    made = state.copy()
    while made.slot < slot:
        _end_slot(made)
        if (made.slot + 1) % made.config.slots_per_epoch == 0:
            _end_epoch(made)
        made.slot += 1
        _open_round(made)
        made._root = None
    return made


def apply(
    state: BeaconState, signed: SignedBeaconBlock, known: Known | None = None, *, verify: bool = True
) -> BeaconState:
    """Return the state after a block. Raises BlockRefusedError, whose rule and sentence say why it is no block.

    ``state`` is that of the block's parent, or the same advanced up to the block's slot. ``verify`` False leaves
    signatures, proof of work and the state's root aside.
    """
    block = signed.message
    slot = int(block.slot)
    if slot <= state.header.slot:
        raise BlockRefusedError("slot", f"its slot {slot} is not after its parent's slot {state.header.slot}")
    made = advance(state, slot)
    made = made.copy() if made is state else made
    body_root = bytes(block.body.hash_tree_root())
    _check_place(made, block)
    if verify:
        _check_signature(made, signed, body_root)
    process(made, block, body_root, known, verify=verify)
    if verify and (root := bytes(block.state_root)) != made.root:
        raise BlockRefusedError(
            "state_root", f"it claims the state {root.hex()[:16]}, its transition gives {made.root.hex()[:16]}"
        )
    return made


def process(made: BeaconState, block: BeaconBlock, body_root: bytes, known: Known | None, *, verify: bool) -> None:
    """Change a state, advanced to the block's slot, by what the block carries. Raises BlockRefusedError."""
    rest = block.body.rest
    made.header = Header(made.slot, int(block.proposer_index), bytes(block.parent_root), ZERO, body_root)
    header = check_header(made, block, verify=verify)
    _mix_in(made, int(block.proposer_index), rest, verify=verify)
    _apply_rest(made, rest, known, verify=verify)
    apply_update(made, block, known, verify=verify)
    made.execution_hash, made.execution_number = hash_of(header), int(header.number)


def _check_place(state: BeaconState, block: BeaconBlock) -> None:
    index, parent = int(block.proposer_index), bytes(block.parent_root)
    if parent != (expected := block_root_of(state)):
        raise BlockRefusedError("parent", f"its parent is {parent.hex()[:16]}, the state's block {expected.hex()[:16]}")
    if index != (turn := proposer_of(state, state.slot)):
        raise BlockRefusedError(
            "proposer", f"validator {index} proposes slot {state.slot}, it is validator {turn}'s turn"
        )
    if state.registry.slashed[index]:
        raise BlockRefusedError("proposer", f"validator {index} was slashed and may not propose")


def _check_signature(state: BeaconState, signed: SignedBeaconBlock, body_root: bytes) -> None:
    block = signed.message
    index = int(block.proposer_index)
    header = Header(state.slot, index, bytes(block.parent_root), bytes(block.state_root), body_root)
    why = f"validator {index} did not sign this block of slot {state.slot}"
    keys = state.registry.keys_of((index,))
    demand(state, keys, header.tree_root(), DOMAIN_PROPOSER, signed.signature, "signature", why)


def _mix_in(state: BeaconState, proposer: int, rest: BodyRest, *, verify: bool) -> None:
    reveal = bytes(rest.randao_reveal)
    if verify:
        why = f"validator {proposer} did not sign the reveal for epoch {state.epoch}"
        keys = state.registry.keys_of((proposer,))
        demand(state, keys, epoch_root(state.epoch), DOMAIN_RANDAO, reveal, "randao", why)
    mix = int.from_bytes(state.mix, "big") ^ int.from_bytes(sha256(reveal).digest(), "big")
    _set_mix(state, state.epoch, mix.to_bytes(32, "big"))


def _apply_rest(state: BeaconState, rest: BodyRest, known: Known | None, *, verify: bool) -> None:
    for proposer_slashing in rest.proposer_slashings:
        slashings.apply_proposer_slashing(state, proposer_slashing, verify=verify)
    for attester_slashing in rest.attester_slashings:
        slashings.apply_attester_slashing(state, attester_slashing, verify=verify)
    for ack_slashing in rest.ack_slashings:
        slashings.apply_ack_slashing(state, ack_slashing, verify=verify)
    for uncertified in rest.uncertified_slashings:
        slashings.apply_uncertified_slashing(state, uncertified, verify=verify)
    for attestation in rest.attestations:
        ops.apply_attestation(state, attestation, verify=verify)
    for deposit in rest.deposits:
        ops.apply_deposit(state, deposit, known, verify=verify)
    for wish in rest.exits:
        ops.apply_exit(state, wish, verify=verify)
    for commit in rest.commits:
        apply_commit(state, commit, verify=verify)


def _end_slot(state: BeaconState) -> None:
    if state.header.state == ZERO:
        state.header = state.header._replace(state=state.root)
    roots = list(state.block_roots)
    roots[state.slot % len(roots)] = state.header.tree_root()
    state.block_roots = tuple(roots)


def _end_epoch(state: BeaconState) -> None:
    finalized = state.finalized
    known = next_finality(state)
    state.justification, state.previous_justified, state.justified, state.finalized = known
    if state.finalized != finalized:
        _merge_final(state)
    registry, epoch = state.registry, state.epoch
    ready = np.flatnonzero(
        (registry.activation == FAR) & (registry.exit == FAR) & (registry.joined < state.finalized.epoch)
    )
    if len(ready):
        state.registry = registry.changed(ready, activation=epoch + EXIT_DELAY)
    _set_mix(state, epoch + 1, state.mix)
    nobody = np.zeros(len(registry), np.uint8)
    nobody.flags.writeable = False
    state.previous, state.current = state.current, nobody


def _merge_final(state: BeaconState) -> None:
    """Make the updates up to the finalised block part of the base."""
    last = state.start_of(state.finalized.epoch)
    final = [item for item in state.pending if item.slot <= last]
    if final:
        state.base_root = final[-1].root
        state.pending = state.pending[len(final) :]


def _open_round(state: BeaconState) -> None:
    """Close the round whose time is over, and open the next where one is due."""
    if state.round_open and state.slot > state.round_opened + window_of(state.config):
        state.round_open, state.commit = False, None
    if not state.round_open and state.slot % state.config.round_every == 0:
        state.round, state.round_opened, state.round_open = state.round + 1, state.slot, True


def _set_mix(state: BeaconState, epoch: int, mix: bytes) -> None:
    mixes = list(state.mixes)
    mixes[epoch % MIXES] = mix
    state.mixes = tuple(mixes)
