"""The view of one beacon node: its fork choice and the tree of blocks behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.learning.beacon.committees import proposer_of
from engine.learning.beacon.execution import Known, apply_update, check_header, merged_root
from engine.learning.beacon.fork_choice import ForkChoice
from engine.learning.beacon.messages import Check
from engine.learning.beacon.registry import FAR
from engine.learning.beacon.state import BeaconState
from engine.learning.beacon.tree import TreeBlock
from engine.learning.config import LearnConfig
from engine.learning.errors import BlockRefusedError
from engine.learning.ports import Peer
from engine.learning.services.view import (
    FAR_FUTURE,
    BlockView,
    CheckpointView,
    FinalityView,
    Proposal,
    ValidatorView,
)
from engine.learning.types import (
    NO_UPDATE,
    AckCertificate,
    BeaconBlock,
    BeaconBlockBody,
    BeaconBlockHeader,
    ExecutionHeader,
    header_of,
)

NO_SIGNATURE = bytes(96)
Pending = tuple[AckCertificate, bytes]  # a quorum's ACKs, and the SHA-256 of the update's bytes


class NodeView:
    """A :class:`engine.learning.services.view.ChainView` over a node.

    ``slot`` says which slot it is, ``peers`` gives the DHT's, ``pending`` the certificate that the node would put into
    a block of a slot on a known block, or None.
    """

    def __init__(
        self,
        config: LearnConfig,
        choice: ForkChoice,
        slot: Callable[[], int],
        peers: Callable[[], tuple[Peer, ...]] = tuple,
        pending: Callable[[bytes, int], Pending | None] = lambda root, slot: None,
    ) -> None:
        self._config = config
        self._choice = choice
        self._tree = choice.tree
        self._slot = slot
        self._peers = peers
        self._pending = pending
        first = self._tree[self._tree.root].state
        self._genesis = first.genesis_root, first.genesis_time

    @property
    def config(self) -> LearnConfig:
        """The run's settings."""
        return self._config

    @property
    def genesis_root(self) -> bytes:
        """The root of the genesis."""
        return self._genesis[0]

    @property
    def genesis_time(self) -> int:
        """Seconds on the chain's clock."""
        return self._genesis[1]

    def slot(self) -> int:
        """Return the slot that it is now."""
        return self._slot()

    def head(self) -> BlockView:
        """Return the head."""
        return self._view(self._tree[self._choice.head()])

    def by_root(self, root: bytes) -> BlockView | None:
        """Return a block that the node has seen."""
        return self._view(self._tree[root]) if root in self._choice and root in self._tree else None

    def by_slot(self, slot: int) -> BlockView | None:
        """Return the canonical block of a slot."""
        block = self._canonical(lambda block: block.slot <= slot)
        return self._view(block) if block is not None and block.slot == slot else None

    def by_number(self, number: int) -> BlockView | None:
        """Return the canonical block with an execution number."""
        block = self._canonical(lambda block: block.state.execution_number <= number)
        return self._view(block) if block is not None and block.state.execution_number == number else None

    def by_hash(self, execution_hash: bytes) -> BlockView | None:
        """Return the block with an execution hash: the canonical one, where blocks beside each other share theirs."""
        found = [block for block in self._tree if block.state.execution_hash == execution_hash]
        views = [self._view(block) for block in found if block.root in self._choice]
        return next((view for view in views if view.canonical), views[0] if views else None)

    def by_state(self, state_root: bytes) -> BlockView | None:
        """Return the canonical block after which the state has this root."""
        block = self._canonical(lambda block: _state_root(block) == state_root)
        return None if block is None else self._view(block)

    def children(self, root: bytes) -> tuple[BlockView, ...]:
        """Return the blocks that build on one, as the node saw them."""
        found = (block for block in self._tree if block.parent == root)
        return tuple(self._view(block) for block in found if block.root in self._choice)

    def finality(self, root: bytes) -> FinalityView:
        """Return the checkpoints in the state after a known block."""
        state = self._tree.state(root)
        points = (state.previous_justified, state.justified, state.finalized)
        return FinalityView(*(CheckpointView(*point) for point in points))

    def validators(self, root: bytes) -> Sequence[ValidatorView]:
        """Return the validators in the state after a known block. Stakes are withdrawn on the staking contract."""
        registry = self._tree.state(root).registry
        columns = (registry.balance, registry.slashed, registry.joined, registry.activation, registry.exit)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        return [
            ValidatorView(
                index,
                registry.pubkeys[index],
                registry.node_keys[index],
                balance,
                balance,
                slashed,
                joined,
                _epoch(activation),
                _epoch(gone),
                FAR_FUTURE,
            )
            for index, (balance, slashed, joined, activation, gone) in enumerate(rows)
        ]

    def proposal(self, root: bytes, slot: int) -> Proposal:
        """Return what a block of a slot on a known block would carry."""
        state = self._tree.state_at(root, slot)
        proposer = proposer_of(state, slot)
        pending = self._pending(root, slot)
        if pending is not None:
            certificate, delta = pending
            update_id, model = bytes(certificate.vote.update_id), merged_root(state.working_root, delta)
            header = ExecutionHeader(model_root=model, extra_data=state.execution_hash + update_id)
            if not self._update_fault(state, header, certificate):
                return Proposal(proposer, model, update_id, certificate)
        return Proposal(proposer, state.working_root, NO_UPDATE, None)

    def payload_fault(
        self, root: bytes, slot: int, execution: ExecutionHeader, certificate: AckCertificate | None
    ) -> str:
        """Return why an execution header cannot be that of a slot's block on a known block; "" where it can."""
        state = self._tree.state_at(root, slot)
        try:
            check_header(state, _block(slot, execution, certificate), verify=True)
        except BlockRefusedError as error:
            return error.why
        if int(execution.proposer_index) != (proposer := proposer_of(state, slot)):
            return f"validator {int(execution.proposer_index)} mined it, it is validator {proposer}'s turn"
        return self._update_fault(state, execution, certificate)

    def peers(self) -> tuple[Peer, ...]:
        """Return the DHT's peers."""
        return self._peers()

    def _update_fault(self, state: BeaconState, execution: ExecutionHeader, certificate: AckCertificate | None) -> str:
        known = Known(self._tree.deltas, self._tree.deposits)
        try:
            apply_update(state.copy(), _block(state.slot, execution, certificate), known, verify=True)
        except BlockRefusedError as error:
            return error.why
        return ""

    def _canonical(self, fits: Callable[[TreeBlock], bool]) -> TreeBlock | None:
        """Return the first block that fits on the way from the head to the oldest that is kept."""
        root = self._choice.head()
        while root in self._tree:
            block = self._tree[root]
            if fits(block):
                return block
            root = block.parent
        return None

    def _view(self, block: TreeBlock) -> BlockView:
        canonical = self._tree.is_ancestor(block.root, self._choice.head())
        final = self._final().root
        finalized = canonical and block.slot <= (self._tree.slot(final) if final in self._tree else 0)
        if block.signed is None:
            header, execution, size = _first(block.state)
            signature = NO_SIGNATURE
        else:
            header, signature = header_of(block.signed.message), bytes(block.signed.signature)
            execution, size = block.signed.message.body.execution, block.signed.value_byte_length()
        hashed = block.state.execution_hash
        return BlockView(header, signature, execution, size, block.root, hashed, canonical, finalized)

    def _final(self) -> Check:
        """Return the newest final checkpoint on the head's branch."""
        return self._tree.state(self._choice.head()).finalized


def _state_root(block: TreeBlock) -> bytes:
    return block.state.root if block.signed is None else bytes(block.signed.message.state_root)


def _first(state: BeaconState) -> tuple[BeaconBlockHeader, ExecutionHeader, int]:
    """Return the headers of the first block, which nobody signed."""
    header = BeaconBlockHeader(state_root=state.root, body_root=state.header.body)
    return header, ExecutionHeader(timestamp=state.genesis_time, model_root=state.base_root), 0


def _block(slot: int, execution: ExecutionHeader, certificate: AckCertificate | None) -> BeaconBlock:
    body = BeaconBlockBody(execution=execution, certificates=() if certificate is None else (certificate,))
    return BeaconBlock(slot=slot, proposer_index=execution.proposer_index, body=body)


def _epoch(epoch: int) -> int:
    return FAR_FUTURE if epoch >= FAR else epoch
