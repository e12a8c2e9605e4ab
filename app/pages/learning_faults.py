"""The faults tab of the Learning chain page: a button for every fault and for every scenario."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QGridLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from app.pages.base import RUN
from app.pages.learning_part import LearningPart, on_card
from app.viewmodels.learning import LearningViewModel
from app.viewmodels.learning_draft import LearningState, ScenarioFacts
from app.viewmodels.learning_faults import GROUPS, grouped, sentence_of, title_of
from widgets.basics import button, column, label, row
from widgets.forms import TextField
from widgets.labels import PillState, SectionHeader, StatusPill
from widgets.panels import EmptyPanelState
from widgets.steady_text import SteadyText
from widgets.table import Column, DataTable, TableState

ACROSS = 3
AT_ONCE, BUTTON = 5, 290  # scenarios built before the window breathes; pixels
IDLE = "Faults go into a chain that runs: run or step one first."
HINT = "Choose a fault: it goes in at once. Without numbers the next ones that can show it are taken."
NONE = EmptyPanelState("slash", "No faults yet", "Those of the scenario and yours are listed here.", (RUN,))
COLUMNS = (
    Column("Slot", align="right", kind="number", width=60),
    Column("Fault", width=150),
    Column("Targets", width=110),
    Column("", kind="pill", width=96, tooltip="In force", pill=lambda word: "warn" if word == "Put in" else "neutral"),
    Column("What happens"),
)


class FaultsTab(LearningPart):
    """Groups of buttons with a line that says what the one under the mouse or the keyboard does."""

    def __init__(self, model: LearningViewModel) -> None:
        super().__init__()
        self._model = model
        self.buttons: dict[str, QPushButton] = {}
        self.targets: dict[str, TextField] = {}
        self.words = SteadyText("Fault", tone="muted")
        self.words.setText(IDLE)
        self.table = DataTable(COLUMNS, name="Faults of the run")
        self.table.fit_height(2, 8)
        inner = QWidget()
        parts = column(inner, spacing=12)
        for group, kinds in grouped().items():
            self._group(parts, group, kinds)
        parts.addWidget(SectionHeader("In this run"))
        parts.addWidget(self.table)
        parts.addStretch(1)
        body = column(self, spacing=8)
        body.addWidget(self.words)
        body.addWidget(on_card(inner), 1)

    def _group(self, parts: QVBoxLayout, group: str, kinds: list[str]) -> None:
        title, hint = GROUPS[group]
        header = SectionHeader(title)
        if hint:
            field = TextField("", "", required=False, max_length=200, placeholder=f"{hint}: 1, 3-5", help="")
            field.edit.setAccessibleName(f"Targets: {hint}")
            field.edit.setFixedWidth(220)
            field._label.hide()
            field._message.hide()
            self.targets[group] = field
            header.add_action(field)
        holder = QWidget()
        grid = QGridLayout(holder)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(8)
        for at, kind in enumerate(kinds):
            made = button(title_of(kind), tooltip=sentence_of(kind))
            made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            made.setMinimumWidth(80)
            made.installEventFilter(self)
            made.setProperty("fault", kind)
            made.setAccessibleDescription(sentence_of(kind))
            made.clicked.connect(partial(self._inject, kind, group))
            self.buttons[kind] = made
            grid.addWidget(made, at // ACROSS, at % ACROSS)
        for at in range(ACROSS):
            grid.setColumnStretch(at, 1)
        parts.addWidget(header)
        parts.addWidget(holder)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Say what the fault under the mouse, or under the keyboard, does."""
        if event.type() in (QEvent.Type.Enter, QEvent.Type.FocusIn):
            kind = str(watched.property("fault") or "")
            if kind:
                self.words.setText(f"{title_of(kind)}: {sentence_of(kind)}")
        return super().eventFilter(watched, event)

    def _inject(self, kind: str, group: str, _checked: bool = False) -> None:
        field = self.targets.get(group)
        wrong = self._model.inject(kind, field.text() if field is not None else "")
        self.words.setText(wrong or f"{title_of(kind)}: {sentence_of(kind)}")
        if field is not None:
            field.set_error(wrong)

    def seen(self, state: LearningState) -> object:
        """The faults, and whether more can be put in."""
        return state.run, state.busy, state.run.at("faults") if state.run is not None else 0

    def draw(self, state: LearningState) -> None:
        """Show the faults that were put in."""
        record = state.run
        for made in self.buttons.values():
            made.setEnabled(state.busy)
        if not state.busy or self.words.text() == IDLE:
            self.words.setText(HINT if state.busy else IDLE)
        rows = tuple(
            (e.slot, title_of(e.fault), _numbers(e.targets), "Put in" if e.active else "Ended", e.text)
            for e in reversed(record.faults if record is not None else [])
        )
        self.table.set_state(TableState(rows, (), NONE))


class ScenariosTab(LearningPart):
    """A line a scenario: run it, what it is about, and how it went last."""

    def __init__(self, model: LearningViewModel) -> None:
        super().__init__()
        self._model = model
        self.buttons: dict[str, QPushButton] = {}
        self._pills: dict[str, StatusPill] = {}
        self._inner = QWidget()
        self._lines = column(self._inner, spacing=10)
        self._lines.addStretch(1)
        body = column(self, spacing=8)
        body.addWidget(SectionHeader("Scenarios", "Each with its own settings, faults and expectations"))
        body.addWidget(on_card(self._inner), 1)

    def seen(self, state: LearningState) -> object:
        """The scenarios, whether one can be run, and how each went last."""
        return len(self.buttons), len(state.scenarios), state.busy, state.waiting, tuple(state.outcomes.items())

    def draw(self, state: LearningState) -> None:
        """Show the scenarios."""
        for one in state.scenarios[len(self.buttons) : len(self.buttons) + AT_ONCE]:
            self._add(one)
        if len(self.buttons) < len(state.scenarios):
            QTimer.singleShot(0, self, self.redraw)  # all at once would hold the window up
        for name, made in self.buttons.items():
            made.setEnabled(not state.busy and not state.waiting)
            outcome = state.outcomes.get(name, "")
            words = {"ok": "As expected", "error": "Not as expected"}.get(outcome, "")
            self._pills[name].set_state(PillState(words, outcome or "neutral"))
            self._pills[name].setVisible(bool(words))

    def _add(self, one: ScenarioFacts) -> None:
        made = button(one.title, "play", tooltip=f"Run it: nashboard learn run {one.name}")
        made.setFixedWidth(BUTTON)
        made.setStyleSheet("text-align: left;")
        made.clicked.connect(partial(self._run, one.name))
        self.buttons[one.name], pill = made, StatusPill()
        self._pills[one.name] = pill
        across = row(made, label(one.sentence, "muted", wrap=True), pill, spacing=12)
        across.setStretch(1, 1)
        self._lines.insertLayout(len(self.buttons) - 1, across)

    def _run(self, name: str, _checked: bool = False) -> None:
        self._model.run_scenario(name)


def _numbers(targets: tuple[int, ...]) -> str:
    shown = ", ".join(str(target) for target in targets[:6])
    return f"{shown}, …" if len(targets) > 6 else shown or "—"
