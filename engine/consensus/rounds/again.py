"""How a round on a chain goes on whose positions are signed already: nobody is asked again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from engine.consensus.config import ConsensusConfig
from engine.consensus.fixed import MILLION, from_fixed, unpack
from engine.consensus.negotiation.agreement import Agreement
from engine.consensus.results import ConsensusResult, Verdict
from engine.consensus.rounds.records import Records
from engine.consensus.tasks import Task

if TYPE_CHECKING:
    from engine.consensus.onchain.phase import OnChainPhase


async def conclude_again(phase: OnChainPhase, task: Task, config: ConsensusConfig, records: Records) -> ConsensusResult:
    """Return the result that the kept positions of a phase lead to; it is read back where the chain has it.

    Raises EngineError as ``OnChainPhase.conclude`` does.
    """
    assert phase.run_id is not None
    began = time.perf_counter()
    opening, signed = phase.reopened()
    evidence = tuple(records.evidence(phase.run_id))
    for found in evidence:
        await phase.convict(found)
    on_chain = await phase.conclude(opening, signed)
    kept = phase.progress
    verdicts = tuple(Verdict(**value) for value in kept.get("verdicts", ()))
    agreement = Agreement(
        agents=tuple(opening.names[item.message.agent] for item in signed),
        ideals=np.stack([from_fixed(unpack(item.packed)) for item in signed]),
        confidences=np.array([item.message.confidence / MILLION for item in signed]),
        reputations=tuple(opening.weights[opening.names[item.message.agent]] for item in signed),
        coupling=config.coupling,
        verdicts=verdicts,
    ).without(on_chain.verdicts)
    gap, first, count = kept.get("gap", 0.0), kept.get("first", 0.0), kept.get("iterations", 0)
    result = ConsensusResult(
        task=task,
        task_hash=phase.task_hash,
        config=config,
        agents=agreement.agents,
        ideals=agreement.ideals,
        positions=agreement.positions,
        confidences=agreement.confidences,
        weights=agreement.weights,
        equilibrium=agreement.equilibrium,
        converged=gap <= config.convergence_threshold,
        convergence_rate=_rate(first, gap, count),
        iterations=count,
        gap=agreement.gap,
        seconds=time.perf_counter() - began,
        verdicts=agreement.verdicts,
        evidence=evidence,
        on_chain=on_chain,
    )
    return phase.reconcile(result)


def _rate(first: float, last: float, count: int) -> float:
    """Return the share of the gap that an iteration took away, as a geometric mean, in [0, 1]."""
    if count < 2 or first <= 0 or last <= 0:
        return 1.0
    return float(min(1.0, max(0.0, 1 - (last / first) ** (1 / (count - 1)))))
