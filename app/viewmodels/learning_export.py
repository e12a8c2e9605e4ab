"""A run of the learning chain as files: its rounds as a table, its configuration and result as JSON; sweeps too."""

from __future__ import annotations

import csv
import io
import json
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from app.viewmodels.consensus_export import version_of
from app.viewmodels.learning_runs import LearnRecord, training_words, verdict_of
from app.viewmodels.learning_tables import gate_word
from engine.core.files import write_atomically

VERSIONS = ("nashboard", "numpy", "torch", "transformers", "peft", "hivemind")
ROUNDS = ("round", "opened_slot", "slot", "id", "stage", "acks", "quorum", "committee", "loss_before", "loss_after",
          "accepted", "reason", "rule", "byzantine", "explanation")  # fmt: skip


def export_csv(path: Path, record: LearnRecord) -> int:
    """Write a line for each update, with all digits, and return how many. Raises OSError."""
    rows = [[_exact(update[name]) for name in ROUNDS] + [gate_word(update)] for update in record.updates.values()]
    write_atomically(path, _table((*ROUNDS, "gate"), rows), mode=0o644)
    return len(rows)


def export_json(path: Path, record: LearnRecord) -> None:
    """Write what a run was asked for and what came out. Raises OSError."""
    text = json.dumps(result_of(record), indent=2, ensure_ascii=False, default=str)
    write_atomically(path, text.encode() + b"\n", mode=0o644)


def export_sweep_csv(path: Path, cells: Iterable[dict[str, Any]]) -> int:
    """Write a line for each cell of a sweep, with all digits, and return how many. Raises OSError."""
    rows = list(cells)
    names = tuple(rows[0]) if rows else ()
    write_atomically(path, _table(names, [[_exact(row[name]) for name in names] for row in rows]), mode=0o644)
    return len(rows)


def export_sweep_json(path: Path, spec: dict[str, Any], cells: Iterable[dict[str, Any]]) -> None:
    """Write a sweep. Raises OSError."""
    document = {"configuration": spec, "versions": _versions(), "cells": list(cells)}
    text = json.dumps(document, indent=2, ensure_ascii=False, default=str)
    write_atomically(path, text.encode() + b"\n", mode=0o644)


def result_of(record: LearnRecord) -> dict[str, Any]:
    """Return configuration, versions, verdict and result as a JSON-ready object."""
    ended = record.ended_event
    return {
        "run": record.run_id,
        "scenario": record.scenario,
        "title": record.title,
        "training": training_words(record),
        "configuration": record.settings,
        "versions": _versions(),
        "verdict": verdict_of(record).text,
        "state": record.state,
        "trace_hash": ended.trace_hash if ended is not None else "",
        "finalized_epoch": record.finalized,
        "checks": [{"name": n, "ok": ok, "text": text} for n, ok, text in (ended.checks if ended is not None else ())],
        "slots": [
            {"slot": e.slot, "state": e.state, "proposer": e.proposer, "root": e.root, "update_id": e.update_id}
            for blocks in record.slots.values()
            for e in blocks.values()
        ],
        "updates": list(record.updates.values()),
        "slashings": [
            {"validator": e.validator, "reason": e.reason, "slot": e.slot, "evidence": e.evidence, "tx": e.tx}
            for e in record.slashed.values()
        ],
        "refused": [
            {"slot": e.slot, "subject": e.subject, "rule": e.rule, "author": e.author, "text": e.text}
            for e in record.refused
        ],
        "held_out": [[int(x), float(y)] for x, y in zip(record.held_out.x, record.held_out.y[:, 0], strict=True)],
    }


def _versions() -> dict[str, str]:
    return {**{name: version_of(name) for name in VERSIONS}, "python": platform.python_version()}


def _exact(value: Any) -> Any:
    return repr(value) if isinstance(value, float) else value


def _table(names: Iterable[str], rows: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return text.getvalue().encode()
