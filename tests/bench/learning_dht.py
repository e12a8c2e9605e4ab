"""How fast the DHT is: the simulated one beside plain loops, the real one beside bare hivemind, in the same run.

Real nodes are started only for a measurement of half a second and more: eight take some seconds to come up.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any

from engine.learning.config import LearnConfig
from engine.learning.crypto.ed25519 import SecretKey
from engine.learning.ports import Dht, Record
from engine.learning.transport import open_dht
from engine.learning.transport.kademlia import SimDht
from engine.learning.transport.kademlia.routing import BUCKET, Routing, Target
from engine.learning.transport.records import ack_key, sign_record

PEERS, NODES, BATCH = 1_000, 8, 20
STORE_GOAL_MS, FETCH_GOAL_MS = 27.0, 23.0
VALUE = b"\x01" + bytes(128)
KEY = ack_key(sha256(b"bench").digest())


class PlainRouting(Routing):
    """Answers each FIND_NODE anew, by sorting the contacts."""

    def nearest(self, peer: int, target: Target) -> frozenset[int]:
        """Return the ranks of the k contacts nearest to the target."""
        return frozenset(sorted(int(target.ranks[contact]) for contact in self.contacts(peer))[:BUCKET])


def rows(note: Callable[[str], None], seconds: float) -> list[dict[str, Any]]:
    """Return the table's lines; ``seconds``: about how long each measurement may take."""
    note("1,000 simulated peers store and read ACKs")
    found = asyncio.run(_simulated(seconds))
    if seconds >= 0.5 and importlib.util.find_spec("hivemind") is not None:
        note("8 hivemind nodes store and read ACKs, with and without our rules")
        found += _real_rows(seconds)
    return found


def _authors(count: int) -> list[tuple[SecretKey, str]]:
    secrets = [SecretKey(sha256(b"author" + n.to_bytes(4, "big")).digest()) for n in range(count)]
    return [(secret, sha256(secret.public).hexdigest()[:16]) for secret in secrets]


def _records(dht: Dht, count: int) -> list[Record]:
    authors = _authors(count)
    for secret, name in authors:
        dht.register(secret.public, name, "validator")
    return [sign_record(KEY, name, VALUE, 3600.0, secret) for secret, name in authors]


async def _simulated(seconds: float) -> list[dict[str, Any]]:
    plain, plain_rate, plain_messages = await _sim_stores(PlainRouting, seconds, 60)
    ours, rate, messages = await _sim_stores(Routing, seconds, PEERS)
    reads, began = 0, time.perf_counter()
    while reads < 3 or time.perf_counter() - began < seconds / 2:
        assert (await ours.fetch(reads % PEERS, KEY)).records
        reads += 1
    read_ms = (time.perf_counter() - began) / reads * 1e3
    await plain.close()
    await ours.close()
    return [
        _row("stores of ACKs by 1,000 simulated peers, 20 replicas", rate, "/s", "a sort a request", plain_rate),
        _row("messages of simulated lookups", messages, "/s", "a sort a request", plain_messages),
        _row(f"one fetch of {len(await _found(ours))} ACKs, simulated", read_ms, "ms"),
    ]


async def _found(dht: SimDht) -> list[Record]:
    return dht._shelves.get(KEY, (1 << PEERS) - 1, 0.0)


async def _sim_stores(routing: type[Routing], seconds: float, most: int) -> tuple[SimDht, float, float]:
    """Return a DHT, its stores a second and its messages a second."""
    dht = SimDht(LearnConfig(validators=PEERS))
    dht._routing.__class__ = routing
    records = _records(dht, most)
    began = time.perf_counter()
    for number, record in enumerate(records):
        assert (await dht.store(number, record)).replicas == BUCKET
        if number >= 10 and time.perf_counter() - began > max(seconds, 0.1):
            break
    took = time.perf_counter() - began
    return dht, (number + 1) / took, dht.messages / took


async def _real(seconds: float) -> tuple[float, float]:
    dht = await open_dht(LearnConfig(transport="dht", clock="wall", dht_peers=NODES))
    try:
        records, stores, fetches = _records(dht, BATCH), [], []
        for number, record in enumerate(records):
            began = time.perf_counter()
            assert (await dht.store(number % NODES, record)).replicas == NODES
            stores.append(time.perf_counter() - began)
        until = time.perf_counter() + seconds
        while len(fetches) < NODES or time.perf_counter() < until:
            began = time.perf_counter()
            assert len((await dht.fetch(len(fetches) % NODES, KEY)).records) == BATCH
            fetches.append(time.perf_counter() - began)
    finally:
        await dht.close()
    return median(stores) * 1e3, median(fetches) * 1e3


def _real_rows(seconds: float) -> list[dict[str, Any]]:
    store, fetch = asyncio.run(_real(seconds))
    script = Path(__file__).with_name("learning_dht_peer.py")
    done = subprocess.run([sys.executable, script, str(NODES), str(BATCH)], capture_output=True, text=True, check=True)
    peer = json.loads(done.stdout.splitlines()[-1])
    return [
        _row("store of an ACK at 8 real nodes", store, "ms", "hivemind without rules", peer["store"], STORE_GOAL_MS),
        _row("fetch of 20 ACKs from 8 real nodes", fetch, "ms", "hivemind without rules", peer["fetch"], FETCH_GOAL_MS),
    ]


def _row(
    name: str, ours: float, unit: str, peer_name: str = "", peer: float | None = None, goal: float | None = None
) -> dict[str, Any]:
    ratio = None if not peer else (ours / peer if unit == "/s" else peer / ours)
    return {
        "name": name,
        "ours": ours,
        "unit": unit,
        "peer_name": peer_name,
        "peer": peer,
        "ratio": ratio,
        "goal": goal,
        "met": None if goal is None else ours <= goal,
    }
