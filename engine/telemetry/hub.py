"""The WebSocket's clients: each has a queue of its own, so that a slow one delays nobody and costs bounded memory."""

from __future__ import annotations

import asyncio
import json
import math
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from engine.consensus.events import ConsensusIterated
from engine.core.bus import EventBus
from engine.core.events import Event
from engine.learning.events import LearnStarted
from engine.telemetry.messages import update_of
from engine.telemetry.metrics import Metrics

QUEUE = 1_000  # messages that wait for one client
QUEUE_BYTES = 4 << 20  # characters of them
LIMIT = 64  # clients
PATIENCE = 10.0  # seconds that one message may take to be taken


def public_form(event: Event) -> dict[str, Any]:
    """Return an event's JSON form without the seed that all keys of a learning chain come of."""
    message = event.to_json()
    if isinstance(event, LearnStarted):
        message["settings"] = {name: value for name, value in event.settings.items() if name != "genesis_seed"}
    return message


class Client:
    """One connection. ``prefix`` chooses events by the beginning of their type; ``on_drop`` hears of losses."""

    def __init__(self, prefix: str, on_drop: Callable[[int], None] = lambda _: None) -> None:
        self.prefix = prefix
        self._on_drop = on_drop
        self._waiting: deque[str] = deque()
        self._size = 0
        self._dropped = 0
        self._news = asyncio.Event()

    def put(self, text: str) -> None:
        """Queue a message; the oldest go where there is no room, and the client is told how many went."""
        self._waiting.append(text)
        self._size += len(text)
        before = self._dropped
        while len(self._waiting) > QUEUE or self._size > QUEUE_BYTES:
            self._size -= len(self._waiting.popleft())
            self._dropped += 1
        if self._dropped > before:
            self._on_drop(self._dropped - before)
        self._news.set()

    async def pump(self, send: Callable[[str], Awaitable[None]]) -> None:
        """Send what is queued. Raises TimeoutError when a message is not taken within PATIENCE."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting or self._dropped:
                async with asyncio.timeout(PATIENCE):
                    await send(self._next())

    def _next(self) -> str:
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            return json.dumps({"type": "dropped", "messages": dropped})
        text = self._waiting.popleft()
        self._size -= len(text)
        return text


class Hub:
    """Hands events of a bus to all clients: in their JSON form, and each iteration as a ``consensus_update`` too."""

    def __init__(self, bus: EventBus, metrics: Metrics) -> None:
        self._clients: set[Client] = set()
        self._metrics = metrics
        self._subscription = bus.subscribe(self._tell)

    @property
    def full(self) -> bool:
        """Whether no more clients are taken."""
        return len(self._clients) >= LIMIT

    def join(self, prefix: str) -> Client:
        """Take a client in."""
        client = Client(prefix, self._metrics.dropped.inc)
        self._clients.add(client)
        self._metrics.clients.set(len(self._clients))
        return client

    def leave(self, client: Client) -> None:
        """Let a client go."""
        self._clients.discard(client)
        self._metrics.clients.set(len(self._clients))

    def close(self) -> None:
        """Hear no more."""
        self._subscription.close()

    def _tell(self, event: Event) -> None:
        forms: list[tuple[str, Callable[[], dict[str, Any]]]] = [(event.kind, partial(public_form, event))]
        if isinstance(event, ConsensusIterated):
            forms.insert(0, ("consensus_update", partial(update_of, event)))
        for kind, form in forms:
            wanted = [client for client in self._clients if kind.startswith(client.prefix)]
            if wanted:  # written once, however many hear it
                text = wire(form())
                for client in wanted:
                    client.put(text)


def wire(message: dict[str, Any]) -> str:
    """Return a message as JSON; numbers that JSON cannot say become null."""
    try:
        return json.dumps(message, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(message))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
