"""Acknowledging: a node's members of the committee fetch an update, repeat its aggregation, judge it, and say so.

Members on one machine share the work and not the word: each signs for itself, and commits to a loss of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

from engine.core.errors import EngineError
from engine.learning.beacon.committees import ack_committee_of
from engine.learning.beacon.state import BeaconState
from engine.learning.brain import Aggregated, AggregateOrder
from engine.learning.config import EVALUATION_TOLERANCE, GATE_RATIO, INCLUSION_SLOTS
from engine.learning.crypto import ed25519
from engine.learning.crypto.keys import ValidatorKeys
from engine.learning.errors import DeltaRefusedError
from engine.learning.ports import Fetched
from engine.learning.run import acks
from engine.learning.run.aggregator import usable
from engine.learning.run.library import Update, parse_update
from engine.learning.run.node import Node
from engine.learning.transport.records import ack_key, delta_key, reveal_key, update_key
from engine.learning.types import DOMAIN_ACK, UpdateCommit, root_of
from engine.learning.updates import draw
from engine.learning.updates.manifest import order_again, reproduces

LATE = 1.0  # slots by which a late member's ACK comes too late
RETRY = 1 / 6  # of a slot, after which what could not be fetched is asked for again
Losses = tuple[int, ...]


@dataclass(slots=True)
class Judgement:
    """What a node found out about an update: the verdict of its members, and whether that is beyond doubt."""

    commit: UpdateCommit
    slot: int  # of the block that fixed it
    texts: tuple[int, ...]
    accept: bool = False
    reason: str = ""
    certain: bool = True
    before: Losses = ()
    after: Losses = ()
    voters: set[int] = field(default_factory=set)  # of this node, who judged and signed
    opened: bool = False


class Members:
    """The committee members of one node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._kit = node.kit
        self.judgements: dict[bytes, Judgement] = {}

    def vote(self, slot: int) -> None:
        """Begin to judge, where the head is this slot's block and fixed an update."""
        head = self._node.head()
        tree = self._kit.tree
        state = tree.state(head)
        commit = state.commit
        if commit is None or not state.round_open or tree.slot(head) != slot or state.round_opened + 1 != slot:
            return
        update_id = bytes(commit.update_id)
        if update_id in self.judgements:
            return
        members = self._node.mine(ack_committee_of(state, slot))
        if not members:
            return
        config, pool = self._kit.config, self._kit.desk.brain.pool
        texts = tuple(range(min(config.gate_texts, pool)))
        if config.gate_pool == "drawn":
            texts = draw.gate_texts(update_id, state.mix, min(config.gate_texts, pool), pool)
        judgement = self.judgements[update_id] = Judgement(commit, slot, texts)
        self._kit.watch.rounds.voting(update_id, slot, state, texts)
        riders = [index for index in members if self._kit.faults.has("free_ride", index)]
        honest = [index for index in members if index not in riders]
        for rider in riders:
            self._sign(judgement, state, rider, accept=True)
        if honest:
            Judging(self, judgement, state, honest).start()

    def _sign(self, judgement: Judgement, state: BeaconState, index: int, *, accept: bool) -> None:
        """Sign a vote and put it into the DHT, with a commitment to the loss where one was found."""
        keys = self._kit.keyring.keys(state.registry, index)
        if keys is None:
            return
        vote = acks.vote_for(self._kit.config, judgement.commit, judgement.slot, accept)
        signature = self._kit.keyring.signer(keys)(root_of(vote), DOMAIN_ACK)
        commitment = bytes(32)
        if judgement.after:
            commitment = acks.commitment_of(own_loss(keys, judgement), salt_of(keys, judgement.commit))
        value = acks.pack_ack(accept, signature, commitment)
        name = (ack_key(bytes(judgement.commit.update_id)), keys.peer_id)
        if self._kit.faults.has("late_acks", index):
            when = self._kit.start_of(judgement.slot + 1, LATE)
            self._kit.scheduler.at(when, self._store, index, name, value, keys, judgement, accept)
        else:
            self._store(index, name, value, keys, judgement, accept)

    def _store(
        self, index: int, name: tuple[str, str], value: bytes, keys: ValidatorKeys, judgement: Judgement, accept: bool
    ) -> None:
        update_id = bytes(judgement.commit.update_id)
        peer = self._kit.keyring.peer_of(index)
        rounds = self._kit.watch.rounds
        self._kit.post.store(
            peer, name, value, keys.node_key, lambda stored: rounds.acked(update_id, index, accept, stored)
        )

    def decided(self, judgement: Judgement, state: BeaconState, members: list[int]) -> None:
        """Let the members of this node sign the verdict."""
        update_id = bytes(judgement.commit.update_id)
        self._kit.watch.rounds.evaluated(update_id, judgement)
        for index in members:
            self._kit.scheduler.at(self._kit.scheduler.now, self._decide, judgement, state, index)

    def _decide(self, judgement: Judgement, state: BeaconState, index: int) -> None:
        judgement.voters.add(index)
        self._sign(judgement, state, index, accept=judgement.accept)

    def open(self, slot: int) -> None:
        """Open commitments to the losses on updates that were included."""
        if not self._kit.config.reveal:
            return
        state = self._node.state(slot)
        included = {pending.update_id for pending in state.pending}
        for update_id, judgement in self.judgements.items():
            if judgement.opened or update_id not in included or not judgement.after:
                continue
            judgement.opened = True
            for index in sorted(judgement.voters):
                keys = self._kit.keyring.keys(state.registry, index)
                if keys is not None:
                    value = own_loss(keys, judgement).to_bytes(8, "big") + salt_of(keys, judgement.commit)
                    name = (reveal_key(update_id), keys.peer_id)
                    self._kit.post.store(self._kit.keyring.peer_of(index), name, value, keys.node_key)

    def prune(self, slot: int) -> None:
        """Forget judgements of rounds that nobody can be reported for any more."""
        length = self._kit.config.slots_per_epoch
        for update_id in [key for key, one in self.judgements.items() if one.slot < slot - 2 * length]:
            del self.judgements[update_id]


