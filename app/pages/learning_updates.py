"""The updates tab of the Learning chain page: the loss gate, the losses, and whom the rule chose."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QWidget

from app.links import slot_link
from app.pages.base import RUN, side_by_side
from app.pages.learning_part import LearningPart
from app.viewmodels.learning import LearningViewModel
from app.viewmodels.learning_draft import LearningState
from app.viewmodels.learning_runs import LearnRecord
from app.viewmodels.learning_tables import RULE_WORDS, STAGE_KINDS, gate_sentence, refused_rule, update_rows
from engine.learning.results import REJECTIONS
from widgets.basics import column
from widgets.curve_plot import Curve, CurvePlot, CurvePlotState
from widgets.panels import EmptyPanelState
from widgets.score_bars import ScoreBar, ScoreBars, ScoreBarsState
from widgets.steady_text import SteadyText
from widgets.table import Column, DataTable, TableState

EMPTY = EmptyPanelState("chart", "No updates yet", "A round opens at each slot that has room for one.", (RUN,))
GATES = {"Passed": "ok", "Refused": "error", "Skipped": "neutral"}


def _nats(value: float) -> str:
    return f"{value:.5f}"


COLUMNS = (
    Column("Round", align="right", kind="number", width=64),
    Column("Slot", align="right", kind="link", width=56, link=slot_link, tooltip="The slot that included it"),
    Column("Update", kind="hash", width=116),
    Column("Stage", kind="pill", width=122, pill=lambda word: STAGE_KINDS.get(word, "neutral")),
    Column("Before", align="right", kind="number", width=84, format=_nats, exact=repr),
    Column("After", align="right", kind="number", width=84, format=_nats, exact=repr),
    Column("Threshold", align="right", kind="number", width=88, format=_nats, exact=repr,
           tooltip="0.999 of the loss before: the loss after has to be below it"),
    Column("Gate", kind="pill", width=102, pill=lambda word: GATES.get(word, "neutral")),
    Column("ACKs", align="right", format=lambda v: f"{v[0]}, {v[1]} needed", key=lambda v: v[0],
           tooltip="Accepts counted, and how many the quorum needs"),
)  # fmt: skip


class UpdatesTab(LearningPart):
    """The table with a sentence, two plots beneath."""

    def __init__(self, model: LearningViewModel) -> None:
        super().__init__()
        self._model = model
        self.table = DataTable(COLUMNS, name="Loss gate by update")
        self.table.setMinimumHeight(116)
        self.words = SteadyText("Explanation")
        self.losses, self.scores = CurvePlot(), ScoreBars()
        self.losses.setMinimumHeight(150)
        self.scores.setMinimumHeight(150)
        body = column(self, spacing=8)
        body.addWidget(self.table, 3)
        body.addWidget(self.words)
        self.plots = side_by_side(self.losses, self.scores, stretches=(1, 1), narrow=460)
        body.addWidget(self.plots, 4)
        self.table.selectionChanged.connect(self._on_selection)
        self.table.linkActivated.connect(self.linkActivated)

    def seen(self, state: LearningState) -> object:
        """Updates, losses, and which update is looked at."""
        record = state.run
        return record, state.update, *(record.at(part) if record else 0 for part in ("updates", "losses", "facts"))

    def draw(self, state: LearningState) -> None:
        """Show gates, losses and scores."""
        record = state.run
        keys = tuple(reversed(record.updates)) if record is not None else ()
        rows = tuple(update_rows(record)) if record is not None else ()
        self.table.set_state(TableState(rows, keys, EMPTY))
        if state.update in keys and self.table.selected_keys() != (state.update,):
            self.table.select((state.update,))
        self.losses.set_state(loss_state(record))
        chosen = _chosen(record, state.update)
        self.words.setText(gate_sentence(chosen) if chosen is not None else "")
        self.scores.set_state(score_state(chosen))

    def _on_selection(self, keys: tuple[Any, ...]) -> None:
        if keys and (self._state is None or keys[0] != self._state.update):
            self._model.select_update(keys[0])

    def grab_plots(self) -> list[QWidget]:
        """Return what an exported picture shows."""
        return [self.losses, self.scores]


def _chosen(record: LearnRecord | None, key: tuple[int, str] | None) -> dict[str, Any] | None:
    """Return the update that is looked at: the chosen one, else the newest that the rule has seen."""
    if record is None or not record.updates:
        return None
    if key in record.updates:
        return record.updates[key]  # type: ignore[index]
    updates = list(record.updates.values())
    return next((update for update in reversed(updates) if update["raws"]), updates[-1])


def loss_state(record: LearnRecord | None) -> CurvePlotState:
    """Return the plot of the losses; replayed training says so in its title."""
    empty = "The loss on held-out texts is drawn by round"
    if record is None:
        return CurvePlotState("Losses", "round", "nats a token", empty=empty)
    title = "Losses (replayed from recorded training)" if record.simulated else "Losses (real training)"
    curves = [Curve("held out", record.held_out, 0, 0)]
    if record.trained is not None:
        curves += [
            Curve(f"trainer {at}", record.trained, at, at + 1, dashed=True) for at in range(record.trained.channels)
        ]
    return CurvePlotState(title, "round", "nats a token", tuple(curves), empty=empty)


def score_state(update: dict[str, Any] | None) -> ScoreBarsState:
    """Return the scores of a round's deltas."""
    empty = "Scores of the deltas stand here, chosen and rejected"
    if update is None or not update["raws"]:
        return ScoreBarsState("Chosen deltas", empty=empty)
    rule = RULE_WORDS.get(update["rule"], update["rule"])
    bars = tuple(
        ScoreBar(f"trainer {raw['trainer']}", raw["score"], bool(raw["chosen"]), _why(raw)) for raw in update["raws"]
    )
    title = f"Round {update['round']}: {rule}, n = {len(bars)}, f = {update['byzantine']}"
    return ScoreBarsState(title, bars, refused_rule(update), empty)


def _why(raw: dict[str, Any]) -> str:
    if not raw["reason"]:
        return ""
    short_words = {"outlier": "too far from the others", "too_few": "n < 2f + 3", "oversize": "over 150,000 bytes"}
    return str(raw["detail"] or short_words.get(raw["reason"]) or REJECTIONS.get(raw["reason"], raw["reason"]))
