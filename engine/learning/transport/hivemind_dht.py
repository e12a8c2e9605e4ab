"""The real DHT: hivemind's Kademlia over libp2p on the loopback, in processes that end with this one."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import multiprocessing
import os
import shutil
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.learning.config import LearnConfig
from engine.learning.errors import LearnExtraMissingError, LearnPortError, TransportError
from engine.learning.ports import Fetched, Peer, Record, Stored
from engine.learning.transport.identity import libp2p_id, libp2p_private, peer_key
from engine.learning.transport.policy import LIMITS, Equivocations, RecordPolicy
from engine.learning.transport.records import kind_of, pack, parse
from engine.learning.transport.worker import frames, host
from engine.learning.transport.worker.clock import DhtClock
from engine.learning.transport.worker.link import HOST, Link, NodeGoneError, Reply

MOST_NODES = 40
START_DEADLINE = 120.0  # seconds of the wall until all nodes run, on a busy machine
DEADLINE = 30.0  # seconds of the wall for a store or a fetch
NEXT = "Start the run again: it goes on from its journal."


class HivemindDht:
    """ports.Dht over ``len(peers)`` hivemind nodes, each with a libp2p daemon of its own."""

    def __init__(self, config: LearnConfig, *, port: int = 0, now: float = 0.0) -> None:
        """Use :meth:`start`."""
        self._count = config.peer_count
        self._keys = [peer_key(config.genesis_seed, number) for number in range(self._count)]
        self._names = [libp2p_id(key.public) for key in self._keys]
        self._speed = config.speed if config.clock == "scaled" else 1.0
        self._clock = DhtClock.starting(now, self._speed)
        self._now = now
        self._port = port
        self.policy = RecordPolicy()
        self._folder = Path(tempfile.mkdtemp(prefix="nashboard-dht-"))
        self._link = Link(self._heard, self._gone)
        self._process: Any = None
        self._started: dict[int, asyncio.Future[None]] = {}
        self._ended: dict[int, asyncio.Future[None]] = {}
        self._addresses: dict[int, list[str]] = {}
        self._records: Counter[int] = Counter()
        self._groups: dict[int, int] = {}
        self._authors: list[tuple[str, str, str]] = []
        self._unsettled: list[asyncio.Future[Reply]] = []
        self._failure = ""
        self._closing = False

    @classmethod
    async def start(cls, config: LearnConfig, *, port: int = 0, now: float = 0.0) -> HivemindDht:
        """Start the nodes; ``port`` is libp2p's of the first, the others follow; 0: any that are free.

        Raises LearnExtraMissingError without hivemind, LearnPortError where a port is taken, TransportError.
        """
        if importlib.util.find_spec("hivemind") is None:
            raise LearnExtraMissingError(
                "The real DHT cannot be started",
                "hivemind is not installed",
                "Install it: pip install 'nashboard[learn]'. The simulated DHT needs nothing.",
            )
        if config.peer_count > MOST_NODES:
            raise TransportError("So many DHT nodes cannot be started", f"{config.peer_count} of at most {MOST_NODES}")
        if port:
            _check_ports(port, config.peer_count)
        self = cls(config, port=port, now=now)
        try:
            await self._start()
        except BaseException:
            await self.close()
            raise
        return self

    async def _start(self) -> None:
        for number, key in enumerate(self._keys):
            path = self._folder / f"identity-{number}"
            path.touch(mode=0o600)
            path.write_bytes(libp2p_private(key))
        await self._link.open(self._folder / "control.sock")
        self._process = multiprocessing.get_context("spawn").Process(
            target=host.main, args=(os.getpid(), str(self._folder)), name="nashboard dht", daemon=True
        )
        self._expect(HOST)
        self._process.start()
        await self._wait(self._started[HOST], START_DEADLINE, "The DHT's process did not start")
        await self._start_nodes([0], [])
        await self._start_nodes(list(range(1, self._count)), [0])
        await self._acquaint(range(self._count))

    async def _start_nodes(self, numbers: list[int], initial: list[int]) -> None:
        order = {
            "folder": str(self._folder),
            "initial": [address for number in initial for address in self._addresses[number]],
            "origin": self._clock.origin,
            "speed": self._speed,
            "ttl": self.policy.ttl,
            "now": self._now,
            "authors": self._authors,
        }
        for number in numbers:
            self._expect(number)
            port = self._port + number if self._port else 0
            self._link.tell(HOST, "start", node=number, port=port, **order)
        for number in numbers:
            await self._wait(self._started[number], START_DEADLINE, f"The DHT node {number} did not start")

    async def _acquaint(self, numbers: Any) -> None:
        """Let nodes get to know each other: up to 20 that follow them in the ring."""
        live = sorted(self._addresses)
        posts = []
        for number in numbers:
            at = live.index(number)
            others = (live[at + 1 :] + live[:at])[:20]
            addresses = [address for other in others for address in self._addresses[other]]
            posts.append(self._link.post(number, "meet", addresses=addresses))
        await self._wait(asyncio.gather(*posts, return_exceptions=True), START_DEADLINE, "DHT nodes did not meet")

    def _expect(self, number: int) -> None:
        self._started[number] = asyncio.get_running_loop().create_future()

    async def _wait(self, future: asyncio.Future[Any], deadline: float, what: str) -> Any:
        """Wait for something, but no longer than the process lives. Raises TransportError."""
        until = time.monotonic() + deadline
        while not future.done():
            await asyncio.wait([future], timeout=0.25)
            if not future.done() and (self._process is not None and not self._process.is_alive()):
                future.cancel()
                raise self._broken(what)
            if not future.done() and time.monotonic() > until:
                future.cancel()
                raise TransportError(what, f"no answer in {deadline:.0f} s {self._last_words()}".strip(), NEXT)
        return future.result()

    def _heard(self, header: frames.Header) -> None:
        event, number = header["event"], int(header["node"])
        started = self._started.get(number)
        if event == "shelf":
            self._records[number] = int(header["records"])
        elif event == "ended":
            ended = self._ended.get(int(header["node"]))
            self._died(number, f"it ended with status {header['status']}")
            if ended is not None and not ended.done():
                ended.set_result(None)
        elif event == "failed" and started is not None and not started.done():
            started.set_exception(TransportError(f"The DHT node {number} did not start", str(header["why"]), NEXT))
        elif started is not None and not started.done():
            self._addresses[number] = list(header.get("addresses", ()))
            if number == HOST:
                del self._addresses[HOST]
            started.set_result(None)

    def _gone(self, number: int) -> None:
        if number == HOST:
            self._failure = "it ended"
        else:
            self._died(number, "its process ended")

    def _died(self, number: int, why: str) -> None:
        self._addresses.pop(number, None)
        self._records.pop(number, None)
        started = self._started.get(number)
        if started is not None and not started.done():
            started.set_exception(TransportError(f"The DHT node {number} did not start", why, NEXT))

    def _broken(self, what: str) -> TransportError:
        code = getattr(self._process, "exitcode", None)
        return TransportError(what, f"the DHT's process ended with status {code} {self._last_words()}".strip(), NEXT)

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            lines = (self._folder / "worker.log").read_text("utf-8", "replace").strip().splitlines()
            if lines:
                return f"(it said: {lines[-1][:200]})"
        return ""

    async def store(self, peer: int, record: Record) -> Stored:
        """Put a record to the nodes nearest to its key. Raises TransportError when the DHT's processes are gone."""
        kind = kind_of(record.key)
        if kind and len(record.value) > LIMITS[kind]:
            self.policy.refused["oversize"] += 1
            return Stored(0, "oversize", 0.0)
        try:
            wire = pack(record)
        except TransportError:
            self.policy.refused["malformed"] += 1
            return Stored(0, "malformed", 0.0)
        answer = await self._ask(peer, "store", wire)
        if answer is None:
            return Stored(0, "unreachable", 0.0)
        (header, _), seconds = answer
        if header["replicas"]:
            return Stored(int(header["replicas"]), "", seconds)
        reason = header["reason"] or ("already_written" if header["asked"] else "unreachable")
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
        if self._closing or self._failure or not self._process.is_alive():
            raise self._broken("The DHT does not answer")

    def peers(self) -> tuple[Peer, ...]:
        """Return the nodes; the number of records is that of the last :meth:`advance`."""
        return tuple(
            Peer(
                number,
                name,
                next(iter(self._addresses.get(number, ())), ""),
                number in self._addresses,
                self._records[number],
                self._groups.get(number, 0),
            )
            for number, name in enumerate(self._names)
        )

    async def kill(self, peer: int) -> None:
        """End a node's process by SIGKILL; its libp2p daemon goes with it."""
        self._check(peer)
        if peer in self._addresses:
            ended = self._ended[peer] = asyncio.get_running_loop().create_future()
            self._link.tell(HOST, "kill", node=peer)
            await self._wait(ended, DEADLINE, f"The DHT node {peer} did not end")

    async def revive(self, peer: int) -> None:
        """Start a node that was ended, under its old identity; it joins by all that live."""
        self._check(peer)
        if peer not in self._addresses:
            await self._start_nodes([peer], sorted(self._addresses))
            await self._acquaint([peer])

    def partition(self, groups: tuple[tuple[int, ...], ...]) -> None:
        """Let only nodes of one group hear each other; () heals."""
        found = {node: number for number, group in enumerate(groups, start=1) for node in group}
        for number in found:
            self._check(number)
        self._groups = found
        live = sorted(self._addresses)
        for node in live:
            deaf_to = [self._names[o] for o in range(self._count) if found.get(o, 0) != found.get(node, 0)]
            self._unsettled.append(self._link.post(node, "hear", deaf_to=deaf_to))
            known = [address for other in live if other != node for address in self._addresses[other]]
            if not groups:
                self._unsettled.append(self._link.post(node, "meet", addresses=known[:20]))

    def register(self, author: bytes, peer_id: str, role: str) -> None:
        """Let a key write, at every node."""
        self.policy.register(author, peer_id, role)
        row = (author.hex(), peer_id, role)
        self._authors.append(row)
        for node in list(self._addresses):
            self._unsettled.append(self._link.post(node, "register", authors=[row]))

    def advance(self, now: float) -> None:
        """Tell all nodes the time of the chain."""
        if now > self._now:
            self._now = now
            for node in list(self._addresses):
                self._link.tell(node, "advance", now=now)

    async def status(self) -> dict[int, tuple[dict[str, int], Equivocations]]:
        """Return what each live node refused, by reason, and what it saw authors write twice."""
        found = {}
        for node in sorted(self._addresses):
            answer = await self._ask(node, "status")
            if answer is not None:
                (header, body), _ = answer
                self._records[node] = int(header["records"])
                pairs = [parse(part) for part in frames.split(body)]
                evidence = Equivocations()
                evidence.extend(zip(pairs[::2], pairs[1::2], strict=True))
                found[node] = (dict(header["refused"]), evidence)
        return found

    def refused(self) -> Mapping[str, int]:
        """Return how many of the records stored through here were refused, by the keys of policy.REFUSALS."""
        return dict(sorted(self.policy.refused.items()))

    @property
    def pids(self) -> tuple[int, ...]:
        """The process that hosts the nodes, where it runs."""
        return (self._process.pid,) if self._process is not None and self._process.pid else ()

    async def close(self) -> None:
        """End all processes and remove what they left."""
        self._closing = True
        self._link.tell(HOST, "stop")
        if self._process is not None and self._process.pid is not None:
            await asyncio.to_thread(self._process.join, 5.0)
            if self._process.is_alive():
                self._process.kill()
                await asyncio.to_thread(self._process.join, 2.0)
        await self._link.close()
        futures: list[asyncio.Future[Any]] = [*self._started.values(), *self._ended.values(), *self._unsettled]
        for future in futures:
            if not future.done():
                future.cancel()
            elif not future.cancelled():
                future.exception()
        shutil.rmtree(self._folder, ignore_errors=True)


def _check_ports(first: int, count: int) -> None:
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
