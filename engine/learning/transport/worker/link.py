"""The console's end of the wire to the DHT's processes: a Unix socket, requests with answers, and what they tell."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

from engine.learning.errors import TransportError
from engine.learning.transport.worker import frames

HOST = -1  # the number of the process that the nodes are forked from
Reply = tuple[frames.Header, bytes]


class NodeGoneError(TransportError):
    """The node ended before it answered."""


class Link:
    """Listens for the processes, and knows them by the number in their first message."""

    def __init__(self, on_event: Callable[[frames.Header], None], on_gone: Callable[[int], None]) -> None:
        self._on_event = on_event
        self._on_gone = on_gone
        self._server: asyncio.Server | None = None
        self._writers: dict[int, asyncio.StreamWriter] = {}
        self._pending: dict[int, tuple[int, asyncio.Future[Reply]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._next = 0

    async def open(self, path: Path) -> None:
        """Listen on a Unix socket."""
        self._server = await asyncio.start_unix_server(self._serve, path, limit=2**20)

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._read(reader, writer), name="dht link")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number: int | None = None
        try:
            while (frame := await frames.read(reader)) is not None:
                header, body = frame
                if "event" in header:
                    if number is None:
                        number = int(header["node"])
                        self._writers[number] = writer
                    self._on_event(header)
                else:
                    self._settle(header, body)
        except TransportError:
            pass  # what is no frame ends the connection, as its process had ended
        finally:
            writer.close()
            if number is not None and self._writers.get(number) is writer:
                del self._writers[number]
                self._lost(number)

    def _settle(self, header: frames.Header, body: bytes) -> None:
        _, future = self._pending.pop(header.get("id", -1), (0, None))
        if future is None or future.done():
            return
        if "error" in header:
            future.set_exception(TransportError("The DHT node could not do it", str(header["error"])))
        else:
            future.set_result((header, body))

    def _lost(self, number: int) -> None:
        for request, (node, future) in list(self._pending.items()):
            if node == number:
                del self._pending[request]
                if not future.done():
                    future.set_exception(NodeGoneError(f"The DHT node {number} is gone", "its process ended"))
        self._on_gone(number)

    def post(self, node: int, op: str, body: bytes = b"", /, **fields: object) -> asyncio.Future[Reply]:
        """Send a request and return the future of its answer; it fails with NodeGoneError where there is no node."""
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        writer = self._writers.get(node)
        if writer is None:
            future.set_exception(NodeGoneError(f"The DHT node {node} is gone", "its process ended"))
            return future
        self._next += 1
        self._pending[self._next] = (node, future)
        writer.write(frames.encode({"op": op, "id": self._next, **fields}, body))
        return future

    def tell(self, node: int, op: str, /, **fields: object) -> None:
        """Send a request that is not answered."""
        writer = self._writers.get(node)
        if writer is not None:
            writer.write(frames.encode({"op": op, **fields}))

    async def close(self) -> None:
        """Hang up."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            with contextlib.suppress(Exception):
                await self._server.wait_closed()
