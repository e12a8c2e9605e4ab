"""What happens in leagues."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.core.events import Event


@dataclass(frozen=True, slots=True)
class AgentAdmitted(Event):
    """An agent entered the operator's roster."""

    kind: ClassVar[str] = "league.agent_admitted"
    sha256: str
    name: str
    address: str


@dataclass(frozen=True, slots=True)
class AgentRemoved(Event):
    """An agent left the roster, or came back (``removed`` False)."""

    kind: ClassVar[str] = "league.agent_removed"
    sha256: str
    removed: bool


@dataclass(frozen=True, slots=True)
class SystemAdded(Event):
    """The operator brought a System."""

    kind: ClassVar[str] = "league.system_added"
    sha256: str
    system: str
    title: str


@dataclass(frozen=True, slots=True)
class RoundStarted(Event):
    """A round began or goes on: ``done`` of ``total`` matches are played."""

    kind: ClassVar[str] = "league.round_started"
    round_id: str
    name: str
    agents: tuple[str, ...]
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class MatchesPlayed(Event):
    """A batch of matches is stored. ``scores`` are the totals by seat, ``failures`` the losses by fault so far."""

    kind: ClassVar[str] = "league.matches_played"
    round_id: str
    done: int
    total: int
    scores: tuple[int, ...]
    failures: int


@dataclass(frozen=True, slots=True)
class AgentSlashed(Event):
    """A claimed score differs from the replayed one: the agent is disqualified, and ``wei`` of its stake are put aside
    until the round is settled; they come back when it is rejected."""

    kind: ClassVar[str] = "league.agent_slashed"
    round_id: str
    agent: str
    fixture: int
    claimed: int
    replayed: int
    wei: str


@dataclass(frozen=True, slots=True)
class RoundChanged(Event):
    """A round moved on: ``state`` is playing, stopped, played, anchored or settled."""

    kind: ClassVar[str] = "league.round_changed"
    round_id: str
    state: str
    results_hash: str


@dataclass(frozen=True, slots=True)
class DisputeOpened(Event):
    """A fraud was brought before the chain. ``what`` is the kind of fraud, ``match`` the match's number in the round;
    ``bond`` is in wei, 0 for a fraud that proves itself."""

    kind: ClassVar[str] = "league.dispute_opened"
    dispute_id: str
    round_id: str
    what: str
    match: int | None
    challenger: str
    bond: str


@dataclass(frozen=True, slots=True)
class DisputeMoved(Event):
    """A step of a dispute is on the chain; ``step`` says which, for a person."""

    kind: ClassVar[str] = "league.dispute_moved"
    dispute_id: str
    round_id: str
    step: str


@dataclass(frozen=True, slots=True)
class DisputeResolved(Event):
    """A dispute ended: upheld, dismissed, refunded or refused. ``slashed`` is what the host lost, in wei."""

    kind: ClassVar[str] = "league.dispute_resolved"
    dispute_id: str
    round_id: str
    outcome: str
    slashed: str
