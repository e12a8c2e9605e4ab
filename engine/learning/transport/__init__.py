"""The DHT that deltas, updates, ACKs and reveals go through: simulated in this process, or hivemind in another."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.learning.config import LearnConfig
    from engine.learning.ports import Dht
    from engine.learning.transport.network import Network


async def open_dht(config: LearnConfig, network: Network | None = None, *, port: int = 0, now: float = 0.0) -> Dht:
    """Return the DHT that a configuration asks for.

    ``network`` is the simulated one's, the configuration's by default; ``port`` libp2p's of the first real node (0: any
    that are free), ``now`` the chain's time when it goes on with a run. Raises LearnExtraMissingError where the real
    one is wanted and not installed, LearnPortError where a port is taken, TransportError when it cannot start.
    """
    if config.transport == "dht":
        # A tenth of a second that a window would show, were it spent on its loop.
        await asyncio.to_thread(import_module, "engine.learning.transport.hivemind_dht")
        from engine.learning.transport.hivemind_dht import HivemindDht

        return await HivemindDht.start(config, port=port, now=now)
    from engine.learning.transport.kademlia.dht import SimDht

    return SimDht(config, network)
