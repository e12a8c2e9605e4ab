"""A round of consensus as files: its gaps as a table, its configuration and result as JSON, its agents as a file."""

from __future__ import annotations

import csv
import io
import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.viewmodels.agreement_agents import AgentDraft
from app.viewmodels.agreement_runs import AgreementRecord, verdict_of
from app.viewmodels.consensus_export import VERSIONS, version_of
from engine.core.files import write_atomically


def export_csv(path: Path, record: AgreementRecord) -> int:
    """Write the gap of every iteration with all its digits and return how many. Raises OSError."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("iteration", "gap"))
    for iteration, gap in zip(record.gap.x, record.gap.y[:, 0], strict=True):
        writer.writerow((int(iteration), repr(float(gap))))
    write_atomically(path, text.getvalue().encode(), mode=0o644)
    return record.gap.count


def export_json(path: Path, record: AgreementRecord) -> None:
    """Write what a round was asked for and what came out. Raises OSError."""
    text = json.dumps(result_of(record), indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(path, text.encode() + b"\n", mode=0o644)


def export_agents(path: Path, agents: Sequence[AgentDraft]) -> None:
    """Write agents as a file that opens again. Raises ConsensusError for an agent that cannot be, OSError."""
    text = json.dumps({"agents": [agent.spec().to_json() for agent in agents]}, indent=2, ensure_ascii=False)
    write_atomically(path, text.encode() + b"\n", mode=0o644)


def result_of(record: AgreementRecord) -> dict[str, Any]:
    """Return configuration, seed, versions, verdicts and result as a JSON-ready object."""
    result = record.result.to_json() if record.result is not None else None
    if result is not None and record.result is not None and record.result.gap == float("inf"):
        result["gap"] = None
    return {
        "title": record.title,
        "configuration": record.setup,
        "on_chain": record.on_chain,
        "versions": {**{name: version_of(name) for name in VERSIONS}, "python": platform.python_version()},
        "verdict": verdict_of(record).text,
        "state": record.state,
        "task_hash": record.task_hash,
        "trace_hash": record.trace_hash,
        "iterations": record.iteration,
        "marks": [{"iteration": mark.iteration, "text": mark.text} for mark in record.marks],
        "judged": [
            {"agent": j.agent, "reason": j.reason, "iteration": j.iteration, "detail": j.detail}
            for j in record.judged.values()
        ],
        "steps": [
            {"chain_id": step.chain_id, "phase": step.phase, "state": step.state, "txs": list(step.txs),
             "gas": step.gas, "block": step.block, "text": step.text}
            for step in record.steps.values()
        ],
        "result": result,
    }  # fmt: skip
