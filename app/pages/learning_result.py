"""What was refused and punished in a run of the learning chain, how it ended, and the kept runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from PySide6.QtWidgets import QWidget

from app.formats import brief_moment, count, duration
from app.links import slot_link, tx_link, validator_link
from app.pages.base import RUN, search_field, side_by_side
from app.pages.learning_part import LearningPart
from app.viewmodels.learning import LearningViewModel
from app.viewmodels.learning_draft import LearningState
from app.viewmodels.learning_runs import LearnRecord, training_words
from app.viewmodels.learning_tables import sentence, slash_sentence
from widgets.basics import button, column
from widgets.cards import KeyValuePanel, KeyValueRow, KeyValueState
from widgets.labels import SectionHeader
from widgets.panels import EmptyPanelState
from widgets.steady_text import SteadyText
from widgets.table import Column, DataTable, TableState

NOTHING = EmptyPanelState("shield", "Nothing was refused", "What breaks a rule is listed here, with the rule.")
NOBODY = EmptyPanelState("shield", "Nobody was slashed", "Evidence and transaction stand here.")
NO_CHECKS = EmptyPanelState(
    "check", "No expectations yet", "A scenario says what is to come out; it is checked here.", (RUN,)
)
NO_RUNS = EmptyPanelState("clock", "No runs yet", "Every run is kept here, also those that were interrupted.", (RUN,))
STATES = {"done": "Done", "interrupted": "Interrupted", "cancelled": "Stopped", "failed": "Failed",
          "running": "Running"}  # fmt: skip
HINT = "Choose a row: its reason stands here in full."
KINDS = {"Done": "ok", "Interrupted": "warn", "Failed": "error", "Running": "info"}
REFUSED = (
    Column("Slot", align="right", kind="link", width=60, link=slot_link),
    Column("What", width=76),
    Column("By", align="right", width=60, format=lambda v: str(v) if v >= 0 else "—"),
    Column("Rule", width=130),
    Column("Why", exact=str),
)
SLASHED = (
    Column("Slot", align="right", kind="link", width=60, link=slot_link),
    Column("Validator", align="right", kind="link", width=88, link=validator_link),
    Column("Evidence", kind="hash", width=124),
    Column("Transaction", width=136, kind="hash", link=tx_link,
           tooltip="Of the staking contract, where the run is mirrored"),
    Column("Offence", exact=str),
)  # fmt: skip
CHECKS = (
    Column(
        "", kind="pill", width=96, tooltip="Whether it holds", pill=lambda word: "ok" if word == "Holds" else "error"
    ),
    Column("Expectation", width=140),
    Column("Found", exact=str),
)
RUNS = (
    Column("No.", align="right", kind="number", width=56),
    Column("Scenario"),
    Column("State", kind="pill", width=120, pill=lambda word: KINDS.get(word, "neutral")),
    Column("Expected", kind="pill", width=110, pill=lambda word: "ok" if word == "Held" else "error"),
    Column("Slots", align="right", kind="number", width=72, format=count),
    Column("Trace hash", kind="hash", width=120),
    Column("Started", width=96, format=brief_moment),
)  # fmt: skip


class RefusedTab(LearningPart):
    """Slashings above, refusals beneath: each with its sentence."""

    def __init__(self) -> None:
        super().__init__()
        self._sentences: dict[Any, str] = {}
        self.slashed = DataTable(SLASHED, name="Slashings")
        self.slashed.fit_height(2, 5)
        self.refused = DataTable(REFUSED, name="Rejections")
        self.refused.setMinimumHeight(180)
        self._title = SectionHeader("Refused", "Blocks, deltas, records, ACKs and deposits, and why")
        self._title.add_action(search_field("Filter refusals", self.refused.set_filter))
        body = column(self, spacing=8)
        body.addWidget(SectionHeader("Slashed", "With evidence; mirrored to the staking contract where that is on"))
        body.addWidget(self.slashed)
        body.addWidget(self._title)
        body.addWidget(self.refused, 1)
        self.words = SteadyText("Reason", tone="muted")
        self.words.setText(HINT)
        body.addWidget(self.words)
        self.slashed.selectionChanged.connect(self._explain)
        self.refused.selectionChanged.connect(self._explain)
        for table in (self.slashed, self.refused):
            table.linkActivated.connect(self.linkActivated)

    def seen(self, state: LearningState) -> object:
        """What was refused and punished."""
        record = state.run
        return record, *(record.at(part) if record else 0 for part in ("refused", "slashed"))

    def draw(self, state: LearningState) -> None:
        """Show both tables."""
        record = state.run
        events = list(record.slashed.values()) if record is not None else []
        rows = tuple((e.slot, e.validator, e.evidence, e.tx or None, slash_sentence(e)) for e in reversed(events))
        self.slashed.set_state(TableState(rows, tuple((r[1], r[2], r[4]) for r in rows), NOBODY))
        refused = record.refused if record is not None else []
        lines = tuple(
            (e.slot, e.subject.capitalize(), e.author, e.rule.replace("_", " "), sentence(e.text))
            for e in reversed(refused)
        )
        lost = record.refused_lost if record is not None else 0
        self._sentences = {(r[1], r[2], r[4]): r[4] for r in rows}
        self._sentences |= dict(zip(range(lost + len(lines), lost, -1), (line[4] for line in lines), strict=True))
        self.refused.set_state(TableState(lines, tuple(range(lost + len(lines), lost, -1)), NOTHING))
        words = (
            f"{lost + len(lines):,} so far; the newest first" if lines else "Blocks, deltas, records, ACKs, deposits"
        )
        self._title.set_text("Refused", words)

    def _explain(self, keys: tuple[Any, ...]) -> None:
        """Say the sentence of the chosen row in full."""
        found = [self._sentences[key] for key in keys[:1] if key in self._sentences]
        self.words.setText(found[0] if found else HINT)


class ResultTab(LearningPart):
    """Facts and expectations above, the kept runs beneath."""

    def __init__(self, model: LearningViewModel) -> None:
        super().__init__()
        self._model = model
        self.facts = KeyValuePanel()
        self.checks = DataTable(CHECKS, name="Expectations")
        self.checks.setMinimumHeight(170)
        self.runs = DataTable(RUNS, name="Runs of the learning chain")
        self.runs.setMinimumHeight(170)
        self.look = button("Open", "open", tooltip="Show this run in the other tabs")
        self.resume = button("Resume", "refresh", tooltip="Go on: its journal is played again to where it was")
        header = SectionHeader("Runs", "The newest first; one that was interrupted can be resumed")
        for made in (self.look, self.resume):
            header.add_action(made)
        left = QWidget()
        first = column(left, spacing=8)
        first.addWidget(SectionHeader("Run"))
        first.addWidget(self.facts)
        first.addStretch(1)
        left.setMinimumWidth(240)
        body = column(self, spacing=12)
        body.addWidget(side_by_side(left, self.checks, stretches=(2, 4), narrow=680))
        body.addWidget(header)
        body.addWidget(self.runs, 1)
        self.runs.selectionChanged.connect(lambda _: self._enable())
        self.runs.activated.connect(lambda key: model.open_run(int(key)))
        self.look.clicked.connect(lambda: [model.open_run(int(key)) for key in self._one()])
        self.resume.clicked.connect(lambda: [model.resume(int(key)) for key in self._one()])

    def seen(self, state: LearningState) -> object:
        """How the run ended, and the kept ones."""
        record = state.run
        return (
            record,
            record.at("facts") if record else 0,
            record.state if record else "",
            state.rows,
            state.busy,
            len(state.scenarios),
        )

    def draw(self, state: LearningState) -> None:
        """Show how it ended."""
        record = state.run
        self.facts.set_state(KeyValueState(tuple(_facts(record))))
        ended = record.ended_event if record is not None else None
        checks = (
            tuple(("Holds" if ok else "Fails", _asked(name), sentence(text)) for name, ok, text in ended.checks)
            if ended
            else ()
        )
        self.checks.set_state(TableState(checks, (), NO_CHECKS))
        titles = {one.name: one.title for one in state.scenarios}
        rows = tuple(_run_row(item, titles) for item in state.rows)
        self.runs.set_state(TableState(rows, tuple(one[0] for one in rows), NO_RUNS))
        self._enable()

    def _one(self) -> tuple[Any, ...]:
        return self.runs.selected_keys()[:1]

    def _enable(self) -> None:
        state = self._state
        chosen = [item for item in state.rows if item.run_id in self._one()] if state is not None else []
        idle = state is not None and not state.busy and len(chosen) == 1
        self.look.setEnabled(idle)
        self.resume.setEnabled(idle and chosen[0].resumable)


def _facts(record: LearnRecord | None) -> Iterator[KeyValueRow]:
    if record is None:
        return
    yield KeyValueRow("Scenario", record.title)
    yield KeyValueRow("Training", training_words(record).partition(": ")[2] or "real")
    started, ended = record.started, record.ended_event
    if started is not None:
        yield KeyValueRow("Genesis root", started.genesis_root, "hash")
    if record.finalized >= 0:
        yield KeyValueRow("Finalised epoch", count(record.finalized), "mono")
    if ended is not None and ended.trace_hash:
        yield KeyValueRow("Trace hash", ended.trace_hash, "hash")
        yield KeyValueRow("Held-out loss", f"{ended.loss_first:.5f} to {ended.loss_last:.5f}", "mono")
        yield KeyValueRow("Took", duration(ended.seconds))
    for name, address in record.services.items():
        yield KeyValueRow(name.capitalize(), address, "mono")


def _asked(line: str) -> str:
    """Return an expectation as people read it: ``one_head`` is One head, ``merged=2`` is Merged: 2."""
    return line.replace("_", " ").replace("=", ": ").capitalize()


def _run_row(item: Any, titles: Mapping[str, str]) -> tuple[Any, ...]:
    result = item.result or {}
    held = None if result.get("ok") is None else "Held" if result["ok"] else "Not held"
    trace = result.get("trace_hash") or None
    state = STATES.get(item.state, item.state)
    return (
        item.run_id,
        titles.get(item.spec.scenario, item.spec.scenario),
        state,
        held,
        result.get("slots"),
        trace,
        item.created,
    )
