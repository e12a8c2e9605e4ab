"""What the steps of the demo share: what one made and a later one needs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from engine.core.paths import assets_dir
from engine.league.bundle import Bundle, read_bundle
from engine.league.results import RoundResult
from engine.runtime import Runtime

R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Found:
    """What a step found, in words, and the thing it ``made``: its kind, then what names it.

    ``("devnet",)``, ``("contract", address)``, ``("agents",)``, ``("dispute", round)``, ``("round", round)``,
    ``("step", round, match, step)``, ``("leaf", round, match, step)``, ``("account", address)``,
    ``("consensus", run)`` or ``("learning", run)``.
    """

    text: str
    made: tuple[str, ...] = ()


@dataclass
class Walk:
    """One pass of the demo. ``facts`` become its result, a JSON-ready object."""

    runtime: Runtime
    facts: dict[str, Any] = field(default_factory=dict)
    played: RoundResult | None = None
    fixture: int = 0
    path: Path | None = None

    @property
    def round(self) -> RoundResult:
        """The round that was played."""
        assert self.played is not None, "the round comes first"
        return self.played

    @property
    def bundle(self) -> Bundle:
        """The match that was replayed."""
        assert self.path is not None, "the replay comes first"
        return read_bundle(self.path)

    def fixture_of(self, seat: int) -> int:
        """Return the first match of a seat."""
        return next(m.fixture for m in self.runtime.league.history.matches(self.round.round_id) if m.a == seat)


@dataclass(frozen=True, slots=True)
class Step:
    """A step: ``why`` is the sentence for an operator, ``needs`` the packages without which it is left out."""

    key: str
    title: str
    why: str
    work: Callable[[Walk], Awaitable[Found]]
    needs: tuple[str, ...] = ()


class Running(Protocol[R_co]):
    """A run of a service, as consensus and the learning chain have it."""

    @property
    def done(self) -> bool:
        """Whether it is over."""
        ...

    def cancel(self) -> None:
        """Ask it to stop."""
        ...

    async def result(self) -> R_co:
        """Wait for the end."""
        ...


async def outcome(run: Running[R_co]) -> R_co:
    """Wait for a run; whoever cancels the demo cancels the run with it, and waits until it has ended."""
    try:
        return await run.result()
    except asyncio.CancelledError:
        run.cancel()
        await asyncio.gather(run.result(), return_exceptions=True)
        raise


def samples() -> list[Path]:
    """Return the agents that come with the program for the game of the demo."""
    return sorted((assets_dir() / "agents" / "snake").glob("*.wasm"))
