"""Rows and sentences of a run of the learning chain: slots, votes, gates, refusals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.formats import plural, short
from app.viewmodels.learning_runs import LearnRecord
from engine.learning.config import quorum_of
from engine.learning.events import LearnAcks, LearnHeads, LearnSlashed, LearnSlot
from engine.learning.results import OFFENCES, REJECTIONS
from widgets.fork_graph import ForkHead
from widgets.fork_layout import ForkBlock
from widgets.vote_matrix import VOTES, VoteRow

FLOOR = 0.05  # nats: below it the gate is skipped
RATIO = 0.999
STAGE_WORDS = {
    "training": "Training", "published": "Published", "aggregated": "Aggregated", "committed": "Committed",
    "voting": "Voting", "certified": "Certified", "included": "Included", "merged": "Merged",
    "rolled_back": "Rolled back", "rejected": "Rejected", "expired": "Expired",
}  # fmt: skip
STAGE_KINDS = {"Certified": "info", "Included": "ok", "Merged": "ok", "Rolled back": "warn", "Rejected": "error",
               "Expired": "warn"}  # fmt: skip
RULE_WORDS = {"fedavg": "FedAvg", "krum": "Krum", "multi_krum": "Multi-Krum", "trimmed_mean": "Trimmed mean",
              "median": "Median"}  # fmt: skip
KRUMS = ("krum", "multi_krum")


def sentence(text: str) -> str:
    """Return a text with a capital and a full stop."""
    text = text.strip()
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


def slot_words(record: LearnRecord, slot: int) -> str:
    """Return a slot for a tooltip."""
    blocks = record.slots.get(slot)
    head = f"Slot {slot}, epoch {slot // record.epoch}"
    if not blocks:
        return f"{head}: not reached"
    return "\n".join([head, *(_block_words(event) for event in blocks.values())])


def _block_words(event: LearnSlot) -> str:
    if not event.root:
        return f"missed: validator {event.proposer} proposed nothing. {event.detail}".strip()
    held = f", update {event.update_id[:12]}" if event.update_id else ", no update"
    seen = f", {event.attested:.0%} attested"
    return f"{event.state} by validator {event.proposer}, {event.root[:12]}{held}{seen}. {event.detail}".strip()


def fork_words(record: LearnRecord, block: ForkBlock) -> str:
    """Return a block for a tooltip."""
    event = record.slots.get(block.slot, {}).get(block.root)
    return f"Slot {block.slot}: {_block_words(event)}" if event is not None else f"Slot {block.slot}, {block.root[:12]}"


def heads_of(event: LearnHeads | None) -> tuple[tuple[ForkHead, ...], str]:
    """Return a flag for each head that some node holds, and the head that most hold."""
    if event is None or not event.rows:
        return (), ""
    held: dict[tuple[str, int], list[int]] = {}
    for node, root, _, _, group in event.rows:
        held.setdefault((root, group), []).append(node)
    several = len({group for _, group in held}) > 1
    flags = []
    for (root, group), nodes in held.items():
        side = f"side {'AB'[group] if group < 2 else group}: " if several else ""
        flags.append(ForkHead(side + _nodes(nodes, len(event.rows)), root, group))
    main = max(held, key=lambda key: len(held[key]))[0]
    return tuple(flags), main


def _nodes(nodes: list[int], total: int) -> str:
    if len(nodes) == total:
        return f"all {plural(total, 'node')}" if total > 1 else "node 0"
    if len(nodes) == 1:
        return f"node {nodes[0]}"
    whole = nodes == list(range(nodes[0], nodes[-1] + 1))
    return f"nodes {nodes[0]}-{nodes[-1]}" if whole else plural(len(nodes), "node")


# Votes


def vote_rows(record: LearnRecord) -> tuple[VoteRow, ...]:
    """Return a row for each update that was voted on, the newest first; keys are their places."""
    made: list[VoteRow] = []
    slashed: dict[int, int] = {}
    for event in record.slashed.values():
        slashed[event.validator] = min(event.slot, slashed.get(event.validator, event.slot))
    rounds: dict[int, int] = {}
    for at, ((number, _), acks) in enumerate(record.acks.items()):
        rounds[number] = rounds.get(number, 0) + 1
        letter = f" {chr(96 + rounds[number])}" if rounds[number] > 1 else ""
        votes = acks.votes
        late = [v for v, slot in slashed.items() if slot <= acks.slot and v < len(votes)]
        if late:
            letters = list(votes)
            for validator in late:
                letters[validator] = "s"
            votes = "".join(letters)
        reached = acks.accepts >= acks.quorum
        update = record.updates.get((number, acks.update_id), {})
        over = reached or update.get("stage") in ("rejected", "expired", "rolled_back")
        note = f"{acks.accepts}/{acks.quorum} {'✓' if reached else '✗' if over else '…'}"
        made.append(VoteRow(at, f"round {number}{letter}", votes, note, reached if over else None))
    return tuple(reversed(made))


def acks_at(record: LearnRecord, key: int) -> LearnAcks | None:
    """Return the votes of a row."""
    events = list(record.acks.values())
    return events[key] if 0 <= key < len(events) else None


def vote_words(record: LearnRecord, key: int, column: int) -> str:
    """Return a vote, or a round as a whole, in a sentence."""
    acks = acks_at(record, key)
    if acks is None:
        return ""
    if column < 0 or column >= len(acks.votes):
        return f"Round {acks.round}, slot {acks.slot}: {quorum_words(acks)}"
    row = next((row for row in vote_rows(record) if row.key == key), None)
    vote = row.votes[column] if row is not None else acks.votes[column]
    words = {
        "a": "accepts the update", "r": "rejects the update", "-": "no ACK was counted",
        "f": "an ACK in its name was forged; it does not count", "s": "it was slashed; its ACK does not count",
    }.get(vote, VOTES.get(vote, vote))  # fmt: skip
    return f"Round {acks.round}, validator {column}: {words}."


def quorum_words(acks: LearnAcks) -> str:
    """Return the arithmetic of a quorum."""
    if acks.text:
        return sentence(acks.text)
    formula = {"spec": f"ceil({acks.committee}/2)", "bft": f"floor(2 x {acks.committee}/3) + 1"}.get(acks.mode, "")
    needed = f"{formula} = {acks.quorum}" if formula else str(acks.quorum)
    verdict = "reached" if acks.accepts >= acks.quorum else "not reached"
    return f"{acks.accepts} of {acks.committee} accept, the quorum is {needed}: {verdict}."


def quorum_preview(mode: str, validators: int) -> str:
    """Return what a quorum mode asks of so many validators."""
    try:
        needed = quorum_of(mode, validators)
    except ValueError:
        return ""
    formula = {"spec": f"ceil({validators}/2) = ", "bft": f"floor(2 x {validators}/3) + 1 = "}.get(mode, "")
    return f"{formula}{needed} of {validators} ACKs"


# Updates


def update_rows(record: LearnRecord) -> Iterator[tuple[Any, ...]]:
    """Yield a row for each update, the newest first."""
    for update in reversed(record.updates.values()):
        before, after = float(update["loss_before"]), float(update["loss_after"])
        known = before > 0
        stage = STAGE_WORDS.get(update["stage"], update["stage"])
        acks = (update["acks"], update["quorum"]) if update["committee"] else None
        yield (
            update["round"], update["slot"] if update["slot"] >= 0 else None, update["id"] or None, stage,
            before if known else None, after if known else None, RATIO * before if known else None,
            gate_word(update), acks,
        )  # fmt: skip


def gate_word(update: dict[str, Any]) -> str:
    """Return the gate's verdict in a word."""
    before, after = float(update["loss_before"]), float(update["loss_after"])
    if before <= 0:
        return ""
    if before < FLOOR:
        return "Skipped"
    return "Passed" if after < RATIO * before else "Refused"


