"""Building a block: what of the parts on offer the chain would refuse is left out, so that the block is valid."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from engine.learning.beacon import operations as ops
from engine.learning.beacon import slashings
from engine.learning.beacon.certificates import deep_fault, plain_fault
from engine.learning.beacon.committees import proposer_of
from engine.learning.beacon.execution import Known, apply_commit, check_round, merged_root, timestamp_at
from engine.learning.beacon.messages import epoch_root
from engine.learning.beacon.state import BeaconState, block_root_of
from engine.learning.beacon.transition import advance, process
from engine.learning.errors import BlockRefusedError
from engine.learning.pow import mine as mine_now
from engine.learning.types import (
    DOMAIN_PROPOSER,
    DOMAIN_RANDAO,
    NO_UPDATE,
    AckCertificate,
    AckSlashing,
    Attestation,
    AttesterSlashing,
    BeaconBlock,
    BeaconBlockBody,
    BodyRest,
    Deposit,
    ExecutionHeader,
    ProposerSlashing,
    SignedBeaconBlock,
    UncertifiedSlashing,
    UpdateCommit,
    VoluntaryExit,
    header_of,
    root_of,
)

Sign = Callable[[bytes, bytes], bytes]  # (root of an object, domain) -> 96 bytes
Mine = Callable[[ExecutionHeader, int], ExecutionHeader]


@dataclass(frozen=True)
class BlockParts:
    """What a proposer has at hand. ``delta_hash``: SHA-256 of the bytes of the update that ``certificate`` stands for.

    ``claim`` is a fault: the block names that update id whatever the certificate says, and every node refuses it.
    """

    attestations: tuple[Attestation, ...] = ()
    commit: UpdateCommit | None = None
    certificate: AckCertificate | None = None
    delta_hash: bytes = b""
    deposits: tuple[Deposit, ...] = ()
    exits: tuple[VoluntaryExit, ...] = ()
    proposer_slashings: tuple[ProposerSlashing, ...] = ()
    attester_slashings: tuple[AttesterSlashing, ...] = ()
    ack_slashings: tuple[AckSlashing, ...] = ()
    uncertified_slashings: tuple[UncertifiedSlashing, ...] = ()
    graffiti: bytes = b""
    claim: bytes = b""


@dataclass(frozen=True)
class Draft:
    """A block that lacks its proof of work, its state root and its signature. Mine ``body.execution``."""

    state: BeaconState  # at the block's slot, before it
    body: BeaconBlockBody
    proposer: int
    parent: bytes
    known: Known | None
    valid: bool


def propose(
    state: BeaconState, slot: int, parts: BlockParts, sign: Sign, *, mine: Mine = mine_now, known: Known | None = None
) -> SignedBeaconBlock:
    """Return a signed block for a slot on top of a state. ``sign`` holds the key of the slot's proposer.

    Raises BlockRefusedError where no block can be made: the slot is past, or its proposer was slashed.
    """
    draft = begin(state, slot, parts, sign, known=known)
    return finish(draft, mine(draft.body.execution, state.config.pow_bits), sign)


def begin(state: BeaconState, slot: int, parts: BlockParts, sign: Sign, *, known: Known | None = None) -> Draft:
    """Return a draft, for proofs of work that take their time. Raises as :func:`propose`."""
    if slot <= state.header.slot:
        raise BlockRefusedError("slot", f"slot {slot} is not after the parent's slot {state.header.slot}")
    at_slot = advance(state, slot)
    proposer = proposer_of(at_slot, slot)
    if at_slot.registry.slashed[proposer]:
        raise BlockRefusedError("proposer", f"validator {proposer} was slashed and may not propose")
    reveal = sign(epoch_root(at_slot.epoch), DOMAIN_RANDAO)
    rest = _choose(at_slot, parts, known)
    certificates = () if parts.certificate is None else (parts.certificate,)
    update_id, model = _update(at_slot, parts, known)
    execution = ExecutionHeader(
        parent_hash=at_slot.execution_hash,
        number=at_slot.execution_number + 1,
        timestamp=timestamp_at(at_slot, slot),
        proposer_index=proposer,
        model_root=model,
        difficulty_bits=at_slot.config.pow_bits,
        extra_data=at_slot.execution_hash + update_id,
    )
    body = BeaconBlockBody(
        execution=execution,
        certificates=certificates if update_id != NO_UPDATE else (),
        rest=BodyRest(randao_reveal=reveal, graffiti=parts.graffiti, **rest),
    )
    return Draft(at_slot, body, proposer, block_root_of(at_slot), known, valid=not parts.claim)


def finish(draft: Draft, mined: ExecutionHeader, sign: Sign) -> SignedBeaconBlock:
    """Return the signed block of a draft whose execution header was mined."""
    body = draft.body.copy()
    body.execution = mined
    block = BeaconBlock(
        slot=draft.state.slot,
        proposer_index=draft.proposer,
        parent_root=draft.parent,
        state_root=b"\x00" * 32,
        body=body,
    )
    if draft.valid:
        after = draft.state.copy()
        process(after, block, bytes(body.hash_tree_root()), draft.known, verify=False)
        block.state_root = after.root
    return SignedBeaconBlock(message=block, signature=sign(root_of(header_of(block)), DOMAIN_PROPOSER))


def _update(state: BeaconState, parts: BlockParts, known: Known | None) -> tuple[bytes, bytes]:
    """Return the update id that the block names and the model root after it."""
    if parts.claim:
        return parts.claim, state.working_root
    certificate = parts.certificate
    if certificate is None or not parts.delta_hash:
        return NO_UPDATE, state.working_root
    update_id = bytes(certificate.vote.update_id)
    try:
        check_round(state, certificate)
    except BlockRefusedError:
        return NO_UPDATE, state.working_root
    if plain_fault((certificate,), update_id, state.config.quorum) or deep_fault(state, certificate):
        return NO_UPDATE, state.working_root
    if known is not None and known.deltas.get(update_id) != parts.delta_hash:
        return NO_UPDATE, state.working_root
    return update_id, merged_root(state.working_root, parts.delta_hash)


def _choose(state: BeaconState, parts: BlockParts, known: Known | None) -> dict[str, Any]:
    """Return the parts that hold, taken in as the transition takes them, no more than a body has room for."""
    trial = state.copy()
    fields = BodyRest.fields()
    chosen: dict[str, Any] = {}

    def keep(name: str, offered: Iterable[Any], take: Callable[[Any], None]) -> None:
        kept = chosen[name] = []
        for item in offered:
            if len(kept) >= fields[name].limit():
                break
            before = dict(trial.__dict__)
            try:
                take(item)
            except BlockRefusedError:
                trial.__dict__.update(before)
            else:
                kept.append(item)

    keep(
        "proposer_slashings",
        parts.proposer_slashings,
        lambda item: slashings.apply_proposer_slashing(trial, item, verify=True),
    )
    keep(
        "attester_slashings",
        parts.attester_slashings,
        lambda item: slashings.apply_attester_slashing(trial, item, verify=True),
    )
    keep("ack_slashings", parts.ack_slashings, lambda item: slashings.apply_ack_slashing(trial, item, verify=True))
    keep(
        "uncertified_slashings",
        parts.uncertified_slashings,
        lambda item: slashings.apply_uncertified_slashing(trial, item, verify=True),
    )
    keep("attestations", parts.attestations, lambda item: ops.apply_attestation(trial, item, verify=True))
    keep("deposits", parts.deposits, lambda item: ops.apply_deposit(trial, item, known, verify=True))
    keep("exits", parts.exits, lambda item: ops.apply_exit(trial, item, verify=True))
    commits = () if parts.commit is None else (parts.commit,)
    keep("commits", commits, lambda item: apply_commit(trial, item, verify=True))
    return chosen
