"""A round from end to end: open on the chain, negotiate off it, convict, conclude on the chain, learn.

Steps:
1. The chain phase, if any, gets the agents ready: stakes, nonces, weights, and the task's hash there.
2. Negotiation (:mod:`engine.consensus.negotiation.talks`).
3. Evidence of equivocation goes to the contract, also where no quorum remained.
4. The positions go there too, and the contract certifies their equilibrium. Positions that it did not take are left
   out of the result, so that it is the same on both sides.
5. The agents learn how it came out.
Both modes give the same equilibrium: without a chain everybody has the weight that agents begin with.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from engine.consensus.config import ConsensusConfig
from engine.consensus.messages import NEVER, Domain, SignedPosition
from engine.consensus.negotiation.agreement import Agreement, dissolved, quorum_of
from engine.consensus.negotiation.talks import Hook, Negotiation, OnIteration, OnVerdict, dismiss
from engine.consensus.participants import Participant
from engine.consensus.results import ConsensusResult, Equivocation, OnChain, Verdict
from engine.consensus.tasks import Task
from engine.core.errors import EngineError
from engine.games.games import Floats

_log = logging.getLogger(__name__)


class Opened(Protocol):
    """What a chain phase says before the negotiation. Mappings are by agent; ``weights`` are reputations."""

    @property
    def task_hash(self) -> bytes:
        """The task's identity there, never used before: nobody may sign twice for one."""
        ...

    @property
    def domain(self) -> Domain:
        """Where signatures hold."""
        ...

    @property
    def nonces(self) -> Mapping[str, int]:
        """What every agent signs with."""
        ...

    @property
    def weights(self) -> Mapping[str, int]:
        """The agents' reputations."""
        ...

    @property
    def verdicts(self) -> Sequence[Verdict]:
        """Who cannot take part, and why."""
        ...

    @property
    def deadline(self) -> int:
        """Until when signatures hold, in seconds since the epoch."""
        ...


class ChainPhase(Protocol):
    """The chain's side of a round: :class:`engine.consensus.onchain.phase.OnChainPhase` and what has its face."""

    async def open(self, task: Task, participants: Sequence[Participant]) -> Any:
        """Get the agents ready; return an :class:`Opened`."""
        ...

    async def conclude(self, opening: Any, signed: Sequence[SignedPosition]) -> OnChain:
        """Bring signed positions to the chain and have their equilibrium certified and finalised."""
        ...

    async def convict(self, evidence: Equivocation) -> dict[str, int]:
        """Have an agent slashed that signed two positions for one round; return what it lost, in wei by agent."""
        ...


@dataclass(frozen=True, slots=True)
class _Nowhere:
    """The opening of a round without a chain."""

    task_hash: bytes
    domain: Domain = field(default_factory=Domain)
    nonces: Mapping[str, int] = field(default_factory=dict)
    weights: Mapping[str, int] = field(default_factory=dict)
    verdicts: Sequence[Verdict] = ()
    deadline: int = NEVER


async def reach_consensus(
    task: Task,
    participants: Sequence[Participant],
    config: ConsensusConfig,
    *,
    phase: ChainPhase | None = None,
    truth: Floats | None = None,
    on_iteration: OnIteration | None = None,
    on_verdict: OnVerdict | None = None,
    before: Hook | None = None,
) -> ConsensusResult:
    """Return how a round came out; off chain without a ``phase``. ``truth`` (d,) is what agents learn, where known.

    Raises EngineError when the chain fails or the round cannot begin. A round that loses its quorum is a result with
    an empty equilibrium and a message.
    """
    began = time.perf_counter()
    opening: Opened = _Nowhere(task.hash) if phase is None else await phase.open(task, participants)
    for verdict in opening.verdicts:
        _tell(on_verdict, verdict)
    barred = {verdict.agent for verdict in opening.verdicts}
    seated = [participant for participant in participants if participant.agent_id not in barred]
    needed = quorum_of(config, len(participants))
    if opening.verdicts and len(seated) < needed:
        names = tuple(participant.agent_id for participant in seated)
        nobody = dissolved(names, len(participants), needed, task.dims, opening.verdicts)
        return _result(task, opening.task_hash, config, nobody, None, began)
    agreement = await Negotiation(
        task,
        opening.task_hash,
        seated,
        config,
        domain=opening.domain,
        nonces=opening.nonces,
        weights=opening.weights,
        deadline=opening.deadline,
        everybody=len(participants),
        on_iteration=on_iteration,
        on_verdict=on_verdict,
        before=before,
    ).run()
    agreement, on_chain = await _conclude(phase, opening, agreement, on_verdict)
    if agreement.quorate:
        await _learn(task, seated, agreement, truth, config.answer_timeout)
    verdicts = (*opening.verdicts, *agreement.verdicts)
    return _result(task, opening.task_hash, config, replace(agreement, verdicts=verdicts), on_chain, began)


