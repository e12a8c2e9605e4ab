"""The HTTP session under a connection: JSON posted, JSON answered, nothing in between.

A connection of its own for each request: a node that restarted leaves no half-dead one behind, and what must not be
asked twice is never asked on one that may have broken before or after.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiohttp import ClientSession

MAX_BODY = 512 * 2**20  # bytes; the receipts of the largest block are far below
MAX_DEPTH = 4_000  # an EVM trace nests two levels a call, and calls nest 1,024 deep
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class HttpSession:
    """Posts JSON to one URL; ``close`` ends it, the next request begins another."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: ClientSession | None = None
        self._asked: set[asyncio.Timeout] = set()

    async def post(self, value: Any) -> Any:
        """Return the JSON that answers ``value``. Raises aiohttp.ClientError, OSError, ValueError.

        ``close`` ends a request that is under way: aiohttp would leave it waiting for a connection that is gone.
        """
        from aiohttp import ClientConnectionError

        try:
            async with asyncio.timeout(None) as until:
                self._asked.add(until)
                try:
                    body = await self._read(value)
                finally:
                    self._asked.discard(until)
        except TimeoutError as error:
            raise ClientConnectionError("the connection was closed meanwhile") from error
        return parse(body)

    async def _read(self, value: Any) -> bytes:
        async with self._open().post(self._url, data=json.dumps(value).encode()) as answer:
            body = bytearray()
            async for chunk in answer.content.iter_any():
                body += chunk
                if len(body) > MAX_BODY:
                    raise ValueError(f"the answer is longer than {MAX_BODY} bytes")
        return bytes(body)

    def _open(self) -> ClientSession:
        """Return the session, made on the loop of the first request. aiohttp is imported here: it takes its time."""
        from aiohttp import ClientSession, ClientTimeout, TCPConnector

        if self._session is None:
            self._session = ClientSession(
                connector=TCPConnector(force_close=True, limit=0),
                headers={"Content-Type": "application/json"},
                raise_for_status=True,
                timeout=ClientTimeout(),  # who asks has a deadline of its own
            )
        return self._session

    def __del__(self) -> None:
        """Let the session of a request after ``close`` go quietly: without an open connection it holds nothing."""
        if self._session is not None:
            self._session.detach()

    async def close(self) -> None:
        """End the session, and what is still being asked."""
        for until in self._asked:
            until.reschedule(0)
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def parse(body: bytes) -> Any:
    """Return the value of JSON text from a node. Raises ValueError, also for nesting that would end the process.

    Python's parser recurses in C, and libraries of the chain raise the recursion limit beyond what the stack holds.
    """
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH:
        _require_shallow(body)
    return json.loads(body)


def _require_shallow(body: bytes) -> None:
    """Count what is open at each bracket outside of strings; quick enough for megabytes of receipts."""
    import numpy as np

    outside = _STRING.sub(b"", body) if b"\\" in body else b"".join(body.split(b'"')[::2])
    brackets = np.frombuffer(outside.translate(None, _NO_BRACKETS), dtype=np.uint8)
    opening = (brackets == ord("[")) | (brackets == ord("{"))
    if brackets.size and np.cumsum(np.where(opening, 1, -1)).max() > MAX_DEPTH:
        raise ValueError(f"it nests deeper than {MAX_DEPTH} levels")
