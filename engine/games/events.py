"""Events of the games field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.core.events import Event


@dataclass(frozen=True, slots=True)
class GameRunStarted(Event):
    """A method begins to work on a game."""

    kind: ClassVar[str] = "games.started"
    run_id: int
    title: str
    method: str
    epsilon: float
    seed: int


@dataclass(frozen=True, slots=True)
class GameRunEnded(Event):
    """A run ended: ``status`` as in a solution, or "failed"; ``nashconv`` in payoff units, -1 without any profile."""

    kind: ClassVar[str] = "games.ended"
    run_id: int
    status: str
    iterations: int
    nashconv: float
    trace_hash: str
