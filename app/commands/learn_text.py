"""What ``nashboard learn`` says where no JSON was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.commands.output import table

if TYPE_CHECKING:
    from engine.learning.results import LearnResult, UpdateResult
    from engine.learning.sweep import Sweep

_SHOWN = 24  # updates; the JSON has them all


def describe(result: LearnResult) -> str:
    """Return a run as text."""
    lines = [_headline(result), ""]
    if result.updates:
        heads = ("round", "slot", "update", "ACKs", "before", "after", "")
        lines += [table(heads, [_row(update) for update in result.updates[-_SHOWN:]]), ""]
    lines += [
        f"slot {s.slot}: validator {s.validator} was slashed: {s.reason.replace('_', ' ')}, evidence {s.evidence[:16]}"
        for s in result.slashings
    ]
    lines += [f"{'ok' if check.ok else 'FAILED':6} {check.text}" for check in result.checks]
    return "\n".join(lines)


def _headline(result: LearnResult) -> str:
    how = {
        "replayed": "training replayed from a recording (simulated)",
        "real": "trained here",
    }[result.training]
    facts = (
        f"{result.slots} slots, {result.validators} validators, epoch {result.finalized_epoch} final",
        how,
        f"loss {result.loss_first:.4f} to {result.loss_last:.4f}",
        f"trace {result.trace_hash[:16]}",
        f"{result.seconds:.1f} s",
    )
    return f"{result.scenario}: {'; '.join(facts)}"


def _row(update: UpdateResult) -> tuple[object, ...]:
    slot = update.slot if update.slot >= 0 else "-"
    acks = f"{update.acks}/{update.committee} of {update.quorum}"
    losses = [f"{loss:.4f}" if loss else "" for loss in (update.loss_before, update.loss_after)]
    return (update.round, slot, update.id[:16], acks, *losses, update.stage if update.accepted else update.explanation)


def describe_sweep(sweep: Sweep) -> str:
    """Return a sweep as text: one table an attack, rules across, fractions down."""
    lines: list[str] = []
    for attack in sweep.spec.attacks:
        cells = {(cell.byzantine, cell.rule): cell for cell in sweep.cells if cell.attack == attack}
        counts = sorted({count for count, _ in cells})
        rows = [(count, *(cells[count, rule].verdict for rule in sweep.spec.rules)) for count in counts]
        lines += [f"{attack}, {sweep.spec.trainers} trainers", table(("bad", *sweep.spec.rules), rows), ""]
    return "\n".join(lines)
