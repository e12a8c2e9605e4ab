"""Attesting: once an epoch each validator votes for the head and for the link from its source to its target."""

from __future__ import annotations

from collections.abc import Iterator

from engine.learning.beacon.committees import committee_of
from engine.learning.beacon.state import BeaconState
from engine.learning.run import misbehaviour
from engine.learning.run.ballot import cast
from engine.learning.run.node import Node
from engine.learning.types import AttestationData, Checkpoint


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


def attest(node: Node, slot: int) -> Iterator[None]:
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
        if node.kit.faults.has("surround_votes", index) and (
            yield from misbehaviour.surround(node, state, committee, index, data)
        ):
            continue
        if node.kit.keyring.safety(index).may_attest(source, target):
            honest.append(index)
    yield from cast(node, state, committee, honest, data)
    for index in honest:
        if node.kit.faults.has("equivocate_votes", index):
            yield from misbehaviour.double(node, state, committee, index, data)
