"""A bounded memory of what was computed before."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Memo(Generic[Key, Value]):
    """Keeps at most ``size`` values; the one that was not asked for the longest leaves first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: dict[Key, Value] = {}

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Key) -> Value | None:
        """Return what is kept under a key, or None."""
        value = self._values.pop(key, None)
        if value is not None:
            self._values[key] = value  # a dict keeps the order of insertion: it is the youngest again
        return value

    def put(self, key: Key, value: Value) -> None:
        """Keep a value, which is not None."""
        self._values.pop(key, None)
        self._values[key] = value
        if len(self._values) > self._size:
            del self._values[next(iter(self._values))]

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()
