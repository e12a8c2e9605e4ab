"""The WebSocket's clients: each has a queue of its own, so that a slow one delays nobody and costs bounded memory."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from engine.consensus.events import ConsensusIterated
from engine.core.bus import EventBus
from engine.core.events import Event
from engine.learning.events import LearnStarted
from engine.telemetry.messages import JsonSocket, update_of

QUEUE = 1_000  # messages that wait for one client
LIMIT = 64  # clients


def public_form(event: Event) -> dict[str, Any]:
    """Return an event's JSON form without the seed that all keys of a learning chain come of."""
    message = event.to_json()
    if isinstance(event, LearnStarted):
        message["settings"] = {name: value for name, value in event.settings.items() if name != "genesis_seed"}
    return message


class Client:
    """One connection. ``prefix`` chooses events by the beginning of their type."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self._waiting: deque[dict[str, Any]] = deque()
        self._dropped = 0
        self._news = asyncio.Event()

    def put(self, message: dict[str, Any]) -> None:
        """Queue a message; the oldest goes where there is no room, and the client is told how many went."""
        if not str(message["type"]).startswith(self.prefix):
            return
        if len(self._waiting) >= QUEUE:
            self._waiting.popleft()
            self._dropped += 1
        self._waiting.append(message)
        self._news.set()

    async def pump(self, socket: JsonSocket) -> None:
        """Send what is queued as long as the connection takes it."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                if self._dropped:
                    dropped, self._dropped = self._dropped, 0
                    await socket.send_json({"type": "dropped", "messages": dropped})
                await socket.send_json(self._waiting.popleft())


class Hub:
    """Hands events of a bus to all clients: in their JSON form, and each iteration as a ``consensus_update`` too."""

    def __init__(self, bus: EventBus) -> None:
        self._clients: set[Client] = set()
        self._subscription = bus.subscribe(self._tell)

    @property
    def full(self) -> bool:
        """Whether no more clients are taken."""
        return len(self._clients) >= LIMIT

    def join(self, prefix: str) -> Client:
        """Take a client in."""
        client = Client(prefix)
        self._clients.add(client)
        return client

    def leave(self, client: Client) -> None:
        """Let a client go."""
        self._clients.discard(client)

    def close(self) -> None:
        """Hear no more."""
        self._subscription.close()

    def _tell(self, event: Event) -> None:
        if not self._clients:
            return
        messages = [public_form(event)]
        if isinstance(event, ConsensusIterated):
            messages.insert(0, update_of(event))
        for client in self._clients:
            for message in messages:
                client.put(message)
