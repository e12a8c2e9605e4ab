"""What the services ask of a run: the blocks, states and peers of one of its nodes, as they are now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from engine.learning.config import LearnConfig
from engine.learning.ports import Peer

if TYPE_CHECKING:
    from engine.learning.types import AckCertificate, ExecutionHeader, SignedBeaconBlock

FAR_FUTURE = 2**64 - 1  # the epoch of what has not happened


@dataclass(frozen=True, slots=True)
class BlockView:
    """A block that the node knows. The block of genesis has a zero signature and an execution number of 0."""

    signed: SignedBeaconBlock
    root: bytes
    execution_hash: bytes
    canonical: bool  # whether it is the head or an ancestor of it
    finalized: bool


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
        """Seconds on the chain's clock, or of the epoch for a run on the wall's clock."""

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
        """Return the block whose execution header has this hash, canonical or not."""

    def finality(self, root: bytes) -> FinalityView:
        """Return the checkpoints in the state after a known block."""

    def validators(self, root: bytes) -> Sequence[ValidatorView]:
        """Return the validators in the state after a known block, by index."""

    def model_root(self, root: bytes) -> bytes:
        """Return the model that the next block on a known block names, 32 bytes."""

    def next_update(self, root: bytes) -> bytes:
        """Return the update that the next block on a known block would carry; 32 zero bytes for none."""

    def certificate_fault(
        self, root: bytes, slot: int, execution: ExecutionHeader, certificate: AckCertificate | None
    ) -> str:
        """Return why a certificate does not stand for the update of a block of a slot on a known block; "" if it does.

        A header without an update needs no certificate, and may carry none.
        """

    def peers(self) -> tuple[Peer, ...]:
        """Return the DHT's peers."""
