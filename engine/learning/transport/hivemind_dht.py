"""The real DHT: hivemind's Kademlia over libp2p on the loopback, in processes that end with this one."""

from __future__ import annotations

import asyncio
import importlib.util
import socket
import time
from collections import Counter
from collections.abc import Mapping

from engine.core.paths import how_to_get
from engine.learning.config import LearnConfig
from engine.learning.errors import LearnExtraMissingError, LearnPortError, TransportError
from engine.learning.ports import Fetched, Peer, Record, Stored
from engine.learning.transport.identity import libp2p_id, peer_key
from engine.learning.transport.policy import LIMITS, Equivocations, RecordPolicy
from engine.learning.transport.records import kind_of, pack, parse
from engine.learning.transport.worker import frames
from engine.learning.transport.worker.clock import DhtClock
from engine.learning.transport.worker.cluster import NEXT, Cluster
from engine.learning.transport.worker.link import NodeGoneError, Reply

MOST_NODES = 40
DEADLINE = 30.0  # seconds of the wall for a store or a fetch


class HivemindDht:
    """ports.Dht over ``config.peer_count`` hivemind nodes, each with a libp2p daemon of its own."""

    def __init__(self, config: LearnConfig, *, port: int = 0, now: float = 0.0) -> None:
        """Use :meth:`start`."""
        self._count = config.peer_count
        keys = [peer_key(config.genesis_seed, number) for number in range(self._count)]
        self._names = [libp2p_id(key.public) for key in keys]
        self._speed = config.speed if config.clock == "scaled" else 1.0
        self._now = now
        self.policy = RecordPolicy()
        self._cluster = Cluster(keys, DhtClock.starting(now, self._speed), ttl=self.policy.ttl, port=port)
        self._link = self._cluster.link
        self._groups: dict[int, int] = {}
        self._authors: list[tuple[str, str, str]] = []
        self._unsettled: list[asyncio.Future[Reply]] = []
        self._closed = False

    @classmethod
    async def start(cls, config: LearnConfig, *, port: int = 0, now: float = 0.0) -> HivemindDht:
        """Start the nodes; ``port`` is libp2p's of the first, the others follow; 0: any that are free.

        Raises LearnExtraMissingError without hivemind, LearnPortError where a port is taken, TransportError.
        """
        if importlib.util.find_spec("hivemind") is None:
            raise LearnExtraMissingError(
                "The real DHT cannot be started",
                "hivemind is not installed",
                f"To get it, {how_to_get('learn')}. The simulated DHT needs nothing.",
            )
        if config.peer_count > MOST_NODES:
            raise TransportError("So many DHT nodes cannot be started", f"{config.peer_count} of at most {MOST_NODES}")
        if port:
            check_ports(port, config.peer_count)
        self = cls(config, port=port, now=now)
        try:
            await self._cluster.start(now)
        except BaseException:
            await self.close()
            raise
        return self

    async def store(self, peer: int, record: Record) -> Stored:
        """Put a record to the nodes nearest to its key. Raises TransportError when the DHT's processes are gone."""
        kind = kind_of(record.key)
        if kind and len(record.value) > LIMITS[kind]:
            return self._refuse("oversize", 0.0)  # larger values hivemind may store and not give back
        try:
            wire = pack(record)
        except TransportError:
            return self._refuse("malformed", 0.0)
        answer = await self._ask(peer, "store", wire)
        if answer is None:
            return Stored(0, "unreachable", 0.0)
        (header, _), seconds = answer
        if header["replicas"]:
            return Stored(int(header["replicas"]), "", seconds)
        return self._refuse(header["reason"] or ("already_written" if header["asked"] else "unreachable"), seconds)

    def _refuse(self, reason: str, seconds: float) -> Stored:
        if reason != "unreachable":
            self.policy.refused[reason] += 1
        return Stored(0, reason, seconds)

    async def fetch(self, peer: int, key: str) -> Fetched:
        """Ask the nodes nearest to a key for its records. Raises TransportError when the processes are gone."""
        answer = await self._ask(peer, "fetch", key=key)
        if answer is None:
            return Fetched((), 0.0)
        (header, body), seconds = answer
        return Fetched(tuple(parse(part) for part in frames.split(body)), seconds, int(header["messages"]))

    async def _ask(self, peer: int, op: str, body: bytes = b"", /, **fields: object) -> tuple[Reply, float] | None:
        """Return a node's answer and the chain's seconds it took, None where the node is ended."""
        self._check(peer)
        await self._settle()
        began = time.perf_counter()
        try:
            reply = await asyncio.wait_for(self._link.post(peer, op, body, **fields), DEADLINE)
        except NodeGoneError:
            self._check(peer)
            return None
        except TimeoutError as error:
            raise TransportError(f"The DHT node {peer} did not answer", f"in {DEADLINE:.0f} s", NEXT) from error
        return reply, (time.perf_counter() - began) * self._speed

    async def _settle(self) -> None:
        """Wait until all nodes know what was told them: who may write, and who hears whom."""
        while self._unsettled:
            waiting, self._unsettled = self._unsettled, []
            await asyncio.wait(waiting, timeout=DEADLINE)
            for future in waiting:
                if not future.done():
                    future.cancel()
                elif not future.cancelled() and not isinstance(future.exception(), NodeGoneError):
                    future.result()

    def _check(self, peer: int) -> None:
        if not 0 <= peer < self._count:
            raise TransportError(f"There is no DHT peer {peer}", f"there are {self._count}, numbered from 0")
        if self._closed:
            raise TransportError("The DHT does not answer", "it was closed")
        if not self._cluster.alive:
            raise self._cluster.broken("The DHT does not answer")

    def peers(self) -> tuple[Peer, ...]:
        """Return the nodes; the number of records is that of the last :meth:`advance` or :meth:`status`."""
        addresses, records = self._cluster.addresses, self._cluster.records
        return tuple(
            Peer(n, name, next(iter(addresses.get(n, ())), ""), n in addresses, records[n], self._groups.get(n, 0))
            for n, name in enumerate(self._names)
        )

    async def kill(self, peer: int) -> None:
        """End a node's process by SIGKILL; its libp2p daemon goes with it."""
        self._check(peer)
        if peer in self._cluster.addresses:
            await self._cluster.kill(peer)

    async def revive(self, peer: int) -> None:
        """Start a node that was ended, under its old identity; it joins by those that live, empty."""
        self._check(peer)
        if peer not in self._cluster.addresses:
            await self._cluster.start_nodes([peer], now=self._now, authors=self._authors)
            self._tell_groups([peer])

    def partition(self, groups: tuple[tuple[int, ...], ...]) -> None:
        """Let only nodes of one group hear each other; () heals."""
        found = {node: number for number, group in enumerate(groups, start=1) for node in group}
        for number in found:
            self._check(number)
        healed = bool(self._groups) and not found
        self._groups = found
        self._tell_groups(sorted(self._cluster.addresses))
        if healed:  # who was silent was forgotten: they look each other up again
            for node in sorted(self._cluster.addresses):
                self._unsettled.append(self._link.post(node, "meet", addresses=self._cluster.others(node)))

    def _tell_groups(self, nodes: list[int]) -> None:
        group = self._groups.get
        for node in nodes:
            deaf_to = [name for n, name in enumerate(self._names) if group(n, 0) != group(node, 0)]
            self._unsettled.append(self._link.post(node, "hear", deaf_to=deaf_to))

    def register(self, author: bytes, peer_id: str, role: str) -> None:
        """Let a key write, at every node."""
        self.policy.register(author, peer_id, role)
        row = (author.hex(), peer_id, role)
        self._authors.append(row)
        for node in sorted(self._cluster.addresses):
            self._unsettled.append(self._link.post(node, "register", authors=[row]))

    def advance(self, now: float) -> None:
        """Tell all nodes the time of the chain, a second and more at a time."""
        if now >= self._now + 1.0:
            self._now = now
            for node in sorted(self._cluster.addresses):
                self._link.tell(node, "advance", now=now)

    async def status(self) -> dict[int, tuple[dict[str, int], Equivocations]]:
        """Return what each live node refused, by reason, and what it saw authors write twice."""
        found: dict[int, tuple[dict[str, int], Equivocations]] = {}
        for node in sorted(self._cluster.addresses):
            answer = await self._ask(node, "status")
            if answer is not None:
                (header, body), _ = answer
                self._cluster.records[node] = int(header["records"])
                pairs = [parse(part) for part in frames.split(body)]
                evidence = Equivocations()
                evidence.extend(zip(pairs[::2], pairs[1::2], strict=True))
                found[node] = (dict(Counter(header["refused"])), evidence)
        return found

    def refused(self) -> Mapping[str, int]:
        """Return how many of the records stored through here were refused, by the keys of policy.REFUSALS."""
        return dict(sorted(self.policy.refused.items()))

    @property
    def pid(self) -> int | None:
        """The id of the process that hosts the nodes."""
        return self._cluster.pid

    async def close(self) -> None:
        """End all processes and remove what they left."""
        self._closed = True
        await self._cluster.close()
        for future in self._unsettled:
            if not future.done():
                future.cancel()
            elif not future.cancelled():
                future.exception()
        self._unsettled.clear()


def check_ports(first: int, count: int) -> None:
    """Raise LearnPortError where one of ``count`` loopback ports cannot be listened on."""
    for port in range(first, first + count):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except (OSError, OverflowError) as error:
                raise LearnPortError(
                    f"The DHT cannot use port {port}",
                    f"127.0.0.1:{port}: {getattr(error, 'strerror', None) or error}",
                    f"Free {count} ports from {first} on, or choose others with DHT_PORT.",
                ) from error
