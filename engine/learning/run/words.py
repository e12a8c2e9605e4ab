"""Sentences for the operator: what a phase does, what became of an update, what a fault means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.learning.config import LearnConfig
from engine.learning.faults import FAULTS, Fault
from engine.learning.results import OFFENCES, REJECTIONS
from engine.learning.updates import draw

if TYPE_CHECKING:
    from engine.learning.beacon.state import BeaconState
    from engine.learning.run.rounds import Story


def phase_text(phase: str, slot: int, state: BeaconState) -> str:
    """Return what happens in a phase of a slot, as the head's state has it."""
    offset = slot - state.round_opened if state.round_open else -1
    if phase == "propose":
        from engine.learning.beacon.committees import proposer_of

        if not len(state.registry.active(state.epoch)):
            return f"No validator is left: slot {slot} stays without a block."
        what = {1: ", fixing the round's update", 2: ", with the update if a quorum stands for it"}.get(offset, "")
        return f"Validator {proposer_of(state, slot)} proposes the block of slot {slot}{what}."
    if phase == "train":
        return f"The trainers train for round {state.round}." if offset == 0 else "No round opens: nobody trains."
    if phase == "vote":
        judge = f"; the committee judges the update of round {state.round}" if offset == 1 and state.commit else ""
        return f"The committee of slot {slot} votes for a head and a target{judge}."
    if phase == "aggregate":
        return (
            f"The proposer of slot {slot + 2} makes one update of the deltas of round {state.round}."
            if offset == 0
            else "The votes of the slot are put together."
        )
    return f"Slot {slot} ends; justified is epoch {state.justified.epoch}, final epoch {state.finalized.epoch}."


def explain(story: Story, config: LearnConfig, quorum: int) -> str:
    """Return what became of an update, in a sentence or two."""
    gate = draw.explained(story.before, story.after) if story.before and story.after else ""
    votes = f"{story.accepts} of {story.committee} members accepted it, the quorum is {quorum}."
    ends = {
        "training": "The trainers are at work.",
        "published": "Raw deltas are in the DHT.",
        "aggregated": f"Validator {story.aggregator} made one update of the raw deltas.",
        "committed": "A block fixed it, and only then its texts were drawn.",
        "voting": "The committee judges it.",
        "certified": f"{votes} It has its certificate.",
        "included": f"{votes} It lies in the block of slot {story.slot}.",
        "merged": f"{votes} Its block is final: it is part of the model.",
        "rolled_back": "Its block was orphaned: the model went back to what it was before.",
    }
    if story.stage in ends:
        return " ".join(part for part in (gate, ends[story.stage]) if part)
    why = REJECTIONS.get(story.reason, story.reason)
    if story.reason == "too_few":
        n, f = len([raw for raw in story.raws.values() if raw.raw_id]), config.tolerated
        why = f"n < 2f + 3: {n} < 2 x {f} + 3 = {2 * f + 3}, the rule cannot bear {f} bad deltas among {n}"
    end = "was refused" if story.stage == "rejected" else "expired"
    counted = f" {votes}" if story.committee and story.reason in ("no_quorum", "gate", "not_reproducible") else ""
    return " ".join(part for part in (gate, f"The update {end}: {why}.{counted}") if part)


def fault_text(fault: Fault, targets: tuple[int, ...], active: bool) -> str:
    """Return what a fault does, or that it is over."""
    who = f" {', '.join(map(str, targets[:12]))}{' and more' if len(targets) > 12 else ''}" if targets else ""
    if not active:
        return f"Over: {fault.kind}{who}."
    return f"{fault.kind}{who}: {FAULTS[fault.kind]}."


def slashed_text(validator: int, reason: str, slot: int) -> str:
    """Return why a validator was slashed."""
    return f"Validator {validator} was slashed in the block of slot {slot}: it {OFFENCES.get(reason, reason)}."
