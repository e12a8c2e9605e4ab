"""The validators as the operator sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.learning.beacon.registry import FAR
from engine.learning.beacon.state import BeaconState
from engine.learning.crypto.keys import peer_id_of

if TYPE_CHECKING:
    from engine.learning.run.kit import Kit

Row = tuple[int, str, float, str, int, str]


def status_of(state: BeaconState, index: int) -> str:
    """Return pending, active, exiting, exited or slashed."""
    registry, epoch = state.registry, state.epoch
    if registry.slashed[index]:
        return "slashed"
    if registry.activation[index] > epoch:
        return "pending"
    if registry.exit[index] == FAR:
        return "active"
    return "exiting" if epoch < registry.exit[index] else "exited"


def validator_rows(kit: Kit, state: BeaconState) -> tuple[Row, ...]:
    """Return a row a validator: index, peer id, stake in POL, status, node, the faults it lives with."""
    registry = state.registry
    return tuple(
        (
            index,
            peer_id_of(pubkey),
            int(registry.balance[index]) / 1e9,
            status_of(state, index),
            kit.keyring.node_of(index),
            kit.faults.mark(index),
        )
        for index, pubkey in enumerate(registry.pubkeys)
    )
