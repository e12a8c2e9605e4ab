"""All blocks that are known, with their states. Nodes of one process share a tree, so that each block is judged once.

What a node has seen is its own business (:class:`~engine.learning.beacon.fork_choice.ForkChoice`); what follows from a
block is the same for all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.learning.beacon.committees import committee_of
from engine.learning.beacon.execution import Known
from engine.learning.beacon.ffg import Finality, next_finality
from engine.learning.beacon.messages import Headed, Vote, headed, to_bits, vote_of
from engine.learning.beacon.registry import Ints
from engine.learning.beacon.state import BeaconState, block_root_of
from engine.learning.beacon.transition import advance, apply
from engine.learning.crypto.memo import Memo
from engine.learning.errors import BlockRefusedError
from engine.learning.types import SignedBeaconBlock, header_of, root_of

EQUIVOCATIONS = ("double_vote", "surround_vote")
NO_VERDICT = ("unknown_parent", "update_unknown", "deposit_unknown")


@dataclass(frozen=True, slots=True, eq=False)
class TreeBlock:
    """A block in the tree, what it made of the state, and what it tells the fork choice.

    ``unrealized`` is the finality that would be known if the epoch ended with this block, ``votes`` the attestations
    that it carries by validator, ``equivocators`` who it slashed for votes.
    """

    root: bytes
    parent: bytes  # "" for the first block
    slot: int
    proposer: int
    state: BeaconState
    signed: SignedBeaconBlock | None  # None for genesis, as the next
    headed: Headed | None
    unrealized: Finality
    votes: tuple[tuple[Ints, Vote], ...]
    equivocators: tuple[int, ...]


class BlockTree:
    """Blocks by root. ``deltas`` and ``deposits`` as in :class:`engine.learning.beacon.execution.Known`."""

    def __init__(self, genesis: BeaconState, *, deposits: dict[int, bytes] | None = None) -> None:
        self.deltas: dict[bytes, bytes] = {}
        self.deposits = deposits
        self.root = block_root_of(genesis)
        first = TreeBlock(self.root, b"", genesis.slot, 0, genesis, None, None, next_finality(genesis), (), ())
        self._blocks = {self.root: first}
        self._advanced: Memo[tuple[bytes, int], BeaconState] = Memo(128)
        self._refused: Memo[bytes, BlockRefusedError] = Memo(4096)

    def __len__(self) -> int:
        return len(self._blocks)

    def __contains__(self, root: object) -> bool:
        return root in self._blocks

    def __iter__(self) -> Iterator[TreeBlock]:
        return iter(self._blocks.values())

    def __getitem__(self, root: bytes) -> TreeBlock:
        """Return a block. Raises BlockRefusedError where it is not known."""
        found = self._blocks.get(root)
        if found is None:
            raise BlockRefusedError("unknown_block", f"block {root.hex()[:16]} is not known")
        return found

    def has_judged(self, root: bytes, signed: SignedBeaconBlock) -> bool:
        """Return whether this very object was taken in as the block of a root."""
        there = self._blocks.get(root)
        return there is not None and there.signed is signed

    def add(self, signed: SignedBeaconBlock) -> bytes:
        """Take a block in and return its root. Raises BlockRefusedError, the same each time it is asked.

        What refuses by NO_VERDICT may be taken in later, when more is known.
        """
        block = signed.message
        root, signature, slot = root_of(header_of(block)), bytes(signed.signature), int(block.slot)
        there = self._blocks.get(root)
        if there is not None and (there.signed is None or bytes(there.signed.signature) == signature):
            return root
        if (refusal := self._refused.get(root + signature)) is not None:
            raise BlockRefusedError(refusal.rule, refusal.why)
        parent = self._blocks.get(bytes(block.parent_root))
        if parent is None:
            why = f"its parent {bytes(block.parent_root).hex()[:16]} is not known"
            raise BlockRefusedError("unknown_parent", why)
        try:
            before = self.state_at(parent.root, slot) if slot > parent.slot else parent.state
            after = apply(before, signed, Known(self.deltas, self.deposits))
        except BlockRefusedError as error:
            if error.rule not in NO_VERDICT:
                self._refused.put(root + signature, error)
            raise
        self._blocks[root] = _tree_block(root, parent, signed, after)
        return root

    def state(self, root: bytes) -> BeaconState:
        """Return the state after a block. Raises BlockRefusedError for an unknown one, as all that follow do."""
        return self[root].state

    def state_at(self, root: bytes, slot: int) -> BeaconState:
        """Return the state after a block, advanced over empty slots to the beginning of ``slot``."""
        state = self[root].state
        if slot == state.slot:
            return state
        made = self._advanced.get((root, slot))
        if made is None:
            nearest = self._advanced.get((root, slot - 1))
            made = advance(state if nearest is None else nearest, slot)
            self._advanced.put((root, slot), made)
        return made

    def block(self, root: bytes) -> SignedBeaconBlock | None:
        """Return a block as it was signed; None for genesis."""
        return self[root].signed

    def parent(self, root: bytes) -> bytes:
        """Return the root of a block's parent, b"" for the first block that is kept."""
        return self[root].parent

    def slot(self, root: bytes) -> int:
        """Return a block's slot."""
        return self[root].slot

    def ancestor(self, root: bytes, slot: int) -> bytes:
        """Return the newest block at or before a slot on a block's branch; b"" where that is not kept any more."""
        block = self._blocks.get(root)
        while block is not None and block.slot > slot:
            block = self._blocks.get(block.parent)
        return b"" if block is None else block.root

    def is_ancestor(self, older: bytes, newer: bytes) -> bool:
        """Return whether a block lies on another's branch; a block lies on its own."""
        return older in self._blocks and self.ancestor(newer, self[older].slot) == older

    def prune(self, root: bytes) -> tuple[bytes, ...]:
        """Forget all blocks but one and those that build on it, and return their roots.

        ``root`` is final for every node that shares the tree: the oldest of their finalised blocks.
        """
        kept = {root: self[root]}
        for block in self._blocks.values():  # parents come before their children
            if block.parent in kept:
                kept[block.root] = block
        gone = tuple(known for known in self._blocks if known not in kept)
        self._blocks = kept
        return gone


def _tree_block(root: bytes, parent: TreeBlock, signed: SignedBeaconBlock, after: BeaconState) -> TreeBlock:
    votes = []
    for attestation in signed.message.body.rest.attestations:
        vote = vote_of(attestation.data)
        votes.append((committee_of(after, vote.slot)[to_bits(attestation.aggregation_bits)], vote))
    new = after.slashings[len(parent.state.slashings) :]
    return TreeBlock(
        root,
        parent.root,
        after.slot,
        after.header.proposer,
        after,
        signed,
        headed(signed),
        next_finality(after),
        tuple(votes),
        tuple(item.validator for item in new if item.reason in EQUIVOCATIONS),
    )
