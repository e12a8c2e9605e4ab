"""Aggregating: the proposer of two slots on makes one update of the raw deltas, publishes it, and commits to it."""

from __future__ import annotations

from hashlib import sha256

from engine.core.errors import EngineError
from engine.learning.beacon.committees import aggregator_of
from engine.learning.beacon.messages import unsigned_root
from engine.learning.beacon.state import BeaconState
from engine.learning.brain import Aggregated, AggregateOrder
from engine.learning.config import INCLUSION_SLOTS
from engine.learning.crypto import bls
from engine.learning.crypto.keys import ValidatorKeys
from engine.learning.errors import BlockRefusedError
from engine.learning.ports import Fetched, Record
from engine.learning.run.deltas import spoiled
from engine.learning.run.kit import Kit
from engine.learning.run.library import Update, pack_update
from engine.learning.run.node import Node
from engine.learning.run.trainer import ROOT
from engine.learning.transport.records import delta_key, update_key
from engine.learning.types import DOMAIN_CANARY, DOMAIN_UPDATE, UpdateCommit, signing_root
from engine.learning.updates.manifest import manifest_of

PAUSE, LATEST = 1 / 12, 5 / 6  # of a slot: how often, and until when, it waits for trainers that lack


def usable(kit: Kit, records: tuple[Record, ...], base: bytes) -> tuple[list[tuple[int, bytes]], list[int]]:
    """Return (trainer, delta) of raw deltas on a base, by trainer, and the trainers whose delta is on another."""
    good: list[tuple[int, bytes]] = []
    stale: list[int] = []
    for record in records:
        trainer = kit.keyring.trainer_of.get(record.subkey)
        if trainer is None or kit.keyring.trainers[trainer].node_public != record.author:
            continue
        if record.value[:ROOT] != base:
            stale.append(trainer)
        else:
            good.append((trainer, record.value[ROOT:]))
    return sorted(good), sorted(stale)


def canary_root(number: int) -> bytes:
    """Return the root that an aggregator signs to learn whether its round is a canary."""
    return sha256(b"POL-AI/canary/" + number.to_bytes(8, "big")).digest()


def is_canary(signature: bytes, rate: float) -> bool:
    """Return what an aggregator's signature decides: nobody else can know it before, nobody can change it."""
    return int.from_bytes(sha256(signature).digest()[:8], "big") < round(rate * 2**64)


def canary_holds(public: bytes, number: int, signature: bytes, rate: float, chain_id: int) -> bool:
    """Return whether a revealed canary is one."""
    root = signing_root(canary_root(number), DOMAIN_CANARY, chain_id)
    return is_canary(signature, rate) and bls.verify(public, root, signature)


def aggregate_slot(node: Node, slot: int) -> None:
    """Aggregate, where a round opened in this slot and one of the node's validators is its aggregator."""
    state = node.state(slot)
    if not state.round_open or state.round_opened != slot:
        return
    try:
        aggregator = aggregator_of(state, slot)
    except BlockRefusedError:
        return
    keys = node.kit.keyring.keys(state.registry, aggregator)
    if node.mine((aggregator,)) and keys is not None and not state.registry.slashed[aggregator]:
        Aggregation(node, slot, aggregator, keys, state).start()


