"""A program that starts a real DHT, says the id of its process, and waits to be killed."""

from __future__ import annotations

import asyncio
import sys

from engine.learning.config import LearnConfig
from engine.learning.transport.hivemind_dht import HivemindDht


async def main() -> None:
    dht = await HivemindDht.start(LearnConfig(transport="dht", clock="wall", dht_peers=2))
    print(dht.pid, flush=True)
    await asyncio.sleep(600)


if __name__ == "__main__":
    asyncio.run(main())
    sys.exit(1)
