"""Messages between beacon nodes: each takes its time, some get lost and are sent again, none crosses a partition."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from engine.learning.ports import Scheduler
from engine.learning.transport.network import Network

ATTEMPTS = 6  # after which a receiver gives a message up; what it misses it asks for when something builds on it


class Gossip:
    """A full mesh over a network model. Nodes are numbers from 0."""

    def __init__(self, scheduler: Scheduler, network: Network, nodes: int) -> None:
        self._scheduler = scheduler
        self.network = network
        self._nodes = nodes
        self._receive: dict[int, Callable[[int, str, Any], None]] = {}
        self._sent = 0

    def join(self, node: int, receive: Callable[[int, str, Any], None]) -> None:
        """Let a node hear: ``receive(sender, kind, body)``."""
        self._receive[node] = receive

    def tell(self, sender: int, kind: str, body: Any, to: Iterable[int] | None = None) -> None:
        """Send to all other nodes, or to those given."""
        self._sent += 1
        for receiver in range(self._nodes) if to is None else to:
            if receiver != sender:
                self._send(sender, receiver, kind, body, self._sent, 0)

    def _send(self, sender: int, receiver: int, kind: str, body: Any, number: int, attempt: int) -> None:
        delay = self.network.delay(sender, receiver, f"{number}/{attempt}")
        now = self._scheduler.now
        if delay is not None:
            self._scheduler.at(now + delay, self._arrive, sender, receiver, kind, body)
        elif attempt < ATTEMPTS and self.network.connected(sender, receiver):
            again = now + self.network.timeout
            self._scheduler.at(again, self._send, sender, receiver, kind, body, number, attempt + 1)

    def _arrive(self, sender: int, receiver: int, kind: str, body: Any) -> None:
        self._receive[receiver](sender, kind, body)
