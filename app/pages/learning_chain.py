"""The chain tab of the Learning chain page: the fork graph, and the slot that is looked at."""

from __future__ import annotations

import time
from collections.abc import Iterator

from PySide6.QtWidgets import QWidget

from app.links import update_link, validator_link
from app.pages.base import side_by_side
from app.pages.learning_part import LearningPart, on_card
from app.viewmodels.learning import LearningViewModel
from app.viewmodels.learning_draft import LearningState
from app.viewmodels.learning_runs import LearnRecord
from app.viewmodels.learning_tables import fork_words, heads_of
from engine.learning.events import LearnSlot
from widgets.basics import column
from widgets.cards import KeyValuePanel, KeyValueRow, KeyValueState
from widgets.fork_graph import ForkGraph, ForkGraphState
from widgets.labels import SectionHeader
from widgets.sign_legend import SignLegend
from widgets.slot_timeline import FINALISED, MISSED, ORPHANED, PROPOSED, STATES, paint_slot

READABLE = 0.4  # seconds
KINDS = {"proposed": "info", "missed": "warn", "orphaned": "error", "finalised": "ok"}


class ChainTab(LearningPart):
    """Branches at the left, a slot's blocks at the right."""

    def __init__(self, model: LearningViewModel) -> None:
        super().__init__()
        self._model = model
        self._told = 0.0
        self.graph = ForkGraph()
        self.graph.setMinimumHeight(170)
        codes = (PROPOSED, FINALISED, MISSED, ORPHANED)
        self.legend = SignLegend([(STATES[c], lambda p, at, t, c=c: paint_slot(p, at, c, 16.0, t)) for c in codes])
        self.title = SectionHeader("Slot", "Click a slot, or use the arrow keys")
        self.facts = KeyValuePanel()
        left, right = QWidget(), QWidget()
        first = column(left, spacing=8)
        first.addWidget(SectionHeader("Forks", "F: finalised, J: justified; flags: who holds which head"))
        first.addWidget(self.graph, 1)
        first.addWidget(self.legend)
        second = column(right, spacing=8)
        second.addWidget(self.title)
        second.addWidget(on_card(self.facts, stretch=True), 1)
        right.setMinimumWidth(230)
        body = column(self, spacing=12)
        body.addWidget(side_by_side(left, right, stretches=(5, 3), narrow=560), 1)
        self.graph.slotSelected.connect(model.select_slot)
        self.facts.linkActivated.connect(self.linkActivated)

    def seen(self, state: LearningState) -> object:
        """Slots, heads, and which slot is looked at."""
        record = state.run
        parts = ("slots", "heads", "facts")
        return record, state.slot, record.state if record else "", *(record.at(p) if record else 0 for p in parts)

    def draw(self, state: LearningState) -> None:
        """Show forks and slot."""
        record = state.run
        if record is None:
            self.graph.set_state(ForkGraphState())
        else:
            flags, main = heads_of(record.heads)
            final = record.finality
            self.graph.set_state(ForkGraphState(
                record.forks, flags, main, _justified(record), final.finalized_root if final is not None else "",
                state.slot, lambda block: fork_words(record, block),
            ))  # fmt: skip
        # What is written of the newest slot would not be read if it changed at every slot of a fast run.
        rushing = state.slot is None and record is not None and record.state == "running"
        if not rushing or time.monotonic() - self._told > READABLE:
            self._told = time.monotonic()
            self._show_slot(record, state.slot)

    def _show_slot(self, record: LearnRecord | None, slot: int | None) -> None:
        at = slot if slot is not None else record.slot if record is not None else None
        if record is None or at is None or at < 0:
            self.title.set_text("Slot", "Click a slot, or use the arrow keys")
            self.facts.set_state(KeyValueState())
            return
        self.title.set_text(f"Slot {at:,}", f"Epoch {at // record.epoch:,}" + ("" if slot is not None else ", newest"))
        blocks = record.slots.get(at, {})
        rows = [line for event in blocks.values() for line in _facts(event)]
        self.facts.set_state(KeyValueState(tuple(rows)))


def _justified(record: LearnRecord) -> str:
    """Return the root of the block that the justified checkpoint names: the last one up to its first slot."""
    final = record.finality
    if final is None or final.justified_epoch <= 0:
        return ""
    first = final.justified_epoch * record.epoch
    for slot in range(first, max(-1, first - 2 * record.epoch), -1):
        for event in record.slots.get(slot, {}).values():
            if event.root and event.state != "orphaned":
                return event.root
    return ""


def _facts(event: LearnSlot) -> Iterator[KeyValueRow]:
    yield KeyValueRow("State", event.state.capitalize(), "pill", KINDS.get(event.state, "neutral"))
    yield KeyValueRow("Proposer", f"validator {event.proposer}", "link", link=validator_link(event.proposer))
    if event.root:
        yield KeyValueRow("Block", event.root, "hash")
        yield KeyValueRow("Parent", event.parent, "hash")
        if event.update_id:
            yield KeyValueRow("Update", event.update_id, "hash", link=update_link(event.update_id))
        else:
            yield KeyValueRow("Update", "none: the id is zero")
        yield KeyValueRow("Attested", f"{event.attested:.1%} of the stake")
    if event.detail:
        yield KeyValueRow("Detail", event.detail)
