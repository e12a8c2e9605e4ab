"""Attesting: once an epoch each validator votes for the head and for the link from its source to its target."""

from __future__ import annotations

import numpy as np

from engine.learning.beacon.committees import committee_of
from engine.learning.beacon.messages import Bits, from_bits, vote_of
from engine.learning.beacon.registry import Ints
from engine.learning.beacon.state import BeaconState
from engine.learning.crypto import bls
from engine.learning.run.node import Node, Votes
from engine.learning.types import DOMAIN_ATTESTER, Attestation, AttestationData, Checkpoint, root_of


def data_for(state: BeaconState, head: bytes, slot: int) -> AttestationData:
    """Return what an honest validator votes in a slot: the head's state there, and the head."""
    epoch = slot // state.config.slots_per_epoch
    start = state.start_of(epoch)
    target = head if start == slot else state.block_root_at(start)
    return AttestationData(
        slot=slot,
        beacon_block_root=head,
        source=Checkpoint(epoch=state.justified.epoch, root=state.justified.root),
        target=Checkpoint(epoch=epoch, root=target),
    )


def attest(node: Node, slot: int) -> None:
    """Let a node's validators of the slot's committee vote; those on one node send their votes as one."""
    head = node.head()
    state = node.kit.tree.state_at(head, slot)
    committee = committee_of(state, slot)
    mine = node.mine(committee)
    if not mine:
        return
    data = data_for(state, head, slot)
    source, target = int(data.source.epoch), int(data.target.epoch)
    honest = []
    for index in mine:
        if node.kit.faults.has("surround_votes", index) and surround(node, state, committee, index, data):
            continue
        if node.kit.keyring.safety(index).may_attest(source, target):
            honest.append(index)
    cast(node, state, committee, honest, data)
    for index in honest:
        if node.kit.faults.has("equivocate_votes", index):
            _double(node, state, committee, index, data)


def cast(node: Node, state: BeaconState, committee: Ints, voters: list[int], data: AttestationData) -> None:
    """Sign and send votes that say the same."""
    root = root_of(data)
    signed: dict[int, bytes] = {}
    for index in voters:
        keys = node.kit.keyring.keys(state.registry, index)
        if keys is not None:
            signed[index] = node.kit.keyring.signer(keys)(root, DOMAIN_ATTESTER)
    if not signed:
        return
    bits: Bits = np.isin(committee, list(signed))
    signatures = list(signed.values())
    total = signatures[0] if len(signatures) == 1 else bls.aggregate(signatures)
    attestation = Attestation(aggregation_bits=from_bits(bits), data=data, signature=total)
    votes = Votes(attestation, vote_of(data), bits)
    node.take_votes(node.number, votes)
    node.tell("votes", votes)


def _double(node: Node, state: BeaconState, committee: Ints, index: int, data: AttestationData) -> None:
    """Vote a second time for the same target epoch: for the block before the head."""
    head = bytes(data.beacon_block_root)
    tree = node.kit.tree
    if head == tree.root:
        return
    other = data.copy()
    other.beacon_block_root = tree.parent(head)
    if int(data.target.epoch) * state.config.slots_per_epoch >= tree.slot(head):
        other.target = Checkpoint(epoch=data.target.epoch, root=tree.parent(head))
    cast(node, state, committee, [index], other)


def surround(node: Node, state: BeaconState, committee: Ints, index: int, data: AttestationData) -> bool:
    """Vote with a source before that of the last vote: its link surrounds that one's. False where none is older."""
    safety = node.kit.keyring.safety(index)
    if safety.source < 1 or int(data.target.epoch) <= safety.target:
        return False
    epoch = safety.source - 1
    other = data.copy()
    other.source = Checkpoint(epoch=epoch, root=state.block_root_at(state.start_of(epoch)) if epoch else bytes(32))
    safety.target = int(data.target.epoch)
    cast(node, state, committee, [index], other)
    return True
