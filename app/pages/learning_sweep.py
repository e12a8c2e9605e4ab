"""The sweep half of the Learning chain page: what to measure at the left, the heat map at the right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QProgressBar, QWidget

from app.pages.base import scrolling, side_by_side
from app.viewmodels.learning_sweep import SweepState, SweepViewModel, attack_words, cell_at, heat_of
from app.viewmodels.learning_tables import RULE_WORDS, sentence
from widgets.area_field import AreaField, numbers_of
from widgets.basics import Card, button, column, label, row
from widgets.forms import IntField, SeedField
from widgets.heat_map import HeatMap
from widgets.labels import PillState, SectionHeader, StatusPill
from widgets.table import Column, DataTable, TableState

HINT = "Choose a cell with the mouse or the arrow keys: what it means stands here."
WORDS = {"idle": ("Ready", "neutral"), "running": ("Running", "info"), "done": ("Done", "ok"),
         "cancelled": ("Stopped", "neutral"), "failed": ("Failed", "error")}  # fmt: skip


class LearningSweep(QWidget):
    """Form, progress, map, sentence."""

    exportRequested = Signal(str)

    def __init__(self, model: SweepViewModel) -> None:
        super().__init__()
        self._model = model
        self._revision = -1
        self._filling = False
        self.attacks = DataTable(
            (Column("", kind="check", width=44, tooltip="Included"), Column("Attack")), name="Attacks"
        )
        self.rules = DataTable((Column("", kind="check", width=44, tooltip="Included"), Column("Rule")), name="Rules")
        self.attacks.fit_height(2, 9)
        self.rules.fit_height(2, 6)
        self.trainers = IntField("Trainers", 13, minimum=3, maximum=64, help="n; f is the bad part", wrap=True)
        self.seed = SeedField("Seed", 0, help="Decides all chance")
        self.fractions = AreaField("Fractions", "0, 0.1", parse=_fractions, help="Byzantine part, 0 to 0.5")
        self.run = button("Run", "play", "primary", tooltip="Measure every cell, as one job")
        self.stop = button("Stop", "stop", tooltip="The cells so far stay")
        self.pill, self.words = StatusPill(), label("", "", wrap=True)
        self.bar = QProgressBar()
        self.bar.setAccessibleName("Progress of the sweep")
        self.bar.setTextVisible(False)
        self.map = HeatMap()
        self.map.setMinimumHeight(260)
        self.sentence = label(HINT, "", wrap=True, selectable=True)
        self.sentence.setAccessibleName("Cell")
        self.sentence.setMinimumHeight(40)
        self._build()
        self.unobserve: Callable[[], None] = model.observe(self._show)

    def _build(self) -> None:
        inner = QWidget()
        parts = column(inner, spacing=12)
        for part in (self.attacks, self.rules, self.fractions, self.trainers, self.seed):
            parts.addWidget(part)
        parts.addStretch(1)
        area = scrolling(inner)
        area.widget().layout().setContentsMargins(0, 0, 4, 0)
        area.widget().setAutoFillBackground(False)
        left, right = Card(), Card()
        left.add(SectionHeader("Sweep"))
        left.add(area, 1)
        left.setMinimumWidth(236)
        line = row(self.pill, self.words, spacing=10)
        line.setStretch(1, 1)
        right.add(row(self.run, self.stop, None))
        right.add(line)
        right.add(self.bar)
        right.add(self.map, 1)
        right.add(self.sentence)
        column(self).addWidget(side_by_side(left, right, stretches=(2, 6), narrow=760), 1)
        self.run.clicked.connect(self._model.run)
        self.stop.clicked.connect(self._model.cancel)
        self.map.cellSelected.connect(self._model.select)
        self.attacks.checkToggled.connect(lambda key, on: self._toggle("attacks", str(key), on))
        self.rules.checkToggled.connect(lambda key, on: self._toggle("rules", str(key), on))
        self.trainers.valueChanged.connect(lambda value: self._edit(trainers=value))
        self.seed.valueChanged.connect(lambda value: self._edit(seed=value))
        self.fractions.valueChanged.connect(lambda value: self._edit(fractions=tuple(value or ())))

    def _edit(self, **values: Any) -> None:
        if not self._filling:
            self._model.edit(**values)

    def _toggle(self, name: str, key: str, on: bool) -> None:
        state = self._model.state
        offered = state.offered[0 if name == "attacks" else 1]
        chosen = set(getattr(state, name)) ^ {key} if on != (key in getattr(state, name)) else set(getattr(state, name))
        self._model.edit(**{name: tuple(one for one in offered if one in chosen)})

    def _show(self, state: SweepState) -> None:
        if state.revision != self._revision:
            self._revision = state.revision
            self._filling = True
            self.trainers.set_value(state.trainers)
            self.seed.set_value(state.seed or 0)
            self.fractions.set_value(", ".join(f"{fraction:g}" for fraction in state.fractions))
            self._filling = False
        attacks, rules = state.offered
        self.attacks.set_state(TableState(tuple((one in state.attacks, attack_words(one)) for one in attacks), attacks))
        self.rules.set_state(TableState(tuple((one in state.rules, RULE_WORDS.get(one, one)) for one in rules), rules))
        self.run.setEnabled(not state.busy and not state.problem)
        self.stop.setEnabled(state.busy)
        word, kind = WORDS[state.state]
        self.pill.set_state(PillState("Not ready" if state.problem and not state.busy else word, kind))
        self.words.setText(sum_words(state))
        self.bar.setVisible(state.busy)
        self.bar.setRange(0, state.total)
        self.bar.setValue(state.done)
        self.map.set_state(heat_of(state))
        self.sentence.setText(self._sentence(state))

    def _sentence(self, state: SweepState) -> str:
        if state.selected is None or not state.measured:
            return HINT
        cell = cell_at(state, *state.selected)
        return sentence(self.map.describe(*state.selected)) if cell is not None else "This cell is not measured yet."

    def grab_plots(self) -> list[QWidget]:
        """Return what an exported picture shows."""
        return [self.map]


def sum_words(state: SweepState) -> str:
    """Return how the sweep stands."""
    if state.failure:
        return state.failure
    if state.busy:
        return f"{state.done:,} of {state.total:,} cells." if state.total else "The recorded deltas are read."
    if state.problem and not state.cells:
        return state.problem
    if not state.cells:
        return "Simulated: recorded deltas are attacked, combined and evaluated; nothing is trained."
    broken = sum(bool(cell.get("broken")) for cell in state.cells.values())
    refused = sum(bool(cell.get("refused")) for cell in state.cells.values())
    return f"{len(state.cells):,} cells: {broken} broken, {refused} refused by n < 2f + 3. Deltas are recorded ones."


def _fractions(text: str) -> list[float]:
    """Read fractions. Raises ValueError."""
    found = [float(value) for value in numbers_of(text)]
    wrong = next((value for value in found if not 0 <= value <= 0.5), None)
    if wrong is not None:
        raise ValueError(f"{wrong:g} is not from 0 to 0.5.")
    if len(set(found)) != len(found):
        raise ValueError("The same fraction stands here twice.")
    return sorted(found)
