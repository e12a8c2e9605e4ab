"""One hivemind node in a process of its own, with a libp2p daemon for its child. It answers the console's requests.

Requests name an operation: register, advance, store, fetch, meet, hear, status, stop. All run beside each other but
register, advance and hear, which take effect before anything that comes after them.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.core.errors import EngineError
from engine.core.process import die_with_parent
from engine.learning.transport.policy import RecordPolicy
from engine.learning.transport.records import pack, parse
from engine.learning.transport.worker import frames
from engine.learning.transport.worker.clock import DhtClock
from engine.learning.transport.worker.guard import Guard, no_cache, storage_of, validator_of
from engine.learning.transport.worker.merge import merge

REPLICAS = 20  # k: the nodes nearest to a key hold its records
RPC_TIMEOUT = 2.0  # seconds of the wall that a node waits for another


@dataclass(frozen=True, slots=True)
class NodeOrder:
    """What a node process is started with."""

    number: int
    folder: Path  # with its identity, sockets and the console's socket
    port: int  # of libp2p on the loopback, 0 for any
    initial: tuple[str, ...]  # addresses of nodes to join by
    origin: float
    speed: float
    ttl: float
    now: float  # the chain's time
    authors: tuple[tuple[bytes, str, str], ...]  # who may write: Ed25519 key, peer id, role


async def serve(order: NodeOrder) -> None:
    """Start the node, connect to the console, and answer until it says stop or is gone."""
    reader, writer = await asyncio.open_unix_connection(order.folder / "control.sock", limit=2**20)
    node = Node(order, writer)
    try:
        await node.start()
    except Exception as error:  # whatever hivemind raises: the console is told, and this process ends
        await node.say({"event": "failed", "node": order.number, "why": f"{type(error).__name__}: {error}"})
        return
    tasks: set[asyncio.Task[None]] = set()
    while (frame := await frames.read(reader)) is not None:
        header, body = frame
        if header["op"] == "stop":
            break
        if header["op"] in ("register", "advance", "hear"):
            await node.answer(header, body)
            continue
        task = asyncio.get_running_loop().create_task(node.answer(header, body))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(node.stop(), 2.0)


class Node:
    """A hivemind DHT node under our rules."""

    def __init__(self, order: NodeOrder, writer: asyncio.StreamWriter) -> None:
        self._order = order
        self._writer = writer
        self.guard = Guard(RecordPolicy(order.ttl, max(12.0, order.speed)), DhtClock(order.origin, order.speed))
        self.guard.now = order.now
        for author in order.authors:
            self.guard.policy.register(*author)
        self._deaf_to: frozenset[str] = frozenset()
        self._node: Any = None
        self._p2p: Any = None

    async def start(self) -> None:
        """Start daemon and node, and tell the console its addresses."""
        from hivemind.dht import protocol as protocols
        from hivemind.dht.node import DHTNode

        # Ours from the first message on: neighbours hand over what a newcomer is to hold while it still joins.
        protocols.DHTLocalStorage = lambda maxsize=None: no_cache() if maxsize else storage_of(self.guard)
        self._p2p = await self._daemon()
        self._node = await DHTNode.create(
            self._p2p,
            initial_peers=list(self._order.initial),
            bucket_size=REPLICAS,
            num_replicas=REPLICAS,
            wait_timeout=RPC_TIMEOUT,
            cache_size=1,
            cache_locally=False,
            cache_nearest=0,
            cache_on_store=False,
            cache_refresh_before_expiry=0,
            reuse_get_requests=False,
            record_validator=validator_of(self.guard),
            ensure_bootstrap_success=False,
        )
        protocol = self._node.protocol
        hear = protocol.get_stub
        protocol.get_stub = lambda peer: self._stub(peer, hear)
        addresses = [str(address) for address in await self._p2p.get_visible_maddrs()]
        await self.say({"event": "ready", "node": self._order.number, "addresses": addresses})

    async def _daemon(self) -> Any:
        """Start the libp2p daemon: on the loopback alone, under our identity, and ended by the kernel with us."""
        from hivemind.p2p import P2P

        P2P._UNIX_SOCKET_PREFIX = f"/unix{self._order.folder}/n{self._order.number}-"
        asyncio.subprocess.create_subprocess_exec = functools.partial(
            asyncio.create_subprocess_exec, preexec_fn=functools.partial(die_with_parent, os.getpid())
        )
        return await P2P.create(
            initial_peers=list(self._order.initial),
            host_maddrs=[f"/ip4/127.0.0.1/tcp/{self._order.port}"],
            identity_path=str(self._order.folder / f"identity-{self._order.number}"),
            check_if_identity_free=False,
            auto_nat=False,
            nat_port_map=False,
            use_relay=False,
            use_auto_relay=False,
            startup_timeout=30,
        )

    def _stub(self, peer: Any, hear: Any) -> Any:
        if peer.to_base58() in self._deaf_to:
            raise ConnectionError("on the other side of a partition")
        return hear(peer)

    async def say(self, header: frames.Header, body: bytes = b"") -> None:
        """Send a frame to the console."""
        self._writer.write(frames.encode(header, body))
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()

    async def answer(self, header: frames.Header, body: bytes) -> None:
        """Do what a request asks and answer it."""
        reply: frames.Header = {"id": header.get("id")}
        out = b""
        try:
            result = await getattr(self, f"do_{header['op']}")(header, body)
            if isinstance(result, tuple):
                result, out = result
            reply |= result
        except EngineError as error:
            reply["error"] = str(error)
        except Exception as error:  # hivemind's own: the console is told instead of waiting for ever
            reply["error"] = f"{type(error).__name__}: {error}"
        if header.get("id") is not None:
            await self.say(reply, out)

    async def do_register(self, header: frames.Header, _: bytes) -> frames.Header:
        """Let keys write: rows of (Ed25519 key in hexadecimal, peer id, role)."""
        for author, peer_id, role in header["authors"]:
            self.guard.policy.register(bytes.fromhex(author), peer_id, role)
        return {}

    async def do_advance(self, header: frames.Header, _: bytes) -> frames.Header:
        """Take over the chain's time, and drop what it has ended."""
        self.guard.now = max(self.guard.now, float(header["now"]))
        count = self._node.protocol.storage.sweep()
        await self.say({"event": "shelf", "node": self._order.number, "records": count})
        return {}

    async def do_store(self, header: frames.Header, body: bytes) -> frames.Header:
        """Put a record to the nodes nearest to its key; count those that took it, and those that answered."""
        from hivemind.dht.routing import DHTID

        record = parse(body)
        protocol = self._node.protocol
        key = DHTID.generate(source=record.key)
        expiration = self.guard.clock.expiration(record.expiry)
        nearest = await self._nearest(key)
        own = self._node.node_id
        chosen = sorted([*nearest, own], key=key.xor_distance)[:REPLICAS]
        calls = [
            protocol.call_store(nearest[node], [key], [protocol.serializer.dumps(body)], expiration, [record.subkey])
            for node in chosen
            if node != own
        ]
        answers = [answer for answer in await asyncio.gather(*calls) if answer is not None]
        reason = self.guard.policy.examine(record, self.guard.now)
        if own in chosen:
            refused = self.guard.refused.copy()
            answers.append([self._store_here(key, record.subkey, protocol.serializer.dumps(body), expiration)])
            reason = reason or next(iter(self.guard.refused - refused), "")
        return {"replicas": sum(map(all, answers)), "asked": len(answers), "reason": reason}

    def _store_here(self, key: Any, subkey: str, value: bytes, expiration: float) -> bool:
        protocol = self._node.protocol
        if not protocol._validate_record(key.to_bytes(), protocol.serializer.dumps(subkey), value, expiration):
            return False
        return bool(protocol.storage.store_subkey(key, subkey, value, expiration))

    async def do_fetch(self, header: frames.Header, _: bytes) -> tuple[frames.Header, bytes]:
        """Ask the nodes nearest to a key for its records, and return the valid ones with the evidence found."""
        from hivemind.dht.routing import DHTID

        protocol, name = self._node.protocol, header["key"]
        key = DHTID.generate(source=name)
        shelves, messages = await self._walk(key)
        records = merge([*shelves, protocol.storage.get(key)], name, self.guard, protocol.serializer.loads)
        return {"messages": messages}, frames.join([pack(record) for record in records])

    async def _walk(self, key: Any) -> tuple[list[Any], int]:
        """Ask for a key, nearer and nearer, the k nearest known at a time; return what was held, and the messages.

        Hivemind's own search mixes the answers into this node's shelf as it goes; this one leaves them apart.
        """
        protocol = self._node.protocol
        known = dict(protocol.routing_table.get_nearest_neighbors(key, REPLICAS, exclude=self._node.node_id))
        shelves: list[Any] = []
        asked: set[Any] = {self._node.node_id}
        messages = 0
        while batch := [node for node in sorted(known, key=key.xor_distance)[:REPLICAS] if node not in asked]:
            asked.update(batch)
            replies = await asyncio.gather(*(protocol.call_find(known[node], [key]) for node in batch))
            for node, reply in zip(batch, replies, strict=True):
                messages += 1 if reply is None else 2
                held, neighbours = (None, {}) if reply is None else reply[key]
                if reply is None:
                    del known[node]
                shelves.append(held)
                known.update((other, peer) for other, peer in neighbours.items() if other not in asked)
        return shelves, messages

    async def _nearest(self, key: Any) -> dict[Any, Any]:
        """Return the k nodes nearest to a key; who knows no more than k in all needs no lookup."""
        table = self._node.protocol.routing_table
        known = table.get_nearest_neighbors(key, REPLICAS + 1, exclude=self._node.node_id)
        if len(known) <= REPLICAS:
            return dict(known)
        found = await self._node.find_nearest_nodes([key], k_nearest=REPLICAS, exclude_self=True)
        return dict(found[key])

    async def do_meet(self, header: frames.Header, _: bytes) -> frames.Header:
        """Connect to other nodes by their addresses, so that each is in the other's routing table."""
        from hivemind.p2p import PeerID
        from hivemind.utils.multiaddr import Multiaddr

        async def meet(address: str) -> None:
            maddr = Multiaddr(address)
            peer = PeerID.from_base58(maddr["p2p"])
            with contextlib.suppress(Exception):  # who is gone meanwhile is not met
                await self._p2p._client.connect(peer, [maddr.decapsulate(f"/p2p/{maddr['p2p']}")])
                await self._node.protocol.call_ping(peer)

        await asyncio.gather(*map(meet, header["addresses"]))
        return {}

    async def do_hear(self, header: frames.Header, _: bytes) -> frames.Header:
        """Hear nothing of some peers any more, and forget who was silent."""
        self._deaf_to = frozenset(header["deaf_to"])
        self._node.blacklist.clear()
        return {}

    async def do_status(self, _: frames.Header, __: bytes) -> tuple[frames.Header, bytes]:
        """Return the number of records, what was refused, and evidence of equivocation (pairs, one after another)."""
        pairs = [pack(record) for pair in self.guard.equivocations.pairs() for record in pair]
        count = self._node.protocol.storage.sweep()
        return {"records": count, "refused": dict(Counter(self.guard.refused))}, frames.join(pairs)

    async def stop(self) -> None:
        """End node and daemon."""
        await self._node.shutdown()
        await self._p2p.shutdown()
