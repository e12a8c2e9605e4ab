"""Who watches a run: compares all nodes at the end of each slot, tells what changed, and chains the hash of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from engine.core.events import Event
from engine.core.hashing import canonical_json
from engine.learning.beacon.ffg import participation_of
from engine.learning.beacon.state import BeaconState
from engine.learning.config import LearnConfig
from engine.learning.events import (
    LearnFinality,
    LearnHeads,
    LearnLoss,
    LearnPeers,
    LearnRefused,
    LearnSlashed,
    LearnSlot,
    LearnValidators,
)
from engine.learning.results import SlashingResult
from engine.learning.run.rounds import Rounds
from engine.learning.run.status import validator_rows
from engine.learning.run.words import slashed_text

if TYPE_CHECKING:
    from engine.learning.run.kit import Kit
    from engine.learning.run.node import Node


class Watch:
    """Sees every node at once, as no node does; nothing in the chain depends on it."""

    def __init__(self, config: LearnConfig, emit: Callable[[Event], None], run_id: int) -> None:
        self._config = config
        self._emit = emit
        self._run_id = run_id
        self._slot = 0
        self.rounds = Rounds(config, emit, run_id, lambda: self._slot)
        self.trace = sha256(b"POL-AI/trace/").hexdigest()
        self.slashings: dict[int, SlashingResult] = {}
        self.losses: list[tuple[bytes, float]] = []
        self.finality: list[tuple[int, int, int]] = []  # slot, justified, final, whenever they moved
        self.conflicts: set[tuple[bytes, bytes]] = set()  # final blocks of two nodes that exclude each other
        self.refusals: dict[tuple[str, str, int, int], str] = {}
        self.slots: dict[int, tuple[str, str]] = {}  # state and root, by slot
        self.attacks: dict[str, tuple[int, int]] = {}  # records that attackers wrote, and how many were taken
        self.readable = (0, 0)  # ACKs that can be read at the end, of those that were stored
        self._attested: dict[int, float] = {}
        self._last: dict[str, Any] = {}
        self._included: dict[bytes, bytes] = {}  # update id: the block on the main branch that included it
        self._settled = 0

    def bind(self, kit: Kit, nodes: list[Node]) -> None:
        """Let it see the nodes."""
        self._kit = kit
        self._nodes = nodes
        self.main = nodes[0]

    def refused(self, subject: str, rule: str, author: int, text: str, slot: int) -> None:
        """Tell of something refused, once however many nodes refuse it."""
        key = (subject, rule, author, slot)
        if key not in self.refusals:
            self.refusals[key] = text
            self._emit(LearnRefused(self._run_id, self._slot, subject, rule, author, text))

    def state(self, slot: int) -> BeaconState:
        """Return the state that most of the stake holds for the head's."""
        return self.main.state(slot)

    def begin(self, slot: int) -> None:
        """A slot begins."""
        self._slot = slot
        self.main = self._main(slot)

    def end(self, slot: int) -> Iterator[None]:
        """A slot ends: tell what changed, and chain the hash of the run so far."""
        self.main = self._main(slot)
        head = self.main.head()
        state = self._kit.tree.state_at(head, slot)
        self._attest(slot, head)
        self._tell_slots(slot, head)
        yield
        self._tell_finality(slot, state)
        self._tell_updates(slot, head, state)
        yield
        self._tell_slashings(state)
        self._tell_nodes(slot)
        self._tell_validators(slot, state)
        yield
        self._tell_peers(slot)
        self._compare()
        self._chain(slot, state)

    def _main(self, slot: int) -> Node:
        """Return a node whose head most of the stake follows; of equals the lower one."""
        stake: dict[bytes, int] = {}
        first: dict[bytes, Node] = {}
        for node in self._nodes:
            root = node.head()
            first.setdefault(root, node)
            active = self._kit.tree.state(root).registry.active(slot // self._config.slots_per_epoch)
            weight = int((active % self._config.node_count == node.number).sum())
            stake[root] = stake.get(root, 0) + weight
        return first[max(stake, key=lambda root: (stake[root], -first[root].number))]

    def _attest(self, slot: int, head: bytes) -> None:
        votes = [ballot for ballot in self.main.votes.ballots(slot) if ballot.vote.head == head]
        if votes:
            bits = votes[0].union()
            for ballot in votes[1:]:
                bits = bits | ballot.union()
            self._attested[slot] = float(bits.mean())

    def _tell_slots(self, slot: int, head: bytes) -> None:
        tree = self._kit.tree
        final_root = self.main.choice.finalized.root
        final = tree.slot(final_root)
        chain: dict[int, bytes] = {}
        root = head
        while root and tree.slot(root) >= self._settled:
            chain[tree.slot(root)] = root
            root = tree.parent(root)
        others = {block.slot: block.root for block in tree if block.slot >= self._settled and block.root != tree.root}
        for past in range(max(1, self._settled), slot + 1):
            if past in chain:
                self._tell_slot(past, "finalised" if past <= final else "proposed", chain[past])
            else:
                self._tell_slot(past, "orphaned" if past in others else "missed", others.get(past, b""))
        self._settled = max(self._settled, final)

    def _tell_slot(self, slot: int, state: str, root: bytes) -> None:
        if self.slots.get(slot) == (state, root.hex()):
            return
        self.slots[slot] = (state, root.hex())
        tree = self._kit.tree
        block = tree[root] if root else None
        proposer, update_id, parent = -1, "", ""
        if block is not None and block.signed is not None:
            execution = block.signed.message.body.execution
            found = bytes(execution.extra_data)[32:]
            proposer, parent = block.proposer, block.parent.hex()
            update_id = found.hex() if any(found) else ""
        detail = {
            "proposed": f"Validator {proposer} proposed it{' with an update' if update_id else ''}.",
            "finalised": f"Validator {proposer}'s block{' with an update' if update_id else ''} is final.",
            "orphaned": f"Validator {proposer} proposed it; most of the stake follows another branch.",
            "missed": "No block came.",
        }[state]
        share = self._attested.get(slot, 0.0) if state in ("proposed", "finalised") else 0.0
        self._emit(LearnSlot(self._run_id, slot, state, proposer, root.hex(), parent, update_id, share, detail))

    def _tell_finality(self, slot: int, state: BeaconState) -> None:
        justified, finalized = self.main.choice.justified, self.main.choice.finalized
        now = (justified.epoch, finalized.epoch, finalized.root)
        if self._changed("finality", now):
            self.finality.append((slot, justified.epoch, finalized.epoch))
            self._emit(
                LearnFinality(
                    self._run_id,
                    slot,
                    justified.epoch,
                    finalized.epoch,
                    finalized.root.hex(),
                    participation_of(state),
                )
            )

    def _tell_updates(self, slot: int, head: bytes, state: BeaconState) -> None:
        tree = self._kit.tree
        pending = {item.update_id: item for item in state.pending}
        for update_id, item in pending.items():
            self._included[update_id] = tree.ancestor(head, item.slot)
            self.rounds.included(update_id, item.slot)
        for update_id in [key for key in self._included if key not in pending]:
            root = self._included.pop(update_id)
            if tree.is_ancestor(root, head):
                self.rounds.merged(update_id)
            else:
                self.rounds.rolled_back(update_id)
        self.rounds.expire(state)
        if self._changed("model", state.working_root):
            self.measure(slot, state)

    def measure(self, slot: int, state: BeaconState) -> None:
        """Ask for the loss of the head's model on held-out texts."""
        root = state.working_root
        done = [story for story in self.rounds.all if story.accepted]
        number = done[-1].round if done else -1
        trained = tuple(done[-1].losses[trainer] for trainer in sorted(done[-1].losses)) if done else ()

        def then(answer: Any) -> None:
            if isinstance(answer, int):
                self.losses.append((root, answer / 1e9))
                self._emit(LearnLoss(self._run_id, self._slot, number, root.hex(), answer / 1e9, trained))

        self._kit.desk.held_out(root, then)

    def _tell_slashings(self, state: BeaconState) -> None:
        for item in state.slashings:
            if item.validator in self.slashings:
                continue
            text = slashed_text(item.validator, item.reason, item.slot)
            found = SlashingResult(item.validator, item.reason, item.slot, item.evidence.hex())
            self.slashings[item.validator] = found
            self._emit(LearnSlashed(self._run_id, item.slot, item.validator, item.reason, found.evidence, "", text))

    def mirrored(self, validator: int, tx: str) -> None:
        """The staking contract took a slashing over."""
        found = self.slashings[validator]
        text = slashed_text(found.validator, found.reason, found.slot)
        self.slashings[validator] = SlashingResult(found.validator, found.reason, found.slot, found.evidence, tx)
        self._emit(LearnSlashed(self._run_id, found.slot, validator, found.reason, found.evidence, tx, text))

    def _tell_nodes(self, slot: int) -> None:
        tree, network = self._kit.tree, self._kit.gossip.network
        rows = tuple(
            (node.number, head.hex(), tree.slot(head), node.choice.finalized.epoch, network.group_of(node.number))
            for node in self._nodes
            for head in (node.head(),)
        )
        if self._changed("heads", rows):
            self._emit(LearnHeads(self._run_id, slot, rows))

    def _tell_validators(self, slot: int, state: BeaconState) -> None:
        rows = validator_rows(self._kit, state)
        if self._changed("validators", rows):
            self._emit(LearnValidators(self._run_id, slot, rows))

    def _tell_peers(self, slot: int) -> None:
        peers = self._kit.post.dht.peers()
        rows = tuple((peer.number, peer.peer_id, peer.address, peer.up, peer.records, peer.group) for peer in peers)
        if self._changed("peers", rows):
            self._emit(LearnPeers(self._run_id, slot, rows))

    def _changed(self, what: str, value: Any) -> bool:
        if what in self._last and self._last[what] == value:
            return False
        self._last[what] = value
        return True

    def _compare(self) -> None:
        """Look for two nodes whose final blocks exclude each other: what must never be."""
        finals = {node.choice.finalized.root for node in self._nodes}
        tree = self._kit.tree
        for first in finals:
            for second in finals:
                if first < second and not (tree.is_ancestor(first, second) or tree.is_ancestor(second, first)):
                    self.conflicts.add((first, second))

    def _chain(self, slot: int, state: BeaconState) -> None:
        heads = sorted({node.head().hex() for node in self._nodes})
        finals = sorted({(node.choice.finalized.epoch, node.choice.finalized.root.hex()) for node in self._nodes})
        slashings = [[item.validator, item.reason, item.slot, item.evidence.hex()] for item in state.slashings]
        text = canonical_json([slot, heads, finals, slashings, self.rounds.verdicts()])
        self.trace = sha256(bytes.fromhex(self.trace) + text).hexdigest()
