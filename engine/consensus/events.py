"""What happens in rounds of consensus. Vectors are tuples, so that events have a JSON form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.core.events import Event


@dataclass(frozen=True, slots=True)
class ConsensusStarted(Event):
    """A round began. ``agents`` are names, ``addresses`` theirs in the same order."""

    kind: ClassVar[str] = "consensus.started"
    run_id: int
    task_hash: str
    title: str
    labels: tuple[str, ...]
    agents: tuple[str, ...]
    addresses: tuple[str, ...]
    strategies: tuple[str, ...]
    on_chain: bool


@dataclass(frozen=True, slots=True)
class ConsensusIterated(Event):
    """An iteration was done; ``positions`` are rows of ``agents``, those that still take part."""

    kind: ClassVar[str] = "consensus.iterated"
    run_id: int
    task_hash: str
    iteration: int
    agents: tuple[str, ...]
    positions: tuple[tuple[float, ...], ...]
    ideals: tuple[tuple[float, ...], ...]
    consensus: tuple[float, ...]
    gap: float
    converged: bool


@dataclass(frozen=True, slots=True)
class ConsensusAgentJudged(Event):
    """An agent's word does not count; ``reason`` is a key of :data:`engine.consensus.results.REASONS`."""

    kind: ClassVar[str] = "consensus.judged"
    run_id: int
    task_hash: str
    agent: str
    reason: str
    iteration: int
    detail: str


@dataclass(frozen=True, slots=True)
class ConsensusChainStep(Event):
    """A phase on chain moved; ``phase`` is one of :data:`engine.consensus.results.PHASES`."""

    kind: ClassVar[str] = "consensus.chain_step"
    run_id: int
    task_hash: str
    chain_id: int
    phase: str
    state: str
    txs: tuple[str, ...]
    gas: int
    block: int | None
    text: str


@dataclass(frozen=True, slots=True)
class ConsensusEnded(Event):
    """A round ended; ``outcome`` is done, cancelled or failed. Gas is 0 and ``block`` None off chain."""

    kind: ClassVar[str] = "consensus.ended"
    run_id: int
    task_hash: str
    outcome: str
    converged: bool
    iterations: int
    gap: float
    seconds: float
    equilibrium: tuple[float, ...]
    gas_used: int
    block: int | None
    message: str
