"""Reporting: members who judged an update tell of ACKs that their evaluation contradicts; over two thirds convict.

A report is of an accept for what a member's own evaluation refused beyond doubt, or of an opened loss that is not the
one of the member's texts. Whoever keeps silent is never reported.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from engine.core.errors import EngineError
from engine.learning.beacon.committees import ack_committee_of
from engine.learning.beacon.messages import Bits, from_bits
from engine.learning.beacon.state import BeaconState
from engine.learning.config import EVALUATION_TOLERANCE
from engine.learning.crypto import bls
from engine.learning.ports import Fetched
from engine.learning.run import acks
from engine.learning.run.aggregator import canary_holds
from engine.learning.run.member import Judgement, Members, due_slot
from engine.learning.run.node import Node
from engine.learning.transport.records import ack_key, reveal_key
from engine.learning.types import DOMAIN_REPORT, AckReport, AckSlashing, SignedAck, root_of, signing_root
from engine.learning.updates import draw

REFUSED_UPDATE, FALSE_LOSS = 1, 2  # reasons of a report
REVEAL = 8 + 16  # bytes of an opened loss: the loss, the salt


class Reporter:
    """What a node's members report, and the reports of others that it collects."""

    def __init__(self, node: Node, members: Members) -> None:
        self._node = node
        self._kit = node.kit
        self._members = members
        self._looked: set[tuple[bytes, str]] = set()
        self._counts: dict[bytes, acks.Count] = {}
        self._signed: dict[bytes, list[tuple[Bits, bytes]]] = {}
        self.canaries: set[bytes] = set()
        node.on_message["report"] = self.take
        node.on_message["canary"] = self.take_canary

    def look(self, slot: int) -> None:
        """Look at the ACKs of updates whose slot has come, and at the losses opened since."""
        for update_id, judgement in list(self._members.judgements.items()):
            if not judgement.voters or slot < due_slot(judgement):
                continue
            if not judgement.accept and judgement.certain:
                self._once(update_id, "ack", judgement)
            elif self._kit.config.reveal and judgement.opened and slot > due_slot(judgement):
                self._once(update_id, "reveal", judgement)

    def _once(self, update_id: bytes, what: str, judgement: Judgement) -> None:
        if (update_id, what) in self._looked:
            return
        self._looked.add((update_id, what))
        peer = self._kit.keyring.peer_of(min(judgement.voters))
        self._kit.post.fetch(peer, ack_key(update_id), lambda answer: self._acks(judgement, what, answer))

    def _acks(self, judgement: Judgement, what: str, answer: Fetched | EngineError) -> None:
        if isinstance(answer, EngineError):
            return
        update_id = bytes(judgement.commit.update_id)
        state = self._node.state(self._kit.slot)
        counted = acks.count(self._kit.keyring, state, judgement.commit, judgement.slot, answer.records)
        self._counts[update_id] = counted
        if what == "ack":
            for ack in counted.acks.values():
                if ack.accept:
                    self._report(judgement, state, ack, REFUSED_UPDATE)
            return
        peer = self._kit.keyring.peer_of(min(judgement.voters))
        self._kit.post.fetch(peer, reveal_key(update_id), lambda opened: self._reveals(judgement, opened))

    def _reveals(self, judgement: Judgement, answer: Fetched | EngineError) -> None:
        if isinstance(answer, EngineError):
            return
        state = self._node.state(self._kit.slot)
        counted = self._counts[bytes(judgement.commit.update_id)]
        losses = dict(zip(judgement.texts, judgement.after, strict=True))
        for record in answer.records:
            index = self._kit.keyring.of_peer(state.registry, record.subkey)
            ack = counted.acks.get(-1 if index is None else index)
            if ack is None or len(record.value) != REVEAL or state.registry.node_keys[ack.validator] != record.author:
                continue
            loss, salt = int.from_bytes(record.value[:8], "big"), record.value[8:]
            opened = acks.commitment_of(loss, salt) == ack.commitment
            if (
                opened
                and ack.accept
                and not self._plausible(judgement, state.registry.pubkeys[ack.validator], losses, loss)
            ):
                self._report(judgement, state, ack, FALSE_LOSS)

    def _plausible(self, judgement: Judgement, pubkey: bytes, losses: dict[int, int], loss: int) -> bool:
        subset = _subset(bytes(judgement.commit.update_id), pubkey, judgement.texts)
        mine = sum(losses[text] for text in subset)
        return abs(mine - loss) <= EVALUATION_TOLERANCE * len(subset)

    def _report(self, judgement: Judgement, state: BeaconState, ack: acks.Ack, reason: int) -> None:
        vote = acks.vote_for(self._kit.config, judgement.commit, judgement.slot, ack.accept)
        accused = SignedAck(validator_index=ack.validator, vote=vote, signature=ack.signature)
        report = AckReport(ack_root=root_of(accused), update_id=judgement.commit.update_id, reason=reason)
        committee = ack_committee_of(state, judgement.slot)
        signatures: dict[int, bytes] = {}
        for index in sorted(judgement.voters):
            keys = self._kit.keyring.keys(state.registry, index)
            if keys is not None and index != ack.validator:
                signatures[index] = self._kit.keyring.signer(keys)(root_of(report), DOMAIN_REPORT)
        if signatures:
            bits: Bits = np.isin(committee, list(signatures))
            body = (accused, report, bits, bls.aggregate(list(signatures.values())))
            self.take(self._node.number, body)
            self._node.tell("report", body)

    def take(self, sender: int, body: tuple[SignedAck, AckReport, Bits, bytes]) -> None:
        """Take reports in; once over two thirds of the committee made the same, they are evidence."""
        accused, report, bits, signature = body
        state = self._node.state(self._kit.slot)
        committee = ack_committee_of(state, int(accused.vote.slot))
        root = root_of(report)
        parts = self._signed.setdefault(root, [])
        if len(bits) != len(committee) or any((bits & known).any() for known, _ in parts):
            return
        signed = signing_root(root, DOMAIN_REPORT, self._kit.config.chain_id)
        if not bls.fast_aggregate_verify(state.registry.keys_of(committee[bits]), signed, signature):
            return
        parts.append((bits, signature))
        total: Bits = np.logical_or.reduce([known for known, _ in parts])
        if 3 * int(total.sum()) > 2 * len(committee):
            signatures = [part for _, part in parts]
            self._node.slasher.found(
                AckSlashing(ack=accused, report=report, bits=from_bits(total), signature=bls.aggregate(signatures))
            )

    def take_canary(self, sender: int, body: tuple[bytes, int, int, bytes]) -> None:
        """Learn that an update was a canary, where its aggregator's signature says so."""
        update_id, number, aggregator, proof = body
        state, config = self._node.state(self._kit.slot), self._kit.config
        public = state.registry.pubkeys[aggregator]
        if canary_holds(public, number, proof, config.canary_rate, config.chain_id):
            self.canaries.add(update_id)
            self._kit.watch.rounds.canary(update_id)


@lru_cache(maxsize=4096)
def _subset(update_id: bytes, pubkey: bytes, texts: tuple[int, ...]) -> tuple[int, ...]:
    return draw.member_subset(update_id, pubkey, texts)
