"""What a bundle says of its match, and what a step of it shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from app.viewmodels.reading import packed_fields
from engine.core.paths import assets_dir
from engine.league.bundle import Bundle
from engine.league.trace import Record


@cache
def shipped_agents(system: str) -> dict[str, str]:
    """Return the names of the agents that are shipped for a System, by their hashes: a bundle may well hold them."""
    files = (assets_dir() / "agents" / system).glob("*.wasm")
    return {sha256(file.read_bytes()).hexdigest(): file.stem for file in files}


@dataclass(frozen=True, slots=True)
class MatchFacts:
    """What the bundle says of its match; ``seats`` are the agents' names, told apart where two are the same."""

    name: str
    system: str
    agents: tuple[str, ...]
    seats: tuple[str, ...]
    seed: int
    budget: int
    outcome: str
    cause: str | None
    seat: int | None
    scores: tuple[int, ...]
    steps: int
    trace_root: str
    commitment: str
    params: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, path: Path, bundle: Bundle, names: tuple[str, ...], title: str) -> MatchFacts:
        """Read them from a bundle."""
        match, often = bundle.match, Counter(names)
        seats = tuple(f"{name} (seat {i})" if often[name] > 1 else name for i, name in enumerate(names))
        return cls(
            name=path.name,
            system=title,
            agents=names,
            seats=seats,
            seed=match.seed,
            budget=match.budget,
            outcome=match.outcome,
            cause=match.cause,
            seat=match.seat,
            scores=tuple(match.scores),
            steps=bundle.steps,
            trace_root=bundle.trace_root.hex(),
            commitment=bundle.commitment.hex(),
            params=tuple(match.params.items()),
        )


@dataclass(frozen=True, slots=True)
class StepFacts:
    """The step shown; ``legal`` None: the System was not asked."""

    step: int
    seat: int
    packed: int
    fields: tuple[tuple[str, str], ...]
    observation: bytes
    mailbox: bool
    action: str
    legal: bool | None
    cause: str | None
    gas: int
    leaf: str

    @classmethod
    def of(cls, record: Record, action: str, description: Mapping[str, Any]) -> StepFacts:
        """Read them from a record of the trace; ``action`` is the action's name."""
        observation = description.get("observation", {})
        return cls(
            step=record.step,
            seat=record.seat,
            packed=record.packed,
            fields=tuple(packed_fields(observation, record.packed)),
            observation=record.observation,
            mailbox=record.mailbox,
            action=action,
            legal=record.legal,
            cause=record.cause,
            gas=record.gas_used,
            leaf=record.leaf().hex(),
        )
