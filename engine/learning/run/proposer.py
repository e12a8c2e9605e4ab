"""Proposing: a block on the head, with what the node holds, and with an update where a quorum stands for it."""

from __future__ import annotations

from engine.core.errors import EngineError
from engine.learning.beacon.committees import proposer_of
from engine.learning.beacon.proposal import BlockParts, propose
from engine.learning.beacon.state import BeaconState
from engine.learning.config import INCLUSION_SLOTS
from engine.learning.ports import Fetched
from engine.learning.run import acks
from engine.learning.run.node import Node, Sealed
from engine.learning.transport.records import ack_key
from engine.learning.types import ZERO, AckCertificate, SignedBeaconBlock, UpdateCommit

PATIENCE = 1 / 6  # of a slot: how long a proposer waits for the ACKs before it goes without


def propose_slot(node: Node, slot: int) -> None:
    """Propose, where one of the node's validators is to: at once, or as soon as the ACKs of a round are read."""
    head = node.head()
    state = node.kit.tree.state_at(head, slot)
    proposer = proposer_of(state, slot)
    if not node.mine((proposer,)) or state.registry.slashed[proposer]:
        return
    if node.kit.faults.has("silent_proposer", proposer):
        return
    Proposal(node, slot, proposer, head, state).start()


class Proposal:
    """One validator's turn to propose."""

    def __init__(self, node: Node, slot: int, proposer: int, head: bytes, state: BeaconState) -> None:
        self._node = node
        self._slot = slot
        self._proposer = proposer
        self._head = head
        self._state = state
        self._done = False

    def start(self) -> None:
        """Read the ACKs where an update may be included in this slot, then publish."""
        state, kit = self._state, self._node.kit
        commit = state.commit
        if commit is None or not state.round_open or self._slot != state.round_opened + INCLUSION_SLOTS:
            self._publish(None)
            return
        update_id = bytes(commit.update_id)
        kit.post.fetch(kit.keyring.peer_of(self._proposer), ack_key(update_id), self._counted)
        kit.scheduler.at(kit.start_of(self._slot, PATIENCE), self._publish, None)

    def _counted(self, answer: Fetched | EngineError) -> None:
        kit, state, commit = self._node.kit, self._state, self._state.commit
        if self._done or isinstance(answer, EngineError) or commit is None:
            return
        counted = acks.count(kit.keyring, state, commit, state.round_opened + 1, answer.records)
        kit.watch.rounds.counted(bytes(commit.update_id), counted)
        certificate = acks.certificate_of(kit.config, commit, state.round_opened + 1, counted)
        if certificate is not None and self._holds_back(bytes(commit.update_id)):
            certificate = None
        self._publish(certificate)

    def _holds_back(self, update_id: bytes) -> bool:
        """Tell that an update was a canary: its aggregator never includes it."""
        return update_id in self._node.canaries

    def _publish(self, certificate: AckCertificate | None) -> None:
        if self._done:
            return
        self._done = True
        node, faults = self._node, self._node.kit.faults
        if not node.kit.keyring.safety(self._proposer).may_propose(self._slot):
            return
        parts = self._parts(certificate)
        sealed = self._sealed(parts)
        if sealed is None:
            return
        if faults.has("conflicting_updates", self._proposer) and self._split(sealed, parts):
            return
        node.take_block(node.number, sealed)
        node.tell("block", sealed)
        if faults.has("equivocate_headers", self._proposer):
            self._second(parts)

    def _parts(self, certificate: AckCertificate | None) -> BlockParts:
        node, state = self._node, self._state
        delta_hash = b""
        if certificate is not None:
            delta_hash = node.kit.tree.deltas.get(bytes(certificate.vote.update_id), b"")
            certificate = certificate if delta_hash else None
        evidence = node.slasher.pack(state)
        claim = b""
        if node.kit.faults.has("uncertified_update", self._proposer):
            certificate = None
            claim = bytes([0xBA, 0xD0]) + self._head[:30]
        return BlockParts(
            attestations=node.votes.pack(state, self._head, self._slot),
            commit=self._commit(),
            certificate=certificate,
            delta_hash=delta_hash,
            deposits=tuple(d for index, d in sorted(node.deposits.items()) if index >= state.deposit_index),
            claim=claim,
            **evidence,
        )

    def _commit(self, skip: bytes = ZERO) -> UpdateCommit | None:
        state = self._state
        if not state.round_open or self._slot != state.round_opened + 1:
            return None
        for commit in self._node.commits.values():
            mine = int(commit.round) == state.round and bytes(commit.base_root) == state.working_root
            if mine and bytes(commit.update_id) != skip:
                return commit
        return None

    def _sealed(self, parts: BlockParts) -> Sealed | None:
        kit = self._node.kit
        keys = kit.keyring.keys(self._state.registry, self._proposer)
        if keys is None:
            return None
        signed: SignedBeaconBlock = propose(self._state, self._slot, parts, kit.keyring.signer(keys))
        return Sealed(bytes(signed.message.hash_tree_root()), signed)

    def _second(self, parts: BlockParts) -> None:
        """Sign a second block for the same slot and send it as well: the fault, not the honest code."""
        other = self._sealed(_replaced(parts, graffiti=b"a second block"))
        if other is not None:
            self._node.take_block(self._node.number, other)
            self._node.tell("block", other)

    def _split(self, first: Sealed, parts: BlockParts) -> bool:
        """Show each half of the nodes a block that fixes another of two updates; False where there are not two."""
        if parts.commit is None:
            return False
        commit = self._commit(skip=bytes(parts.commit.update_id))
        other = self._sealed(_replaced(parts, commit=commit)) if commit is not None else None
        if other is None:
            return False
        nodes = range(self._node.kit.config.node_count)
        half = [node for node in nodes if node % 2 == self._node.number % 2]
        self._node.take_block(self._node.number, first)
        self._node.tell("block", first, half)
        self._node.tell("block", other, [node for node in nodes if node not in half])
        return True


def _replaced(parts: BlockParts, **changes: object) -> BlockParts:
    import dataclasses

    return dataclasses.replace(parts, **changes)  # type: ignore[arg-type]
