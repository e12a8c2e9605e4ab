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
        self._observers: list[_Observer[S]] = []

    def observe(self, observer: Callable[[S], None]) -> Callable[[], None]:
        """Give ``observer`` the state now and after each change; returns what ends it."""
        one = _Observer(self, observer)
        self._observers.append(one)
        observer(self.state)
        return lambda: self._observers.remove(one) if one in self._observers else None

    def update(self, **changes: Any) -> None:
        """Replace fields of the state; observers hear of it when the bridge flushes."""
        state = dataclasses.replace(self.state, **changes)  # type: ignore[type-var]
        if state != self.state:
            self.state = state
            self._announce()

    def start(self, work: Coroutine[Any, Any, Any], name: str, *, key: str = "") -> None:
        """Run an intent; its failure is told to the operator."""
        self.bridge.spawn(work, name, key=key)

    def _announce(self) -> None:
        for one in self._observers:
            self.bridge.changed(one.tell)

    def hears(self, one: _Observer[S]) -> bool:
        """Whether that observer has not left."""
        return one in self._observers


class _Observer(Generic[S]):
    """One observer of a view-model: each is told in a turn of its own."""

    def __init__(self, model: ViewModel[S], show: Callable[[S], None]) -> None:
        self._model = model
        self._show = show

    def tell(self) -> None:
        """Give it the state."""
        if self._model.hears(self):
            self._show(self._model.state)
