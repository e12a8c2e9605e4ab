"""The processes of the real DHT, seen from the console: started, acquainted, killed, revived and ended."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from engine.learning.crypto.ed25519 import SecretKey
from engine.learning.errors import TransportError
from engine.learning.transport.identity import libp2p_private
from engine.learning.transport.worker import frames, host
from engine.learning.transport.worker.clock import DhtClock
from engine.learning.transport.worker.link import HOST, Link

START_DEADLINE = 120.0  # seconds of the wall until a node runs, on a busy machine
END_DEADLINE = 30.0
ACQUAINTANCES = 20
NEXT = "Start the run again: it goes on from its journal."


class Cluster:
    """One process that hosts, one a node, and the link to each of them."""

    def __init__(self, keys: Sequence[SecretKey], clock: DhtClock, *, ttl: float, port: int) -> None:
        self._keys = keys
        self._clock = clock
        self._ttl = ttl
        self._port = port
        self._folder = Path(tempfile.mkdtemp(prefix="nashboard-dht-"))
        self._process: Any = None
        self._launched: asyncio.Future[None] | None = None
        self._started: dict[int, asyncio.Future[None]] = {}
        self._ended: dict[int, asyncio.Future[None]] = {}
        self.link = Link(self._heard, self._gone)
        self.addresses: dict[int, list[str]] = {}
        self.records: Counter[int] = Counter()

    @property
    def pid(self) -> int | None:
        """The id of the process that hosts the nodes."""
        return self._process.pid if self._process is not None else None

    @property
    def alive(self) -> bool:
        """Whether the process that hosts the nodes runs."""
        return self._process is not None and bool(self._process.is_alive())

    async def start(self, now: float) -> None:
        """Start all nodes at a time of the chain. Raises TransportError when one does not come up."""
        for number, key in enumerate(self._keys):
            path = self._folder / f"identity-{number}"
            path.touch(mode=0o600)
            path.write_bytes(libp2p_private(key))
        await self.link.open(self._folder / "control.sock")
        self._process = multiprocessing.get_context("spawn").Process(
            target=host.main, args=(os.getpid(), str(self._folder)), name="nashboard dht", daemon=True
        )
        hosting = self._expect(HOST)
        await self._launch()
        await self._wait(hosting, START_DEADLINE, "The DHT's process did not start")
        await self.start_nodes([0], now=now)
        await self.start_nodes(range(1, len(self._keys)), now=now)

    async def _launch(self) -> None:
        """Start the process from a thread that waits for its end.

        To start one takes long enough to be seen in a window. The kernel ends a child with the thread that started it,
        so this thread stays.
        """
        loop = asyncio.get_running_loop()
        launched = self._launched = loop.create_future()

        def keep() -> None:
            try:
                self._process.start()
            except OSError as error:
                loop.call_soon_threadsafe(launched.set_exception, error)
                return
            loop.call_soon_threadsafe(launched.set_result, None)
            self._process.join()

        threading.Thread(target=keep, name="dht keeper", daemon=True).start()
        try:
            await asyncio.shield(launched)  # who is cancelled here leaves the rest to `close`
        except OSError as error:
            raise TransportError("The DHT's process did not start", error.strerror or repr(error), NEXT) from error

    async def start_nodes(
        self, numbers: Iterable[int], *, now: float, authors: Sequence[tuple[str, str, str]] = ()
    ) -> None:
        """Start nodes that join by those that live, and let them get to know the others."""
        order = {
            "folder": str(self._folder),
            "initial": [address for number in sorted(self.addresses)[:3] for address in self.addresses[number]],
            "origin": self._clock.origin,
            "speed": self._clock.speed,
            "ttl": self._ttl,
            "now": now,
            "authors": list(authors),
        }
        starting = {number: self._expect(number) for number in numbers}
        for number in starting:
            port = self._port + number if self._port else 0
            self.link.tell(HOST, "start", node=number, port=port, **order)
        for number, started in starting.items():
            await self._wait(started, START_DEADLINE, f"The DHT node {number} did not start")
        posts = [self.link.post(number, "meet", addresses=self.others(number)) for number in starting]
        if posts:
            await self._wait(asyncio.gather(*posts, return_exceptions=True), START_DEADLINE, "DHT nodes did not meet")

    def others(self, number: int) -> list[str]:
        """Return the addresses of the live nodes that follow a node in the ring of numbers, 20 at most."""
        live = sorted(node for node in self.addresses if node != number)
        ring = [node for node in live if node > number] + [node for node in live if node < number]
        return [address for node in ring[:ACQUAINTANCES] for address in self.addresses[node]]

    async def kill(self, number: int) -> None:
        """End a node's process by SIGKILL."""
        ended = self._ended[number] = asyncio.get_running_loop().create_future()
        self.link.tell(HOST, "kill", node=number)
        await self._wait(ended, END_DEADLINE, f"The DHT node {number} did not end")

    async def close(self) -> None:
        """End all processes and remove what they left."""
        if self._launched is not None:
            await asyncio.wait([self._launched])  # half a start cannot be ended
            self._launched.exception()
        self.link.tell(HOST, "stop")
        if self.pid is not None:
            if not self._started[HOST].done():
                self._process.kill()  # it imports, hears nothing and has no nodes yet
            await asyncio.to_thread(self._process.join, 5.0)
            if self._process.is_alive():
                self._process.kill()
                await asyncio.to_thread(self._process.join, 2.0)
        await self.link.close()
        for future in (*self._started.values(), *self._ended.values()):
            if not future.done():
                future.cancel()
            elif not future.cancelled():
                future.exception()
        shutil.rmtree(self._folder, ignore_errors=True)

    def broken(self, what: str) -> TransportError:
        """Return the error for a process that ended by itself: how, and the last it said."""
        code = getattr(self._process, "exitcode", None)
        return TransportError(what, f"the DHT's process ended with status {code}{self._last_words()}", NEXT)

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            lines = (self._folder / "worker.log").read_text("utf-8", "replace").strip().splitlines()
            if lines:
                return f", it said: {lines[-1][:200]}"
        return ""

    def _expect(self, number: int) -> asyncio.Future[None]:
        self._started[number] = asyncio.get_running_loop().create_future()
        return self._started[number]

    async def _wait(self, future: asyncio.Future[Any], deadline: float, what: str) -> None:
        """Wait for something, but no longer than the process lives. Raises TransportError."""
        until = time.monotonic() + deadline
        while not future.done():
            await asyncio.wait([future], timeout=0.25)
            if future.done():
                break
            if not self.alive:
                future.cancel()
                raise self.broken(what)
            if time.monotonic() > until:
                future.cancel()
                raise TransportError(what, f"no answer in {deadline:.0f} s{self._last_words()}", NEXT)
        future.result()

    def _heard(self, header: frames.Header) -> None:
        event, number = header["event"], int(header["node"])
        if event == "shelf":
            self.records[number] = int(header["records"])
        elif event == "ended":
            self._died(number, f"it ended with status {header['status']}")
            ended = self._ended.get(number)
            if ended is not None and not ended.done():
                ended.set_result(None)
        else:
            if event == "ready":
                self.addresses[number] = list(header["addresses"])
            started = self._started.get(number)
            if started is not None and not started.done():
                failed = TransportError(f"The DHT node {number} did not start", str(header.get("why")), NEXT)
                started.set_exception(failed) if event == "failed" else started.set_result(None)

    def _gone(self, number: int) -> None:
        if number != HOST:
            self._died(number, "its process ended")

    def _died(self, number: int, why: str) -> None:
        self.addresses.pop(number, None)
        self.records.pop(number, None)
        started = self._started.get(number)
        if started is not None and not started.done():
            started.set_exception(TransportError(f"The DHT node {number} did not start", why, NEXT))