class Aggregation:
    """One validator's turn to aggregate."""

    def __init__(self, node: Node, slot: int, aggregator: int, keys: ValidatorKeys, state: BeaconState) -> None:
        self._node = node
        self._kit = node.kit
        self._slot = slot
        self._aggregator = aggregator
        self._keys = keys
        self._state = state

    def start(self) -> None:
        """Read the raw deltas."""
        peer = self._kit.keyring.peer_of(self._aggregator)
        self._kit.post.fetch(peer, delta_key(self._state.round), self._read)

    def _read(self, answer: Fetched | EngineError) -> None:
        rounds, number = self._kit.watch.rounds, self._state.round
        if isinstance(answer, EngineError):
            rounds.failed(number, self._slot, "withheld")
            return
        raws, stale = usable(self._kit, answer.records, self._state.working_root)
        again = self._kit.scheduler.now + PAUSE * self._kit.config.seconds_per_slot
        if len(raws) + len(stale) < self._kit.config.trainers and again < self._kit.start_of(self._slot, LATEST):
            self._kit.scheduler.at(again, self.start)
            return
        for trainer in stale:
            rounds.raw_refused(number, self._slot, trainer, "stale_base")
            text = f"The delta of trainer {trainer} for round {number} was trained on a model that is not the chain's."
            self._kit.watch.refused("delta", "stale_base", trainer, text, self._slot)
        if not raws:
            rounds.failed(number, self._slot, "no_deltas")
            return
        config = self._kit.config
        order = AggregateOrder(self._state.working_root, tuple(raws), config.rule, config.tolerated, config.clip_norm)
        self._kit.desk.aggregate(order, lambda made: self._made(order, made))

    def _made(self, order: AggregateOrder, made: Aggregated | EngineError) -> None:
        rounds, number = self._kit.watch.rounds, self._state.round
        if isinstance(made, EngineError):
            rounds.failed(number, self._slot, "withheld")
            return
        rounds.judged(number, self._slot, made)
        if made.delta is None:
            rounds.failed(number, self._slot, made.reason)
            return
        faults, delta = self._kit.faults, made.delta
        canary = self._canary()
        if faults.has("bad_aggregator", self._aggregator) or canary:
            delta = spoiled(self._kit, delta, number)
        self._publish(Update(manifest_of(order, delta), delta), canary)
        if faults.has("conflicting_updates", self._aggregator):
            self._conflict(order)

    def _canary(self) -> bytes:
        """Return the proof that this round is a canary, b"" where it is none."""
        rate = self._kit.config.canary_rate
        if rate == 0:
            return b""
        proof = self._kit.keyring.signer(self._keys)(canary_root(self._state.round), DOMAIN_CANARY)
        return proof if is_canary(proof, rate) else b""

    def _conflict(self, order: AggregateOrder) -> None:
        """Make a second update, of all raw deltas but the first one, for the other half of the committee."""
        raws = order.raws[1:] or order.raws
        other = AggregateOrder(order.base, raws, order.rule, order.byzantine, order.clip_norm)

        def made(answer: Aggregated | EngineError) -> None:
            if isinstance(answer, Aggregated) and answer.delta is not None:
                self._publish(Update(manifest_of(other, answer.delta), answer.delta), b"", second=True)

        self._kit.desk.aggregate(other, made)

    def _publish(self, update: Update, canary: bytes, *, second: bool = False) -> None:
        update_id = self._kit.library.add(update)
        if canary:
            self._node.canaries[update_id] = (self._state.round, self._aggregator, canary)
        self._kit.watch.rounds.aggregated(self._state.round, self._slot, update_id, update, self._aggregator)
        key = update_key(self._state.round, update_id if second else None)
        peer = self._kit.keyring.peer_of(self._aggregator)
        name = (key, self._keys.peer_id)
        self._kit.post.store(peer, name, pack_update(update), self._keys.node_key, lambda _: self._commit(update_id))

    def _commit(self, update_id: bytes) -> None:
        commit = UpdateCommit(
            round=self._state.round,
            aggregator_index=self._aggregator,
            base_root=self._state.working_root,
            update_id=update_id,
        )
        commit.signature = self._kit.keyring.signer(self._keys)(unsigned_root(commit), DOMAIN_UPDATE)
        self._node.take_commit(self._node.number, commit)
        self._node.tell("commit", commit)


def reveal_canaries(node: Node, slot: int) -> None:
    """Tell, in the slot that could have included them, which updates of this node's aggregators were canaries."""
    state = node.state(slot)
    for update_id, (number, aggregator, proof) in list(node.canaries.items()):
        if slot >= state.round_opened + INCLUSION_SLOTS or state.round != number:
            node.tell("canary", (update_id, number, aggregator, proof))
            node.on_message["canary"](node.number, (update_id, number, aggregator, proof))
            del node.canaries[update_id]
