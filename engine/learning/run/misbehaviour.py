"""What validators sign only when a fault tells them to: second votes, votes around others, second blocks."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from engine.learning.beacon.proposal import BlockParts
from engine.learning.beacon.registry import Ints
from engine.learning.beacon.state import BeaconState
from engine.learning.errors import BlockRefusedError
from engine.learning.run.ballot import cast
from engine.learning.run.node import Node, Sealed
from engine.learning.types import AttestationData, Checkpoint

if TYPE_CHECKING:
    from engine.learning.run.proposer import Proposal


def double(node: Node, state: BeaconState, committee: Ints, index: int, data: AttestationData) -> Iterator[None]:
    """Vote a second time for the same target epoch: for the block before the head."""
    head = bytes(data.beacon_block_root)
    tree = node.kit.tree
    if head == tree.root:
        return
    other = data.copy()
    other.beacon_block_root = tree.parent(head)
    if int(data.target.epoch) * state.config.slots_per_epoch >= tree.slot(head):
        other.target = Checkpoint(epoch=data.target.epoch, root=tree.parent(head))
    yield from cast(node, state, committee, [index], other)


def surround(
    node: Node, state: BeaconState, committee: Ints, index: int, data: AttestationData
) -> Generator[None, None, bool]:
    """Vote with a source before that of the last vote: its link surrounds that one's. False where none is older."""
    safety = node.kit.keyring.safety(index)
    if safety.source < 1 or int(data.target.epoch) <= safety.target:
        return False
    other = data.copy()
    other.source = Checkpoint(epoch=safety.source - 1, root=data.source.root)
    safety.target = int(data.target.epoch)
    yield from cast(node, state, committee, [index], other)
    return True


def publish(proposal: Proposal, parts: BlockParts, sealed: Sealed) -> Iterator[None]:
    """Send a block to all; and, where a fault says so, a second one as well, or to each half of the nodes another."""
    node, faults = proposal.node, proposal.node.kit.faults
    if faults.has("conflicting_updates", proposal.proposer) and (yield from _split(proposal, sealed, parts)):
        return
    yield from send(node, sealed)
    if faults.has("equivocate_headers", proposal.proposer):
        other = dataclasses.replace(parts, graffiti=b"a second block")
        yield from proposal.make(other, lambda second: send(node, second))


def send(node: Node, sealed: Sealed) -> Iterator[None]:
    """Take a block in and send it to all."""
    with suppress(BlockRefusedError):  # said when it is taken in: by then the tree knows
        node.kit.tree.add(sealed.block)
    yield
    node.take_block(node.number, sealed)
    yield
    node.tell("block", sealed)


def _split(proposal: Proposal, first: Sealed, parts: BlockParts) -> Generator[None, None, bool]:
    """Show each half of the nodes a block that fixes another of two updates; False where there are not two."""
    node = proposal.node
    other = proposal.commit(skip=bytes(parts.commit.update_id)) if parts.commit is not None else None
    if other is None:
        return False
    nodes = range(node.kit.config.node_count)
    half = [number for number in nodes if number % 2 == node.number % 2]
    node.take_block(node.number, first)
    node.tell("block", first, half)
    rest = [number for number in nodes if number not in half]
    yield from proposal.make(dataclasses.replace(parts, commit=other), lambda second: node.tell("block", second, rest))
    return True
