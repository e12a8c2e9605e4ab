"""A round of the store as one that can be looked at: its result back from JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from app.viewmodels.agreement_runs import AgreementRecord, Judgement
from engine.consensus.events import ConsensusChainStep
from engine.consensus.results import ChainStep, ConsensusResult, OnChain, Verdict

STATES = {"done": "done", "failed": "failed", "cancelled": "cancelled"}


def record_of(number: int, row: Any) -> AgreementRecord:
    """Return the round that a row of the store describes; ``row`` is an engine.consensus.rounds.records.RoundRecord."""
    record = AgreementRecord(
        number, row.task, row.config, tuple(agent.name for agent in row.agents),
        {agent.name: agent.behaviour for agent in row.agents},
        {agent.name: agent.config.strategy_type for agent in row.agents},
        {"task": dict(row.document), "agents": [agent.to_json() for agent in row.agents],
         "config": asdict(row.config)},
        row.on_chain, row.run_id, "0x" + row.task_hash.hex(),
    )  # fmt: skip
    record.state = STATES.get(row.state, "interrupted")
    record.failure = row.message
    if row.result is not None:
        record.finish(_result(row))
        record.state = STATES.get(row.state, "interrupted")
        for chain in chains_of(record):
            for step in chain.steps:
                record.take_step(_event(record, chain, step))
    for verdict in record.result.verdicts if record.result is not None else ():
        record.judged[verdict.agent] = Judgement(verdict.agent, verdict.reason, verdict.iteration, verdict.detail)
    return record


def chains_of(record: AgreementRecord) -> tuple[OnChain, ...]:
    """Return what each chain holds of a result: of a cross-chain task all, else the one, () off chain."""
    result = record.result
    if result is None:
        return ()
    several: tuple[OnChain, ...] = getattr(result, "chains", ())
    return several or ((result.on_chain,) if result.on_chain is not None else ())


def _result(row: Any) -> ConsensusResult:
    value: Mapping[str, Any] = row.result
    agents = value["agents"]
    shape = (len(agents), row.task.dims)
    made = {
        "task": row.task,
        "task_hash": bytes.fromhex(value["task_hash"][2:]),
        "config": row.config,
        "agents": tuple(entry["agent"] for entry in agents),
        "ideals": np.array([entry["ideal"] for entry in agents], dtype=float).reshape(shape),
        "positions": np.array([entry["position"] for entry in agents], dtype=float).reshape(shape),
        "confidences": np.array([entry["confidence"] for entry in agents], dtype=float),
        "weights": np.array([entry["weight"] for entry in agents], dtype=float),
        "equilibrium": np.array(value["equilibrium"], dtype=float),
        "verdicts": tuple(_of(Verdict, verdict) for verdict in value.get("verdicts", ())),
        "on_chain": _on_chain(value["on_chain"], value) if value.get("on_chain") else None,
        "trace": str(value.get("trace_hash", "")),
    }
    for name in ("converged", "convergence_rate", "iterations", "gap", "seconds", "message"):
        made[name] = value[name]
    if made["gap"] is None:
        made["gap"] = float("inf")
    if value.get("chains") and any(field.name == "chains" for field in fields(ConsensusResult)):
        made["chains"] = tuple(_on_chain(chain, value) for chain in value["chains"])
    return ConsensusResult(**made)


def _on_chain(value: Mapping[str, Any], result: Mapping[str, Any]) -> OnChain:
    return OnChain(
        value["chain_id"],
        value["contract"],
        bytes.fromhex(str(value.get("task_hash", result["task_hash"]))[2:]),
        value["tx"],
        value["block"],
        value["gas_used"],
        np.array(value["equilibrium"], dtype=float),
        value["certified"],
        tuple(_of(ChainStep, {**step, "txs": tuple(step["txs"])}) for step in value["steps"]),
        {agent: int(wei) for agent, wei in value["slashed_wei"].items()},
    )


def _of(kind: Any, value: Mapping[str, Any]) -> Any:
    known = {field.name for field in fields(kind)}
    return kind(**{name: item for name, item in value.items() if name in known})


def _event(record: AgreementRecord, chain: OnChain, step: ChainStep) -> ConsensusChainStep:
    return ConsensusChainStep(
        record.run_id, record.task_hash, chain.chain_id, step.phase, step.state, step.txs, step.gas, step.block,
        step.text,
    )  # fmt: skip
