"""What all view-models share: a frozen state, observers, intents as owned tasks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from app.bridge import Bridge

S = TypeVar("S")


class ViewModel(Generic[S]):
    """Holds ``state``; observers get it at most 30 times a second, and only after a change."""

    def __init__(self, bridge: Bridge, state: S) -> None:
        self.bridge = bridge
        self.state = state
        self._observers: list[Callable[[S], None]] = []

    def observe(self, observer: Callable[[S], None]) -> Callable[[], None]:
        """Give ``observer`` the state now and after each change; returns what ends it."""
        self._observers.append(observer)
        observer(self.state)
        return lambda: self._observers.remove(observer) if observer in self._observers else None

    def update(self, **changes: Any) -> None:
        """Replace fields of the state; observers hear of it when the bridge flushes."""
        state = dataclasses.replace(self.state, **changes)  # type: ignore[type-var]
        if state != self.state:
            self.state = state
            self.bridge.changed(self._flush)

    def start(self, work: Coroutine[Any, Any, Any], name: str, *, key: str = "") -> None:
        """Run an intent; its failure is told to the operator."""
        self.bridge.spawn(work, name, key=key)

    def _flush(self) -> None:
        for observer in tuple(self._observers):
            observer(self.state)
