"""LMD-GHOST: which block a node builds on.

Source: V. Buterin et al.: Combining GHOST and Casper (2020), as consensus-specs phase0 ``fork-choice.md`` has it:
1. blocks that disagree with what is justified or final are left out; 2. from the justified block, go to the child with
the most stake behind it, by each validator's latest message, ties by root; 3. a block that comes in time for its slot
weighs 40% of a committee more during it, unless its proposer made two.

Messages are two numpy columns; weights are one histogram and one pass from the newest block to the oldest.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.learning.beacon.messages import Check, Vote, vote_of
from engine.learning.beacon.registry import Ints
from engine.learning.beacon.tree import BlockTree, TreeBlock
from engine.learning.errors import BlockRefusedError
from engine.learning.types import AttestationData

BOOST_PERCENT = 40  # of a committee's stake. Source: phase0, PROPOSER_SCORE_BOOST
_WAITING = 1024  # votes for blocks that are not seen yet


class _Pending(NamedTuple):
    indices: Ints
    vote: Vote


class ForkChoice:
    """One node's view of a tree: the blocks and votes that it has seen."""

    def __init__(self, tree: BlockTree) -> None:
        self.tree = tree
        self.slot = 0
        self.justified = self.finalized = Check(0, tree.root)
        self._best = (self.justified, self.finalized)  # with what the epoch's end would bring
        self._blocks: list[TreeBlock] = []
        self._numbers: dict[bytes, int] = {}
        self._parents: list[int] = []
        self._message_block: NDArray[np.int64] = np.full(0, -1, np.int64)
        self._message_epoch: NDArray[np.int64] = np.full(0, -1, np.int64)
        self._equivocating: NDArray[np.bool_] = np.zeros(0, bool)
        self._waiting: list[_Pending] = []
        self._boost = b""
        self._proposals: dict[tuple[int, int], bytes] = {}
        self._weights: tuple[Check, Ints, int] | None = None  # justified, stakes, all that is active
        self._head: bytes | None = None
        self._add(tree[tree.root])

    @property
    def epoch(self) -> int:
        """The epoch that it is."""
        return self.slot // self._length

    @property
    def _length(self) -> int:
        return self._blocks[0].state.config.slots_per_epoch

    def __contains__(self, root: object) -> bool:
        return root in self._numbers

    def on_tick(self, slot: int) -> None:
        """Let a slot begin: votes of the slot before count, a new epoch takes over what its votes justified."""
        if slot <= self.slot:
            return
        before, self.slot = self.epoch, slot
        self._boost, self._head = b"", None
        self._proposals = {key: root for key, root in self._proposals.items() if key[0] >= slot - 1}
        if self.epoch > before:
            self._take_over(*self._best)
        waiting, self._waiting = self._waiting, []
        for pending in waiting:
            self._count(pending)

    def on_block(self, root: bytes, *, timely: bool = False) -> None:
        """See a block of the tree. ``timely``: it came in the first third of its slot.

        Raises BlockRefusedError where its parent was not seen, it is of a later slot, or against what is final.
        """
        if root in self._numbers:
            return
        block = self.tree[root]
        if block.slot > self.slot:
            raise BlockRefusedError("future", f"it is of slot {block.slot}, it is slot {self.slot}")
        if block.parent not in self._numbers:
            raise BlockRefusedError("unknown_parent", f"its parent {block.parent.hex()[:16]} is not known")
        if self.tree.ancestor(root, self._start(self.finalized.epoch)) != self.finalized.root:
            raise BlockRefusedError(
                "finalized",
                f"it does not build on block {self.finalized.root.hex()[:16]}, which is final since epoch "
                f"{self.finalized.epoch}",
            )
        self._add(block)
        self._weigh_proposal(block, timely)
        self._take_over(block.state.justified, block.state.finalized)
        known = block.unrealized
        self._best = _better(self._best, known.justified, known.finalized)
        if block.slot // self._length < self.epoch:
            self._take_over(known.justified, known.finalized)
        for indices, vote in block.votes:
            self._count(_Pending(indices, vote), from_block=True)
        self.on_slashing(block.equivocators)
        self._retry(root)

    def on_attestation(self, indices: Ints, data: AttestationData | Vote) -> None:
        """Take votes of validators, whose signature was checked. Those for later, or for blocks unseen, wait."""
        vote = data if isinstance(data, Vote) else vote_of(data)
        self._count(_Pending(np.asarray(indices, np.int64), vote))

    def on_slashing(self, indices: Ints | tuple[int, ...]) -> None:
        """Count no more votes of validators who voted twice."""
        if len(indices):
            chosen = np.asarray(indices, np.int64)
            self._grow(int(chosen.max()) + 1)
            self._equivocating[chosen] = True
            self._head = None

    def head(self) -> bytes:
        """Return the root of the block to build on."""
        if self._head is None:
            self._head = self._find_head()
        return self._head

    def prune(self) -> None:
        """Forget the blocks that do not build on the final one."""
        first = self._numbers.get(self.finalized.root)
        if not first:
            return
        kept: list[TreeBlock] = []
        renumbered = np.full(len(self._blocks) + 1, -1, np.int64)  # the last one: for no message
        for number, block in enumerate(self._blocks):
            if number == first or (number > first and renumbered[self._parents[number]] >= 0):
                renumbered[number] = len(kept)
                kept.append(block)
        self._blocks = kept
        self._numbers = {block.root: number for number, block in enumerate(kept)}
        self._parents = [self._numbers.get(block.parent, -1) for block in kept]
        self._message_block = renumbered[self._message_block]
        self._head = None

    def _add(self, block: TreeBlock) -> None:
        self._numbers[block.root] = len(self._blocks)
        self._parents.append(self._numbers.get(block.parent, -1))
        self._blocks.append(block)
        self._head = None

    def _weigh_proposal(self, block: TreeBlock, timely: bool) -> None:
        """Boost the only timely proposal of the slot."""
        first = self._proposals.setdefault((block.slot, block.proposer), block.root)
        if first != block.root:
            self._boost = b"" if self._boost == first else self._boost
        elif timely and block.slot == self.slot and not self._boost:
            self._boost = block.root

    def _take_over(self, justified: Check, finalized: Check) -> None:
        self.justified, self.finalized = _better((self.justified, self.finalized), justified, finalized)
        self._head = None

    def _count(self, pending: _Pending, *, from_block: bool = False) -> None:
        indices, vote = pending
        if vote.target.epoch != vote.slot // self._length or not len(indices):
            return
        if vote.target.epoch < self.epoch - 1 and not from_block:
            return
        if vote.slot >= self.slot or vote.head not in self._numbers:
            if vote.slot <= self.slot + 1 and not from_block and len(self._waiting) < _WAITING:
                self._waiting.append(pending)
            return
        if self._blocks[self._numbers[vote.head]].slot > vote.slot:
            return
        if self.tree.ancestor(vote.head, self._start(vote.target.epoch)) != vote.target.root:
            return
        self._grow(int(indices.max()) + 1)
        newer = indices[self._message_epoch[indices] < vote.target.epoch]
        self._message_epoch[newer] = vote.target.epoch
        self._message_block[newer] = self._numbers[vote.head]
        self._head = None

    def _retry(self, root: bytes) -> None:
        ready = [pending for pending in self._waiting if pending.vote.head == root]
        if ready:
            self._waiting = [pending for pending in self._waiting if pending.vote.head != root]
            for pending in ready:
                self._count(pending)

    def _grow(self, count: int) -> None:
        more = count - len(self._message_block)
        if more > 0:
            self._message_block = np.append(self._message_block, np.full(more, -1, np.int64))
            self._message_epoch = np.append(self._message_epoch, np.full(more, -1, np.int64))
            self._equivocating = np.append(self._equivocating, np.zeros(more, bool))

    def _start(self, epoch: int) -> int:
        return epoch * self._length

    def _stakes(self) -> tuple[Ints, int]:
        """Return each validator's weight, its stake in the justified state if active and not slashed; and the total."""
        if self._weights is None or self._weights[0] != self.justified:
            state = self.tree.state_at(
                self.justified.root,
                max(self._start(self.justified.epoch), self.tree.slot(self.justified.root)),
            )
            registry = state.registry
            weights = np.zeros(len(registry), np.int64)
            active = registry.active(state.epoch)
            weights[active] = np.where(registry.slashed[active], 0, registry.balance[active])
            self._weights = (self.justified, weights, registry.total_active(state.epoch))
        return self._weights[1], self._weights[2]

    def _subtree_stakes(self) -> list[int]:
        stakes, total = self._stakes()
        self._grow(len(stakes))
        count = len(stakes)
        voting = (self._message_block[:count] >= 0) & ~self._equivocating[:count]
        # stake of all validators in 1e9 base units is below 2**53, so that the histogram's floats are exact
        weights = np.bincount(self._message_block[:count][voting], stakes[voting], len(self._blocks))
        totals = [int(weight) for weight in weights]
        if self._boost in self._numbers:
            totals[self._numbers[self._boost]] += total // self._length * BOOST_PERCENT // 100
        for number in range(len(totals) - 1, 0, -1):
            if self._parents[number] >= 0:
                totals[self._parents[number]] += totals[number]
        return totals

    def _is_viable(self, block: TreeBlock) -> bool:
        """Return whether a block without children agrees with what is justified and final."""
        known = block.unrealized if block.slot // self._length < self.epoch else block.state
        source = known.justified
        if not (self.justified.epoch in (0, source.epoch) or source.epoch + 2 >= self.epoch):
            return False
        return (
            self.finalized.epoch == 0
            or self.tree.ancestor(block.root, self._start(self.finalized.epoch)) == self.finalized.root
        )

    def _find_head(self) -> bytes:
        totals = self._subtree_stakes()
        count = len(self._blocks)
        best: list[int] = [-1] * count  # the best child that leads to a viable leaf
        viable = [False] * count
        parents_with_children = set(self._parents)
        for number in range(count - 1, -1, -1):
            if number not in parents_with_children:
                viable[number] = self._is_viable(self._blocks[number])
            parent = self._parents[number]
            if not viable[number] or parent < 0:
                continue
            viable[parent] = True
            rival = best[parent]
            if rival < 0 or (totals[number], self._blocks[number].root) > (totals[rival], self._blocks[rival].root):
                best[parent] = number
        # where more than a third broke the rules, what is justified may lie on a branch that finality cut off
        number = self._numbers.get(self.justified.root, 0)
        while best[number] >= 0:
            number = best[number]
        return self._blocks[number].root


def _better(known: tuple[Check, Check], justified: Check, finalized: Check) -> tuple[Check, Check]:
    """Return the later of checkpoints, each for itself."""
    return (
        justified if justified.epoch > known[0].epoch else known[0],
        finalized if finalized.epoch > known[1].epoch else known[1],
    )
