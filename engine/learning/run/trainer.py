"""Training: a trainer puts its signed delta for the open round into the DHT. It has no stake and no view of its own."""

from __future__ import annotations

from hashlib import sha256

from engine.core.errors import EngineError
from engine.learning.brain import Trained, TrainOrder
from engine.learning.ports import Stored
from engine.learning.run.deltas import SPYING, altered, flavour_of
from engine.learning.run.kit import Kit
from engine.learning.run.node import Node
from engine.learning.transport.records import delta_key

WATCHING = 0.5  # seconds that colluders wait for the honest deltas of the round
ROOT = 32  # bytes before a delta in its record: the model that it was trained on


def round_seed(mix: bytes, number: int) -> bytes:
    """Return the seed of a round: it fixes the A that all its trainers begin with."""
    return sha256(b"POL-AI/round/" + mix + number.to_bytes(8, "big")).digest()


class Trainer:
    """One trainer, which asks one node for the head."""

    def __init__(self, kit: Kit, node: Node, number: int) -> None:
        self._kit = kit
        self._node = node
        self.number = number
        self._bases: list[bytes] = []

    def train(self, slot: int) -> None:
        """Train on the head's model, where a round opened in this slot."""
        state = self._node.state(slot)
        if not state.round_open or state.round_opened != slot:
            return
        self._kit.watch.rounds.opened(state.round, slot)
        faults = self._kit.faults
        if faults.has("trainer_silent", self.number):
            return
        base = state.working_root
        self._bases.append(base)
        if faults.has("trainer_stale", self.number):
            older = [root for root in self._bases if root != base]
            base = older[-1] if older else sha256(base).digest()
        order = TrainOrder(
            base=state.working_root,
            round=state.round,
            seed=round_seed(state.mix, state.round),
            trainer=self.number,
            steps=self._kit.config.training_steps,
            flavour=flavour_of(faults, self.number),
        )
        self._kit.desk.train(order, lambda answer: self._trained(state.round, slot, base, answer))

    def _trained(self, number: int, slot: int, base: bytes, answer: Trained | EngineError) -> None:
        if isinstance(answer, EngineError):
            self._kit.watch.refused("delta", "training", self.number, str(answer), slot)
            return
        self._kit.watch.rounds.trained(number, slot, self.number, answer.loss)
        if self._kit.faults.has(SPYING, self.number):
            later = self._kit.scheduler.now + WATCHING
            self._kit.scheduler.at(later, self._publish, number, slot, base, answer.delta)
            return
        if flavour_of(self._kit.faults, self.number) == "honest":
            self._kit.library.saw(number, answer.delta)
        self._publish(number, slot, base, answer.delta)

    def _publish(self, number: int, slot: int, base: bytes, trained: bytes) -> None:
        delta = altered(self._kit, self.number, number, trained, self._kit.library.seen(number))
        keys = self._kit.keyring.trainers[self.number]
        peer = self._kit.keyring.peer_of(self.number)
        name = (delta_key(number), keys.peer_id)
        self._kit.post.store(peer, name, base + delta, keys.node_key, lambda stored: self._stored(number, slot, stored))

    def _stored(self, number: int, slot: int, stored: Stored | EngineError) -> None:
        if isinstance(stored, EngineError) or stored.reason:
            why = str(stored) if isinstance(stored, EngineError) else stored.reason
            rule = "withheld" if isinstance(stored, EngineError) else stored.reason
            self._kit.watch.rounds.raw_refused(number, slot, self.number, rule)
            text = f"The delta of trainer {self.number} for round {number} was not stored: {why}."
            self._kit.watch.refused("delta", rule, self.number, text, slot)
            return
        self._kit.watch.rounds.published(number, slot, self.number)
