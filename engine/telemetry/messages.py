"""The messages about a consensus that go over the WebSocket."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from engine.consensus.events import ConsensusIterated
    from engine.consensus.state import NashEthereumState


class JsonSocket(Protocol):
    """A WebSocket that takes JSON: aiohttp's, or a web framework's."""

    async def send_json(self, data: Any) -> Any:
        """Send one message."""
        ...


class ConsensusWebSocketHandler:
    """Tells one client of a consensus as it goes: pass ``broadcast_state`` where states come about."""

    def __init__(self, websocket: JsonSocket) -> None:
        self.websocket = websocket

    async def broadcast_state(self, state: NashEthereumState) -> None:
        """Send a state as a ``consensus_update``."""
        await self.websocket.send_json(consensus_update(state))


def consensus_update(state: NashEthereumState) -> dict[str, Any]:
    """Return the message about a state."""
    return _update(state.task_hash, state.iteration, serialize_positions(state.positions), state.converged)


def update_of(event: ConsensusIterated) -> dict[str, Any]:
    """Return the same message about an iteration of a run."""
    positions = dict(zip(event.agents, map(list, event.positions), strict=True))
    return _update(event.task_hash, event.iteration, positions, event.converged)


def serialize_positions(positions: Mapping[str, Any]) -> dict[str, Any]:
    """Return positions (tensors or arrays by agent) as lists; what is not finite becomes null, which JSON can say."""
    return {agent: _plain(position.tolist()) for agent, position in positions.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if not isinstance(value, float) or math.isfinite(value) else None


def _update(task_hash: str, iteration: int, positions: dict[str, Any], converged: bool) -> dict[str, Any]:
    return {
        "type": "consensus_update",
        "task_hash": task_hash,
        "iteration": iteration,
        "positions": positions,
        "converged": converged,
    }
