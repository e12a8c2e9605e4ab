"""The one event system: engine code publishes, whoever cares subscribes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from engine.core.events import Event

E = TypeVar("E", bound=Event)
_log = logging.getLogger(__name__)


class Subscription:
    """Handle of one subscriber; ``close`` ends it, more than once is harmless."""

    def __init__(self, bus: EventBus, handler: Callable[[Event], None], types: tuple[type[Event], ...]) -> None:
        self._bus = bus
        self.handler = handler
        self.types = types

    def close(self) -> None:
        """Stop the delivery."""
        self._bus._drop(self)


class EventBus:
    """Delivers events synchronously, in the order of publication, on the loop's thread.

    A subscriber that raises is logged and does not keep others from their event: the publisher (a settlement,
    say) must not fail because a view does. An event published from inside a handler is delivered after the
    current one.
    """

    def __init__(self) -> None:
        self._subscriptions: list[Subscription] = []
        self._queue: list[Event] = []
        self._draining = False

    def subscribe(self, handler: Callable[[E], None], *types: type[E]) -> Subscription:
        """Call ``handler`` for each event of the given types (none given: for all)."""
        subscription = Subscription(self, handler, types)  # type: ignore[arg-type]
        self._subscriptions.append(subscription)
        return subscription

    def publish(self, event: Event) -> None:
        """Deliver ``event`` to all its subscribers."""
        self._queue.append(event)
        if self._draining:
            return
        self._draining = True
        try:
            while self._queue:
                self._deliver(self._queue.pop(0))
        finally:
            self._draining = False

    def _deliver(self, event: Event) -> None:
        for subscription in tuple(self._subscriptions):
            if subscription.types and not isinstance(event, subscription.types):
                continue
            try:
                subscription.handler(event)
            except Exception:
                _log.exception("a subscriber failed on %s", event.kind)

    def _drop(self, subscription: Subscription) -> None:
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
