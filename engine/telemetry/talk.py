"""One WebSocket from its handshake to its end: events go out, what comes in is counted, and every end has a reason."""

from __future__ import annotations

import asyncio
import contextlib

from aiohttp import WSCloseCode, WSMsgType, web

from engine.telemetry.hub import PATIENCE, Client
from engine.telemetry.limits import Bucket

HEARTBEAT = 20.0  # seconds between pings; a client that does not answer is gone
LARGEST = 4096  # bytes of a message from a client
SAID = 10.0  # messages a second that a client may send for long; it has nothing to say but pings
SAID_AT_ONCE = 40.0
CLOSE_S = 1.0  # for a client's answer to a goodbye
LINGER_S = 5.0  # for a slow client to take what was sent before, the goodbye last
End = tuple[int, str]
GONE: End = (WSCloseCode.ABNORMAL_CLOSURE, "the client is gone")


class Talk:
    """Talks to one client until one of the two ends it."""

    def __init__(self, request: web.Request, client: Client) -> None:
        self.socket = web.WebSocketResponse(heartbeat=HEARTBEAT, max_msg_size=LARGEST, autoping=False)
        self._request = request
        self._client = client
        self._said = Bucket(SAID, SAID_AT_ONCE)

    async def run(self) -> web.WebSocketResponse:
        """Talk. A client that sends too much is let go with 1008, one that does not read with 1013."""
        await self.socket.prepare(self._request)
        loop = asyncio.get_running_loop()
        tasks = [
            loop.create_task(self._listen(), name="websocket in"),
            loop.create_task(self._tell(), name="websocket out"),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            code, why = next(task.result() for task in tasks if task.done())
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if code != GONE[0]:
            await part(self.socket, code, why)
            await self._linger()
        return self.socket

    async def _listen(self) -> End:
        async for message in self.socket:
            if message.type is WSMsgType.ERROR:
                break
            if self._said.take():
                return WSCloseCode.POLICY_VIOLATION, f"too many messages: {SAID:g} a second are allowed"
            if message.type is WSMsgType.PING:
                await self.socket.pong(message.data)
        return GONE

    async def _tell(self) -> End:
        try:
            await self._client.pump(self.socket.send_str)
        except TimeoutError:
            return WSCloseCode.TRY_AGAIN_LATER, f"too slow: nothing was read for {PATIENCE:g} seconds"
        except (ConnectionError, RuntimeError):  # it went while we wrote
            pass
        return GONE

    async def _linger(self) -> None:
        """Let the client take what is on its way to it, then free it: the connection must not outlive its reader."""
        transport = self._request.transport
        if transport is None:
            return
        try:
            for _ in range(50):
                if self._request.transport is None or not transport.get_write_buffer_size():
                    return
                await asyncio.sleep(LINGER_S / 50)
        finally:
            if transport.get_write_buffer_size():
                transport.abort()


async def part(socket: web.WebSocketResponse, code: int, why: str) -> None:
    """Say goodbye to a client, and wait a moment for its answer."""
    with contextlib.suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(CLOSE_S):
            await socket.close(code=code, message=why.encode())