class Judging:
    """The steps from a commit to a verdict."""

    def __init__(self, members: Members, judgement: Judgement, state: BeaconState, honest: list[int]) -> None:
        self._members = members
        self._judgement = judgement
        self._state = state
        self._honest = honest
        self._kit = members._kit
        self._update_id = bytes(judgement.commit.update_id)
        self._update: Update | None = None
        self._peer = self._kit.keyring.peer_of(honest[0])

    def start(self) -> None:
        """Fetch the update."""
        self._fetch_update(update_key(int(self._judgement.commit.round)))

    def _fetch_update(self, key: str) -> None:
        self._kit.post.fetch(self._peer, key, lambda answer: self._got_update(key, answer))

    def _got_update(self, key: str, answer: Fetched | EngineError) -> None:
        for record in answer.records if isinstance(answer, Fetched) else ():
            try:
                update = parse_update(record.value)
            except DeltaRefusedError:
                continue
            if update.manifest.update_id == self._update_id:
                self._update = update
                self._kit.library.add(update)
                self._kit.post.fetch(self._peer, delta_key(int(self._judgement.commit.round)), self._got_raws)
                return
        number = int(self._judgement.commit.round)
        if key == update_key(number):
            self._fetch_update(update_key(number, self._update_id))
        else:
            self._again(self.start)

    def _again(self, step: object) -> None:
        """Ask once more later, as long as an ACK could still be counted."""
        kit = self._kit
        when = kit.scheduler.now + RETRY * kit.config.seconds_per_slot
        if when < kit.start_of(self._judgement.slot + 1) and callable(step):
            kit.scheduler.at(when, step)
        else:
            kit.watch.rounds.failed_update(self._update_id, "withheld")

    def _got_raws(self, answer: Fetched | EngineError) -> None:
        update = self._update
        assert update is not None
        if isinstance(answer, EngineError):
            self._again(self.start)
            return
        base = bytes(self._judgement.commit.base_root)
        raws, _ = usable(self._kit, answer.records, base)
        try:
            order = order_again(update.manifest, update.delta, raws, base=base, clip_norm=self._kit.config.clip_norm)
        except DeltaRefusedError as error:
            if error.reason == "withheld":
                self._again(self.start)
            else:
                self._refuse(error.reason)
            return
        config = self._kit.config
        if (order.rule, order.byzantine) != (config.rule, config.tolerated):
            self._refuse("not_reproducible")
            return
        self._aggregate(order)

    def _aggregate(self, order: AggregateOrder) -> None:
        self._kit.desk.aggregate(order, self._aggregated)

    def _aggregated(self, answer: Aggregated | EngineError) -> None:
        update = self._update
        assert update is not None
        if isinstance(answer, EngineError):
            self._kit.watch.rounds.failed_update(self._update_id, "withheld")
        elif not reproduces(update.delta, answer.delta):
            self._refuse("not_reproducible")
        else:
            base = bytes(self._judgement.commit.base_root)
            self._kit.desk.evaluate(base, None, self._judgement.texts, self._before)

    def _before(self, answer: Losses | EngineError) -> None:
        if isinstance(answer, EngineError):
            return
        self._judgement.before = answer
        base, update = bytes(self._judgement.commit.base_root), self._update
        assert update is not None
        self._kit.desk.evaluate(base, update.delta, self._judgement.texts, self._after)

    def _after(self, answer: Losses | EngineError) -> None:
        if isinstance(answer, EngineError):
            return
        judgement = self._judgement
        judgement.after = answer
        judgement.accept, judgement.reason = draw.verdict(judgement.before, answer)
        judgement.certain = beyond_doubt(judgement.before, answer)
        self._members.decided(judgement, self._state, self._honest)

    def _refuse(self, reason: str) -> None:
        self._judgement.reason = reason
        self._members.decided(self._judgement, self._state, self._honest)


def beyond_doubt(before: Losses, after: Losses) -> bool:
    """Return whether no honest evaluation could come to another verdict: the margin is beyond the tolerance."""
    margin = abs(GATE_RATIO[1] * sum(after) - GATE_RATIO[0] * sum(before))
    return margin > (GATE_RATIO[0] + GATE_RATIO[1]) * EVALUATION_TOLERANCE * len(before)


def own_loss(keys: ValidatorKeys, judgement: Judgement) -> int:
    """Return the loss that a member commits to: the sum over texts that it alone is to look at."""
    subset = draw.member_subset(bytes(judgement.commit.update_id), keys.pubkey, judgement.texts)
    losses = dict(zip(judgement.texts, judgement.after, strict=True))
    return sum(losses[text] for text in subset)


def salt_of(keys: ValidatorKeys, commit: UpdateCommit) -> bytes:
    """Return a member's salt, 16 bytes: nobody else can compute it before it is opened."""
    return sha256(ed25519.sign(keys.node_key, b"POL-AI/salt/" + bytes(commit.update_id))).digest()[:16]


def due_slot(judgement: Judgement) -> int:
    """Return the slot that may include an update."""
    return judgement.slot - 1 + INCLUSION_SLOTS
