"""The rounds tab of the agents' half: every round of this data directory, to open, verify and resume."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QWidget

from app.formats import brief_moment, short
from app.pages.base import RUN, search_field
from app.viewmodels.agreement import AgreementViewModel
from app.viewmodels.agreement_draft import AgreementState
from app.viewmodels.agreement_runs import AgreementRecord
from widgets.basics import button, column, row
from widgets.labels import SectionHeader
from widgets.panels import EmptyPanelState
from widgets.table import Column, DataTable, TableState

EMPTY = EmptyPanelState("clock", "No rounds yet", "Every round is kept here, also those that were interrupted.", (RUN,))
WORDS = {"done": "Done", "negotiating": "Interrupted", "signed": "Signed", "cancelled": "Stopped", "failed": "Failed"}
KINDS = {"Done": "ok", "Not converged": "warn", "Interrupted": "warn", "Signed": "warn", "Failed": "error",
         "Running": "info"}  # fmt: skip
COLUMNS = (
    Column(
        "Draw", kind="check", width=62, tooltip="Draw its gap beside the round in sight; kept while the console is open"
    ),
    Column("No.", align="right", kind="number", width=56),
    Column("Task"),
    Column("State", kind="pill", width=132, pill=lambda word: KINDS.get(word, "neutral")),
    Column("Iterations", align="right", kind="number", width=84),
    Column("Gap", align="right", kind="number", width=78, format=lambda v: f"{v:.2g}", exact=repr),
    Column("Gas", align="right", kind="number", width=90, format=lambda v: f"{v:,}", tooltip="None: off chain"),
    Column("Task hash", width=118, format=lambda v: short(v, 6, 4), exact=str),
    Column("Started", width=84, format=brief_moment),
)


class RoundsTab(QWidget):
    """The table and what can be done with a round."""

    def __init__(self, model: AgreementViewModel) -> None:
        super().__init__()
        self._model = model
        self._rows: tuple[Any, ...] = ()
        self._beat = -1
        self.table = DataTable(COLUMNS, name="Rounds of consensus")
        self.table.setMinimumHeight(240)
        self.look = button("Open", "open", tooltip="Show this round in the other tabs")
        self.resume = button("Resume", "refresh", tooltip="Go on: nothing is submitted or paid twice")
        self.verify = button("Verify", "shield", tooltip="Compute it again from what the chain recorded")
        self.pin = button("Pin as baseline", "flag", tooltip="Draw the gap of the selected round dashed beside others")
        header = SectionHeader("Rounds", "The newest first; one that was interrupted can be resumed")
        for made in (self.look, self.pin, self.verify, self.resume):
            header.add_action(made)
        body = column(self, spacing=12)
        body.addWidget(header)
        body.addLayout(row(None, search_field("Filter rounds", self.table.set_filter)))
        body.addWidget(self.table, 1)
        self.look.clicked.connect(self._open)
        self.resume.clicked.connect(lambda: model.resume(self._selected()))
        self.verify.clicked.connect(self._verify)
        self.pin.clicked.connect(self._pin)
        self.table.checkToggled.connect(lambda number, on: model.show(int(number), on))
        self.table.activated.connect(lambda key: model.open_round(int(key)))
        self.table.selectionChanged.connect(lambda keys: self._enable())

    def show_state(self, state: AgreementState) -> None:
        """Show the rounds."""
        if self._rows is not state.rows or self._beat != state.beat:
            self._rows, self._beat = state.rows, state.beat
            running = state.run.run_id if state.run is not None and state.busy else 0
            drawn = {known.run_id: known for known in state.runs if known.gap.count}
            rows = tuple(_row(row, running, drawn.get(row.run_id), state.baseline) for row in state.rows)
            self.table.set_state(TableState(rows, tuple(row.run_id for row in state.rows), EMPTY))
        self._enable()

    def _selected(self) -> int:
        keys = self.table.selected_keys()
        return int(str(keys[0])) if keys else 0

    def _open(self) -> None:
        self._model.open_round(self._selected())

    def _verify(self) -> None:
        self._model.open_round(self._selected())
        self._model.verify()

    def _pin(self) -> None:
        number = self._selected()
        self._model.pin(None if number == self._model.state.baseline else number)

    def _enable(self) -> None:
        found = next((row for row in self._rows if row.run_id == self._selected()), None)
        state = self._model.state
        busy, number = state.busy, self._selected()
        self.pin.setEnabled(any(known.run_id == number and known.gap.count for known in state.runs))
        self.pin.setText("Unpin" if number and number == state.baseline else "Pin as baseline")
        self.look.setEnabled(found is not None and not busy)
        chain = found is not None and found.on_chain and found.result is not None
        self.verify.setEnabled(chain and not busy and not state.verifying)
        self.resume.setEnabled(found is not None and found.resumable and not busy)


def _row(row_of: Any, running: int, drawn: AgreementRecord | None, baseline: int | None) -> tuple[Any, ...]:
    result = row_of.result or {}
    word = WORDS.get(row_of.state, row_of.state.capitalize())
    if row_of.state == "done" and not result.get("converged", True):
        word = "Not converged"
    if row_of.run_id == running:
        word = "Running"
    chain = result.get("on_chain") or {}
    shown = drawn is not None and (drawn.shown or drawn.run_id == baseline)
    title = f"{row_of.title} (baseline)" if row_of.run_id == baseline else row_of.title
    return (
        shown if drawn is not None else None, row_of.run_id, title, word,
        result.get("iterations"), result.get("gap"),
        chain.get("gas_used"), "0x" + row_of.task_hash.hex(), row_of.created,
    )  # fmt: skip
