"""Handles of runs: a service keeps those at work and the newest of those that are over, not all there ever were."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

KEPT = 16  # handles of runs that are over; what the runs came to, the store keeps


class Handle(Protocol):
    """What a service gives out for a run."""

    @property
    def done(self) -> bool:
        """Whether the run is over, in whatever way."""


H = TypeVar("H", bound=Handle)


class Handles(Generic[H]):
    """Handles by their runs' numbers. One that is over holds its result: beyond ``kept`` of them the oldest go."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._handles: dict[int, H] = {}

    def __len__(self) -> int:
        return len(self._handles)

    def put(self, number: int, handle: H) -> None:
        """Keep a handle as the newest, in place of an earlier one of its run; the oldest that are over go."""
        self._handles.pop(number, None)
        over = [known for known, one in self._handles.items() if one.done]
        for known in over[: max(0, len(over) - self._kept)]:
            del self._handles[known]
        self._handles[number] = handle

    def get(self, number: int) -> H | None:
        """Return the handle of a run, None where there is none any more."""
        return self._handles.get(number)

    def working(self) -> list[H]:
        """Return the handles of the runs that are not over."""
        return [one for one in self._handles.values() if not one.done]