def gate_sentence(update: dict[str, Any]) -> str:
    """Return why an update was accepted or not."""
    if update.get("explanation"):
        return sentence(update["explanation"])
    if update.get("reason"):
        return sentence(REJECTIONS.get(update["reason"], update["reason"]))
    before, after = float(update["loss_before"]), float(update["loss_after"])
    word = gate_word(update)
    if word == "Skipped":
        return f"The loss before is {before:.4f}, under 0.05: the gate is skipped."
    if word:
        sign = "<" if word == "Passed" else ">="
        return f"{after:.6f} {sign} 0.999 x {before:.6f} = {RATIO * before:.6f}: the gate is {word.lower()}."
    return f"Round {update['round']} is at the stage: {STAGE_WORDS.get(update['stage'], update['stage']).lower()}."


def refused_rule(update: dict[str, Any]) -> str:
    """Return the formula of a Krum that refused, "" where it chose."""
    n, f, rule = len(update["raws"]), int(update["byzantine"]), str(update["rule"])
    too_few = update["reason"] == "too_few" or any(raw["reason"] == "too_few" for raw in update["raws"])
    if rule not in KRUMS or not (too_few or (n and f and n < 2 * f + 3)):
        return ""
    name = RULE_WORDS[rule]
    return f"n = {n} < 2f + 3 = {2 * f + 3}: {name} cannot bear f = {f} bad among so few, and refuses."


def slash_sentence(event: LearnSlashed) -> str:
    """Return what a validator was slashed for."""
    return sentence(event.text) or sentence(f"Validator {event.validator} {OFFENCES.get(event.reason, event.reason)}")


def hash_words(value: str) -> str:
    """Return a hash shortened."""
    return short(value, 8, 4)
