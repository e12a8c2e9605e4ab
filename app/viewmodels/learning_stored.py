"""A kept run as the page shows it: what its result holds; its slots are not kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.viewmodels.learning_runs import LearnRecord
from engine.learning.events import LearnEnded, LearnSlashed
from engine.learning.results import OFFENCES

if TYPE_CHECKING:
    from engine.learning.service.records import RunRecord


def record_of(number: int, row: RunRecord, title: str) -> LearnRecord:
    """Return the record of a run that is over, or was interrupted."""
    result = row.result or {}
    settings = dict(row.spec.settings)
    if result.get("training"):
        settings["training"] = result["training"]
    made = LearnRecord(number, row.spec.scenario, title, settings, row.spec, row.run_id, state=row.state)
    made.failure = row.message if row.state == "failed" else ""
    for update in result.get("updates", ()):
        made.updates[int(update["round"]), str(update["id"])] = update
    for item in result.get("slashings", ()):
        text = f"Validator {item['validator']} {OFFENCES.get(item['reason'], item['reason'])}."
        event = LearnSlashed(
            row.run_id, item["slot"], item["validator"], item["reason"], item["evidence"], item["tx"], text
        )
        made.slashed[event.validator, event.reason, event.evidence] = event
    if row.result is not None:
        made.settings["slots"] = result["slots"]
        made.ended_event = _ended(row, result)
    return made


def _ended(row: RunRecord, result: dict[str, Any]) -> LearnEnded:
    checks = tuple((c["name"], bool(c["ok"]), c["text"]) for c in result.get("checks", ()))
    return LearnEnded(
        row.run_id, row.state, result["slots"], result["trace_hash"], result["finalized_epoch"], result["loss_first"],
        result["loss_last"], len(result.get("slashings", ())), checks, result.get("seconds", 0.0), row.message,
    )  # fmt: skip
