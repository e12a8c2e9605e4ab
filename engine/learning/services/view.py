"""What the services ask of a run: the blocks, states and peers of one of its nodes, as they are now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from engine.learning.config import LearnConfig
from engine.learning.ports import Peer

if TYPE_CHECKING:
    from engine.learning.types import AckCertificate, BeaconBlockHeader, ExecutionHeader

FAR_FUTURE = 2**64 - 1  # the epoch of what has not happened


@dataclass(frozen=True, slots=True)
class BlockView:
    """A block that the node knows. The first one has a zero signature, an execution number of 0, and no bytes."""

    header: BeaconBlockHeader
    signature: bytes
    execution: ExecutionHeader
    size: int  # bytes of the signed block
    root: bytes
    execution_hash: bytes
    canonical: bool  # whether it is the head or an ancestor of it
    finalized: bool

    @property
    def slot(self) -> int:
        """The slot that it is of."""
        return int(self.header.slot)


@dataclass(frozen=True, slots=True)
class CheckpointView:
    """An epoch and the root of the block at its first slot."""

    epoch: int
    root: bytes


@dataclass(frozen=True, slots=True)
class FinalityView:
    """The checkpoints in a state."""

    previous_justified: CheckpointView
    current_justified: CheckpointView
    finalized: CheckpointView


@dataclass(frozen=True, slots=True)
class ValidatorView:
    """A validator in a state. Stakes are in 1e9 base units, epochs FAR_FUTURE while they have not come."""

    index: int
    pubkey: bytes
    node_key: bytes
    balance: int
    effective_balance: int
    slashed: bool
    eligibility_epoch: int
    activation_epoch: int
    exit_epoch: int
    withdrawable_epoch: int


@dataclass(frozen=True, slots=True)
class Proposal:
    """Who proposes in a slot, and the model and update that the block would name; ``update_id`` zero for none."""

    proposer_index: int
    model_root: bytes
    update_id: bytes
    certificate: AckCertificate | None


class ChainView(Protocol):
    """A node's view of the chain. Nothing here changes it; everything answers at once."""

    @property
    def config(self) -> LearnConfig:
        """The run's settings."""

    @property
    def genesis_root(self) -> bytes:
        """The root of :func:`engine.learning.genesis.genesis`, 32 bytes."""

    @property
    def genesis_time(self) -> int:
        """Seconds on the chain's clock, which block times count in: 0 as a rule."""

    def slot(self) -> int:
        """Return the slot that it is now."""

    def head(self) -> BlockView:
        """Return the head."""

    def by_root(self, root: bytes) -> BlockView | None:
        """Return a block, canonical or not."""

    def by_slot(self, slot: int) -> BlockView | None:
        """Return the canonical block of a slot; None for a slot without one."""

    def by_number(self, number: int) -> BlockView | None:
        """Return the canonical block whose execution header has this number."""

    def by_hash(self, execution_hash: bytes) -> BlockView | None:
        """Return the block whose execution header has this hash, the canonical one rather than another."""

    def by_state(self, state_root: bytes) -> BlockView | None:
        """Return the canonical block after which the state has this root."""

    def children(self, root: bytes) -> tuple[BlockView, ...]:
        """Return the blocks that build on one, canonical or not."""

    def finality(self, root: bytes) -> FinalityView:
        """Return the checkpoints in the state after a known block."""

    def validators(self, root: bytes) -> Sequence[ValidatorView]:
        """Return the validators in the state after a known block, by index."""

    def proposal(self, root: bytes, slot: int) -> Proposal:
        """Return what a block of a slot on a known block would carry."""

    def payload_fault(
        self, root: bytes, slot: int, execution: ExecutionHeader, certificate: AckCertificate | None
    ) -> str:
        """Return why an execution header cannot be that of a slot's block on a known block; "" where it can.

        The rules are the chain's own: parent, number, time, proposer, ExtraData, proof of work, model, certificate.
        """

    def peers(self) -> tuple[Peer, ...]:
        """Return the DHT's peers."""
