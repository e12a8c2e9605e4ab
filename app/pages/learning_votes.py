"""The votes tab of the Learning chain page: the ACK matrix with the arithmetic of the quorum."""

from __future__ import annotations

from app.links import update_link, validator_link
from app.pages.learning_part import LearningPart
from app.viewmodels.learning import LearningViewModel
from app.viewmodels.learning_draft import LearningState
from app.viewmodels.learning_runs import LearnRecord
from app.viewmodels.learning_tables import acks_at, quorum_words, vote_rows, vote_words
from widgets.basics import button, column, row, tool_button
from widgets.labels import SectionHeader
from widgets.sign_legend import SignLegend
from widgets.steady_text import SteadyText
from widgets.vote_matrix import VOTES, VoteMatrix, VoteMatrixState, paint_vote


class VotesTab(LearningPart):
    """The matrix, what its chosen cell means, and the signs."""

    def __init__(self, model: LearningViewModel) -> None:
        super().__init__()
        self._model = model
        self.matrix = VoteMatrix()
        self.matrix.setMinimumHeight(150)
        self.arithmetic = SteadyText("Quorum arithmetic")
        self.words = SteadyText("Vote", tone="muted")
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

    def seen(self, state: LearningState) -> object:
        """Votes, what became of the updates, and which cell is looked at."""
        record = state.run
        return record, state.cell, *(record.at(part) if record else 0 for part in ("acks", "updates"))

    def draw(self, state: LearningState) -> None:
        """Show votes."""
        record = state.run
        rows = vote_rows(record) if record is not None else ()
        count = max((len(one.votes) for one in rows), default=0)
        empty = "No votes yet: an update is voted on in the slot after its round opened"
        describe = (lambda key, column: vote_words(record, key, column)) if record is not None else None
        self.matrix.set_state(VoteMatrixState(rows, count, state.cell, describe, empty))
        self._tell(record, state)

    def _tell(self, record: LearnRecord | None, state: LearningState) -> None:
        newest = len(record.acks) - 1 if record is not None else -1
        key, column = state.cell if state.cell is not None else (newest, -1)
        acks = acks_at(record, key) if record is not None else None
        words = f"Round {acks.round}: {quorum_words(acks)}" if acks is not None else ""
        if record is not None and acks is not None and acks.round in record.violations:
            words += " Two updates of this round both reached it: safety is violated."
        self.arithmetic.setText(words)
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
