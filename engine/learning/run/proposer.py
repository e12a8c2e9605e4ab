"""Proposing: a block on the head, with what the node holds, and with an update where a quorum stands for it.

A proposal takes a window longer than a frame, so that it yields between its parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from engine.core.errors import EngineError
from engine.learning import pow as work_proof
from engine.learning.beacon.committees import proposer_of
from engine.learning.beacon.execution import apply_commit
from engine.learning.beacon.proposal import BlockParts, begin, finish
from engine.learning.beacon.state import BeaconState
from engine.learning.config import INCLUSION_SLOTS
from engine.learning.errors import BlockRefusedError
from engine.learning.ports import Fetched, Steps
from engine.learning.run import acks
from engine.learning.run.misbehaviour import publish
from engine.learning.run.node import Node, Sealed
from engine.learning.transport.records import ack_key
from engine.learning.types import ZERO, AckCertificate, UpdateCommit

EASY = 12  # bits: a proof of work of four thousand attempts takes two milliseconds
SLICE = 1024  # of these attempts at a time
PATIENCE = 1 / 6  # of a slot: how long a proposer waits for the ACKs before it goes without


def propose_slot(node: Node, slot: int) -> Iterator[None]:
    """Propose, where one of the node's validators is to: at once, or as soon as the ACKs of a round are read."""
    head = node.head()
    state = node.kit.tree.state_at(head, slot)
    if not len(state.registry.active(state.epoch)):
        return  # everybody was slashed or left: the chain stands still
    proposer = proposer_of(state, slot)
    if not node.mine((proposer,)) or state.registry.slashed[proposer]:
        return
    if node.kit.faults.has("silent_proposer", proposer):
        return
    yield from Proposal(node, slot, proposer, head, state).start()


class Proposal:
    """One validator's turn to propose."""

    def __init__(self, node: Node, slot: int, proposer: int, head: bytes, state: BeaconState) -> None:
        self.node = node
        self.slot = slot
        self.proposer = proposer
        self.head = head
        self.state = state
        self._done = False

    def start(self) -> Iterator[None]:
        """Read the ACKs where an update may be included in this slot, then publish."""
        state, kit = self.state, self.node.kit
        commit = state.commit
        if commit is None or not state.round_open or self.slot != state.round_opened + INCLUSION_SLOTS:
            yield from self._publish(None)
            return
        update_id = bytes(commit.update_id)
        kit.post.fetch(kit.keyring.peer_of(self.proposer), ack_key(update_id), self._counted)
        kit.scheduler.at(kit.start_of(self.slot, PATIENCE), self._publish, None)

    def _counted(self, answer: Fetched | EngineError) -> Iterator[None]:
        kit, state, commit = self.node.kit, self.state, self.state.commit
        if self._done or isinstance(answer, EngineError) or commit is None:
            return
        counted = yield from acks.counting(kit.keyring, state, commit, state.round_opened + 1, answer.records)
        kit.watch.rounds.counted(bytes(commit.update_id), counted)
        certificate = acks.certificate_of(kit.config, commit, state.round_opened + 1, counted)
        if certificate is not None and self._holds_back(bytes(commit.update_id)):
            certificate = None
        yield
        yield from self._publish(certificate)

    def _holds_back(self, update_id: bytes) -> bool:
        """Tell that an update was a canary: its aggregator never includes it."""
        return update_id in self.node.canaries

    def _publish(self, certificate: AckCertificate | None) -> Iterator[None]:
        if self._done:
            return
        self._done = True
        if self.node.kit.keyring.safety(self.proposer).may_propose(self.slot):
            parts = self._parts(certificate)
            yield
            yield from self.make(parts, lambda sealed: publish(self, parts, sealed))

    def make(self, parts: BlockParts, then: Callable[[Sealed], Steps]) -> Iterator[None]:
        """Mine and sign a block; at once where the proof of work is a matter of milliseconds."""
        kit = self.node.kit
        keys = kit.keyring.keys(self.state.registry, self.proposer)
        if keys is None:
            return
        sign, bits = kit.keyring.signer(keys), kit.config.pow_bits
        draft = begin(self.state, self.slot, parts, sign)
        header = draft.body.execution
        yield

        def mined(nonce: int | EngineError) -> Iterator[None]:
            if isinstance(nonce, EngineError):
                return
            found = header.copy()
            found.nonce = nonce
            signed = finish(draft, found, sign)
            yield
            yield from then(Sealed(bytes(signed.message.hash_tree_root()), signed)) or ()

        async def work() -> int:
            return int((await work_proof.mine_beside(header, bits)).nonce)

        if bits <= EASY:
            for found in work_proof.search(header, bits, SLICE):
                yield
                if found is not None:
                    yield from mined(int(found.nonce))
        else:
            kit.scheduler.ask(f"pow/{work_proof.hash_of(header).hex()[:32]}", work, mined)

    def _parts(self, certificate: AckCertificate | None) -> BlockParts:
        node, state = self.node, self.state
        delta_hash = b""
        if certificate is not None:
            delta_hash = node.kit.tree.deltas.get(bytes(certificate.vote.update_id), b"")
            certificate = certificate if delta_hash else None
        evidence = node.slasher.pack(state)
        claim = b""
        if node.kit.faults.has("uncertified_update", self.proposer):
            certificate = None
            claim = bytes([0xBA, 0xD0]) + self.head[:30]
        return BlockParts(
            attestations=node.votes.pack(state, self.head, self.slot),
            commit=self.commit(),
            certificate=certificate,
            delta_hash=delta_hash,
            deposits=tuple(d for index, d in sorted(node.deposits.items()) if index >= state.deposit_index),
            claim=claim,
            **evidence,
        )

    def commit(self, skip: bytes = ZERO) -> UpdateCommit | None:
        """Return the commit that belongs into this block, if the node has heard of it; any but the update ``skip``."""
        state = self.state
        if not state.round_open or self.slot != state.round_opened + 1:
            return None
        for commit in self.node.commits.values():
            if int(commit.round) == state.round and bytes(commit.update_id) != skip and self._holds(commit):
                return commit
        return None

    def _holds(self, commit: UpdateCommit) -> bool:
        """Return whether the chain would take a commit: it is of the round's aggregator, on the chain's model."""
        try:
            apply_commit(self.state.copy(), commit, verify=True)
        except BlockRefusedError:
            return False
        return True
