"""A beacon node: one view of the chain, fed by blocks and votes that arrive, in whatever order they do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from engine.learning.beacon.committees import committee_of
from engine.learning.beacon.fork_choice import ForkChoice
from engine.learning.beacon.messages import Bits, Vote
from engine.learning.beacon.state import BeaconState
from engine.learning.crypto import bls
from engine.learning.errors import BlockRefusedError
from engine.learning.run.kit import Kit
from engine.learning.run.pool import VotePool
from engine.learning.run.slasher import Slasher
from engine.learning.types import (
    DOMAIN_ATTESTER,
    Attestation,
    Deposit,
    SignedBeaconBlock,
    UpdateCommit,
    root_of,
    signing_root,
)

TIMELY = 1 / 3  # of a slot: a block that arrives later gets no boost
BATCH = 64  # blocks in one answer to a node that misses some


class Sealed(NamedTuple):
    """A block with its root, which is computed once."""

    root: bytes
    block: SignedBeaconBlock

    @property
    def parent(self) -> bytes:
        """The root of its parent."""
        return bytes(self.block.message.parent_root)


class Votes(NamedTuple):
    """Votes of a committee, decoded once for all who hear them."""

    attestation: Attestation
    vote: Vote
    bits: Bits


class Node:
    """The view that the validators of one node share."""

    def __init__(self, kit: Kit, number: int) -> None:
        self.kit = kit
        self.number = number
        self.choice = ForkChoice(kit.tree)
        self.votes = VotePool(kit.tree)
        self.slasher = Slasher(self)
        self.commits: dict[bytes, UpdateCommit] = {}
        self.deposits: dict[int, Deposit] = {}
        self.canaries: dict[bytes, tuple[int, int, bytes]] = {}  # of aggregators here: round, aggregator, proof
        self.on_block: list[Callable[[Sealed], None]] = []
        self.on_message: dict[str, Callable[[int, Any], None]] = {
            "block": self.take_block,
            "blocks": self._take_blocks,
            "want": self._answer,
            "votes": self.take_votes,
            "commit": self.take_commit,
            "deposit": self.take_deposit,
            "offence": self.slasher.take,
        }
        self._known = {kit.tree.root}
        self._waiting: dict[bytes, list[tuple[str, int, Any]]] = {}
        kit.gossip.join(number, self._receive)

    # The view

    def head(self) -> bytes:
        """Return the root of the head."""
        return self.choice.head()

    def state(self, slot: int) -> BeaconState:
        """Return the head's state at a slot."""
        return self.kit.tree.state_at(self.head(), slot)

    def knows(self, root: bytes) -> bool:
        """Return whether it has a block."""
        return root in self._known

    def mine(self, indices: Iterable[int] | np.ndarray[Any, Any]) -> list[int]:
        """Return those validators that live here, are not offline, and whose keys this machine has."""
        nodes = self.kit.config.node_count
        return [
            int(index)
            for index in indices
            if index % nodes == self.number and not self.kit.faults.has("offline", int(index))
        ]

    # Messages

    def tell(self, kind: str, body: Any, to: Iterable[int] | None = None) -> None:
        """Send to the other nodes."""
        self.kit.gossip.tell(self.number, kind, body, to)

    def _receive(self, sender: int, kind: str, body: Any) -> None:
        self.on_message[kind](sender, body)

    def take_block(self, sender: int, sealed: Sealed) -> None:
        """Take a block in, or keep it until its parent is there."""
        if sealed.root in self._known:
            return
        if sealed.parent not in self._known:
            self._wait_for(sealed.parent, sender, ("block", sender, sealed))
            return
        if not self._apply(sealed):
            return
        self._known.add(sealed.root)
        self.slasher.see_block(self.kit.tree, sealed.root)
        for heard in self.on_block:
            heard(sealed)
        for kind, origin, body in self._waiting.pop(sealed.root, ()):
            self._receive(origin, kind, body)

    def _apply(self, sealed: Sealed) -> bool:
        try:
            if not self.kit.tree.has_judged(sealed.root, sealed.block):
                self.kit.tree.add(sealed.block)
            slot = self.kit.tree.slot(sealed.root)
            self.choice.on_block(sealed.root, timely=self.kit.scheduler.now < self.kit.start_of(slot, TIMELY))
        except BlockRefusedError as error:
            message = sealed.block.message
            self.kit.watch.refused("block", error.rule, int(message.proposer_index), error.why, int(message.slot))
            if sealed.parent in self.kit.tree and int(message.slot) <= self.kit.slot:
                state = self.kit.tree.state_at(sealed.parent, int(message.slot))
                self.slasher.see_refused(state, sealed.block)
            return False
        return True

    def _take_blocks(self, sender: int, blocks: tuple[Sealed, ...]) -> None:
        for sealed in blocks:
            self.take_block(sender, sealed)

    def _wait_for(self, root: bytes, sender: int, message: tuple[str, int, Any]) -> None:
        waiting = self._waiting.setdefault(root, [])
        if not waiting and sender != self.number:
            self.tell("want", root, (sender,))
        waiting.append(message)

    def _answer(self, sender: int, root: bytes) -> None:
        """Send a block and those before it, down to what is final here, oldest first."""
        chain: list[Sealed] = []
        tree = self.kit.tree
        while root in self._known and len(chain) < BATCH and (block := tree.block(root)) is not None:
            chain.append(Sealed(root, block))
            root = tree.parent(root)
        if chain:
            self.tell("blocks", tuple(reversed(chain)), (sender,))

    def take_votes(self, sender: int, votes: Votes) -> None:
        """Take in votes of a committee whose signatures hold; those for a block that is not here wait for it."""
        attestation, vote, bits = votes
        if vote.head not in self._known:
            self._wait_for(vote.head, sender, ("votes", sender, votes))
            return
        if not self.kit.tree.slot(vote.head) <= vote.slot <= self.kit.slot:
            return
        state = self.kit.tree.state_at(vote.head, vote.slot)
        committee = committee_of(state, vote.slot)
        if len(bits) != len(committee) or not bits.any() or not self.votes.add(vote, attestation, bits):
            return
        indices = committee[bits]
        root = signing_root(vote.key, DOMAIN_ATTESTER, self.kit.config.chain_id)
        if bls.fast_aggregate_verify(state.registry.keys_of(indices), root, bytes(attestation.signature)):
            self.slasher.see_votes(indices, attestation, vote)
            self.choice.on_attestation(indices, vote)

    def take_commit(self, sender: int, commit: UpdateCommit) -> None:
        """Keep an aggregator's commit; whether it may stand in a block the block's proposer asks of the state."""
        self.commits.setdefault(root_of(commit), commit)

    def take_deposit(self, sender: int, deposit: Deposit) -> None:
        """Keep a deposit until a block takes it in."""
        self.deposits.setdefault(int(deposit.index), deposit)

    def prune(self, slot: int) -> None:
        """Forget what is long past."""
        length = self.kit.config.slots_per_epoch
        self.votes.prune(slot - 2 * length)
        self.choice.prune()
        self.slasher.settle(self.kit.tree.state(self.choice.finalized.root))
        late = [root for root, commit in self.commits.items() if int(commit.round) < self.state(slot).round - 2]
        for root in late:
            del self.commits[root]