async def _conclude(
    phase: ChainPhase | None, opening: Opened, agreement: Agreement, on_verdict: OnVerdict | None
) -> tuple[Agreement, OnChain | None]:
    """Bring evidence and positions to the chain; return what the contract took, and what it says."""
    if phase is None:
        return agreement, None
    slashed, said = await _convict(phase, agreement.evidence)
    if not agreement.quorate:
        return replace(agreement, message=" ".join(filter(None, (agreement.message, said)))), None
    on_chain = await phase.conclude(opening, agreement.signed)
    for verdict in on_chain.verdicts:
        _tell(on_verdict, verdict)
    if on_chain.verdicts:
        agreement = agreement.without(on_chain.verdicts)
    on_chain = replace(on_chain, slashed_wei={**on_chain.slashed_wei, **slashed})
    return replace(agreement, message=" ".join(filter(None, (agreement.message, said)))), on_chain


async def _convict(phase: ChainPhase, evidence: Sequence[Equivocation]) -> tuple[dict[str, int], str]:
    """Return what the guilty lost, and what went wrong: an agent that cannot be slashed must not stop the others."""
    slashed: dict[str, int] = {}
    troubles = []
    for found in evidence:
        try:
            slashed |= await phase.convict(found)
        except EngineError as error:
            troubles.append(f"{found.agent} could not be slashed: {error}")
    return slashed, " ".join(troubles)


async def _learn(
    task: Task, participants: Sequence[Participant], agreement: Agreement, truth: Floats | None, limit: float
) -> None:
    """Tell those whose word counted how it came out. An agent that fails to learn has lost nothing but that."""
    outcome = agreement.equilibrium if truth is None else truth
    pupils = [participant for participant in participants if participant.agent_id in set(agreement.agents)]
    lessons = {asyncio.ensure_future(pupil.learn(task, outcome.copy())): pupil.agent_id for pupil in pupils}
    try:
        await asyncio.wait(lessons, timeout=limit)
    finally:
        late = [lesson for lesson in lessons if not lesson.done()]
        await dismiss(late)
    for lesson, name in lessons.items():
        error = None if not lesson.done() or lesson.cancelled() else lesson.exception()
        if lesson in late or error is not None:
            _log.info("%s did not learn from the outcome: %s", name, error or f"not done within {limit:g} s")


def _result(
    task: Task, task_hash: bytes, config: ConsensusConfig, made: Agreement, on_chain: OnChain | None, began: float
) -> ConsensusResult:
    return ConsensusResult(
        task,
        task_hash,
        config,
        made.agents,
        made.ideals,
        made.positions,
        made.confidences,
        made.weights,
        equilibrium=made.equilibrium,
        converged=made.converged,
        convergence_rate=made.convergence_rate,
        iterations=made.iterations,
        gap=made.gap,
        seconds=time.perf_counter() - began,
        message=made.message,
        verdicts=made.verdicts,
        evidence=made.evidence,
        on_chain=on_chain,
        trace=made.trace,
    )


def _tell(on_verdict: OnVerdict | None, verdict: Verdict) -> None:
    if on_verdict is not None:
        on_verdict(verdict)
