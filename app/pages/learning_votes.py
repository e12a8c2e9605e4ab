"""The votes tab of the Learning chain page: the ACK matrix with the arithmetic of the quorum."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from app.links import update_link, validator_link
from app.viewmodels.learning import LearningViewModel
from app.viewmodels.learning_draft import LearningState
from app.viewmodels.learning_runs import LearnRecord
from app.viewmodels.learning_tables import acks_at, quorum_words, vote_rows, vote_words
from widgets.basics import button, column, label, row, tool_button
from widgets.labels import SectionHeader
from widgets.sign_legend import SignLegend
from widgets.vote_matrix import VOTES, VoteMatrix, VoteMatrixState, paint_vote


class VotesTab(QWidget):
    """The matrix, what its chosen cell means, and the signs."""

    linkActivated = Signal(str)

    def __init__(self, model: LearningViewModel) -> None:
        super().__init__()
        self._model = model
        self._state: LearningState | None = None
        self._seen: object = None
        self.matrix = VoteMatrix()
        self.matrix.setMinimumHeight(150)
        self.arithmetic = label("", "strong", wrap=True, selectable=True)
        self.arithmetic.setAccessibleName("Quorum arithmetic")
        self.words = label("", "muted", wrap=True)
        self.update_button = button("Update", "link", "link", tooltip="The update that was voted on")
        self.validator_button = button("Validator", "link", "link", tooltip="Who voted")
        self.legend = SignLegend([(word, lambda p, at, t, v=v: paint_vote(p, at, v, t)) for v, word in VOTES.items()])
        header = SectionHeader("ACKs", "Rounds by validators; accepts of the quorum beside each round")
        for name, icon_name, run in (("Zoom out (-)", "minus", lambda: self.matrix.zoom(-1)),
                                     ("Zoom in (+)", "plus", lambda: self.matrix.zoom(1)),
                                     ("Fit all validators (0)", "collapse", self.matrix.fit)):  # fmt: skip
            made = tool_button(icon_name, name)
            made.clicked.connect(lambda _=False, r=run: r())
            header.add_action(made)
        body = column(self, spacing=8)
        body.addWidget(header)
        body.addWidget(self.arithmetic)
        body.addWidget(self.matrix, 1)
        body.addWidget(self.legend)
        body.addLayout(row(self.words, self.update_button, self.validator_button))
        self.matrix.cellSelected.connect(model.select_cell)
        self.update_button.clicked.connect(self._to_update)
        self.validator_button.clicked.connect(self._to_validator)

    def show_state(self, state: LearningState) -> None:
        """Show votes."""
        self._state = state
        record = state.run
        seen = (record, state.cell, record.at("acks"), record.at("updates")) if record is not None else None
        if not self.isVisible() or (seen == self._seen and seen is not None):
            return
        self._seen = seen
        rows = vote_rows(record) if record is not None else ()
        count = max((len(one.votes) for one in rows), default=0)
        empty = "No votes yet: an update is voted on in the slot after its round opened"
        describe = (lambda key, column: vote_words(record, key, column)) if record is not None else None
        self.matrix.set_state(VoteMatrixState(rows, count, state.cell, describe, empty))
        self._tell(record, state)

    def showEvent(self, event: object) -> None:
        """Catch up with what came while another tab was in front."""
        super().showEvent(event)  # type: ignore[arg-type]
        if self._state is not None:
            self._seen = None
            self.show_state(self._state)

    def _tell(self, record: LearnRecord | None, state: LearningState) -> None:
        newest = len(record.acks) - 1 if record is not None else -1
        key, column = state.cell if state.cell is not None else (newest, -1)
        acks = acks_at(record, key) if record is not None else None
        words = f"Round {acks.round}: {quorum_words(acks)}" if acks is not None else ""
        if record is not None and acks is not None and acks.round in record.violations:
            words += " Two updates of this round both reached it: safety is violated."
        self.arithmetic.setText(words)
        self.arithmetic.setVisible(bool(words))
        chosen = record is not None and acks is not None and 0 <= column < len(acks.votes)
        self.words.setText(vote_words(record, key, column) if record is not None and chosen else "")
        self.update_button.setVisible(acks is not None)
        self.validator_button.setVisible(chosen)

    def _to_update(self) -> None:
        state = self._state
        if state is not None and state.run is not None:
            key = state.cell[0] if state.cell is not None else len(state.run.acks) - 1
            acks = acks_at(state.run, key)
            if acks is not None:
                self.linkActivated.emit(update_link(acks.update_id))

    def _to_validator(self) -> None:
        if self._state is not None and self._state.cell is not None and self._state.cell[1] >= 0:
            self.linkActivated.emit(validator_link(self._state.cell[1]))
