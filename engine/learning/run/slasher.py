"""The slasher of a node: it compares all that it hears with what was signed before, and keeps evidence for blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.learning.beacon.detect import Detector, Evidence, holds, uncertified
from engine.learning.beacon.messages import Vote
from engine.learning.beacon.registry import Ints
from engine.learning.beacon.slashings import can_be_slashed
from engine.learning.beacon.state import BeaconState
from engine.learning.beacon.tree import BlockTree
from engine.learning.types import (
    AckSlashing,
    Attestation,
    AttesterSlashing,
    ProposerSlashing,
    SignedBeaconBlock,
    UncertifiedSlashing,
    root_of,
)

if TYPE_CHECKING:
    from engine.learning.run.node import Node

MOST = 1024  # pieces of evidence
FIELDS: dict[type[Any], str] = {
    ProposerSlashing: "proposer_slashings",
    AttesterSlashing: "attester_slashings",
    AckSlashing: "ack_slashings",
    UncertifiedSlashing: "uncertified_slashings",
}


class Slasher:
    """Evidence of a node, kept until everybody whom it accuses is punished for good."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._detector = Detector()
        self._kept: dict[bytes, tuple[Evidence, tuple[int, ...]]] = {}

    def see_block(self, tree: BlockTree, root: bytes) -> None:
        """Look at a block that was taken in, and at the votes in it."""
        block = tree[root]
        assert block.signed is not None and block.headed is not None
        evidence = self._detector.on_header(block.headed)
        if evidence is not None:
            self.found(evidence)
        carried = block.signed.message.body.rest.attestations
        for (indices, vote), attestation in zip(block.votes, carried, strict=True):
            self.see_votes(indices, attestation, vote)

    def see_refused(self, state: BeaconState, signed: SignedBeaconBlock) -> None:
        """Look at a block that was refused: an update that nobody certified convicts its proposer."""
        evidence = uncertified(state, signed)
        if evidence is not None:
            self.found(evidence)

    def see_votes(self, indices: Ints, attestation: Attestation, vote: Vote) -> None:
        """Look at votes whose signature holds."""
        for evidence in self._detector.on_attestation(indices, attestation, vote):
            self.found(evidence)

    def found(self, evidence: Evidence) -> None:
        """Keep evidence that was put together here, and tell the others."""
        if self._keep(evidence):
            self._node.tell("offence", evidence)

    def take(self, sender: int, evidence: Evidence) -> None:
        """Keep what another node found, where it holds on this branch."""
        if holds(self._node.state(self._node.kit.slot), evidence):
            self._keep(evidence)

    def _keep(self, evidence: Evidence) -> bool:
        root = root_of(evidence)
        if root in self._kept or len(self._kept) >= MOST:
            return False
        self._kept[root] = (evidence, guilty_of(evidence))
        return True

    def pack(self, state: BeaconState) -> dict[str, Any]:
        """Return, by the names of a block's parts, evidence against those whom a state has not slashed."""
        made: dict[str, list[Any]] = {name: [] for name in FIELDS.values()}
        accused: set[int] = set()
        for evidence, guilty in self._kept.values():
            fresh = [index for index in guilty if index not in accused and can_be_slashed(state, index)]
            if fresh:
                accused.update(fresh)
                made[FIELDS[type(evidence)]].append(evidence)
        return {name: tuple(items) for name, items in made.items()}

    def settle(self, final: BeaconState) -> None:
        """Forget evidence against those whom a final state has slashed."""
        for root, (_, guilty) in list(self._kept.items()):
            if all(index < len(final.registry) and final.registry.slashed[index] for index in guilty):
                del self._kept[root]


def guilty_of(evidence: Evidence) -> tuple[int, ...]:
    """Return whom evidence accuses."""
    if isinstance(evidence, ProposerSlashing):
        return (int(evidence.first.message.proposer_index),)
    if isinstance(evidence, UncertifiedSlashing):
        return (int(evidence.header.message.proposer_index),)
    if isinstance(evidence, AckSlashing):
        return (int(evidence.ack.validator_index),)
    second = {int(index) for index in evidence.second.attesting_indices}
    return tuple(int(index) for index in evidence.first.attesting_indices if int(index) in second)
