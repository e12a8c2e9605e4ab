"""Events: frozen dataclasses with one JSON form, shared by the window, the log, the WebSocket and the tests.

Each field declares its own in ``engine/<field>/events.py``. The class variable ``kind`` is the name on the wire.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar, cast

from engine.core.errors import UsageError

E = TypeVar("E", bound="Event")
_REGISTRY: dict[str, type[Event]] = {}


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """Base of all events. Fields must be JSON-ready: str, int, float, bool, None, tuples and dicts of these."""

    kind: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        # dataclass(slots=True) builds a second class of the same name; the later one replaces the first.
        if cls.kind:
            known = _REGISTRY.get(cls.kind)
            if known is not None and known.__qualname__ != cls.__qualname__:
                raise TypeError(f"event kind {cls.kind!r} is declared by {known.__qualname__} and {cls.__qualname__}")
            _REGISTRY[cls.kind] = cls

    def to_json(self) -> dict[str, Any]:
        """Return the wire form: ``{"type": kind, **fields}``."""
        return {"type": self.kind, **dataclasses.asdict(self)}


def from_json(message: Mapping[str, Any]) -> Event:
    """Return the event whose ``to_json`` gave ``message``. Raises UsageError for an unknown type or wrong fields."""
    fields = dict(message)
    kind = fields.pop("type", None)
    cls = _REGISTRY.get(cast("str", kind))
    if cls is None:
        raise UsageError("Unknown event", f"no event has the type {kind!r}")
    names = {field.name for field in dataclasses.fields(cls)}
    if names != set(fields):
        raise UsageError(f"Malformed event {kind}", f"expected the fields {sorted(names)}, got {sorted(fields)}")
    return cls(**{name: _freeze(value) for name, value in fields.items()})


def _freeze(value: Any) -> Any:
    return tuple(_freeze(item) for item in value) if isinstance(value, list) else value


@dataclasses.dataclass(frozen=True, slots=True)
class JobStarted(Event):
    """A piece of long work began."""

    kind: ClassVar[str] = "job.started"
    job_id: int
    title: str
    cancellable: bool


@dataclasses.dataclass(frozen=True, slots=True)
class JobProgressed(Event):
    """A job got further: ``done`` of ``total`` units (total 0: unknown)."""

    kind: ClassVar[str] = "job.progressed"
    job_id: int
    done: int
    total: int
    note: str


@dataclasses.dataclass(frozen=True, slots=True)
class JobEnded(Event):
    """A job ended; ``outcome`` is done, cancelled or failed, ``message`` the reason of a failure."""

    kind: ClassVar[str] = "job.ended"
    job_id: int
    outcome: str
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class LogLine(Event):
    """A line for the operator's log; ``level`` as in :mod:`logging`, ``source`` names the field."""

    kind: ClassVar[str] = "log.line"
    level: str
    source: str
    text: str
