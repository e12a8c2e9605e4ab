"""The faults tab of the Learning chain page: a button for every fault and for every scenario."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtWidgets import QGridLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from app.pages.base import scrolling
from app.viewmodels.learning import LearningViewModel
from app.viewmodels.learning_draft import LearningState
from app.viewmodels.learning_faults import GROUPS, grouped, sentence_of, title_of
from widgets.basics import button, column, label, row
from widgets.forms import TextField
from widgets.labels import PillState, SectionHeader, StatusPill
from widgets.panels import EmptyPanelState
from widgets.table import Column, DataTable, TableState

ACROSS = 3
HINT = "Choose a fault: it goes in at once. Without numbers the next ones that can show it are taken."
NONE = EmptyPanelState("slash", "No faults yet", "Those of the scenario and yours are listed here.")
COLUMNS = (
    Column("Slot", align="right", kind="number", width=60),
    Column("Fault", width=150),
    Column("Targets", width=110),
    Column("", kind="pill", width=96, pill=lambda word: "warn" if word == "Put in" else "neutral"),
    Column("What happens"),
)


class FaultsTab(QWidget):
    """Groups of buttons with a line that says what the one under the mouse or the keyboard does."""

    linkActivated = Signal(str)

    def __init__(self, model: LearningViewModel) -> None:
        super().__init__()
        self._model = model
        self._state: LearningState | None = None
        self._seen: object = None
        self.buttons: dict[str, QPushButton] = {}
        self.targets: dict[str, TextField] = {}
        self.words = label(HINT, "muted", wrap=True)
        self.words.setMinimumHeight(36)
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
        body.addWidget(_clear(inner), 1)

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

    def show_state(self, state: LearningState) -> None:
        """Show the faults that were put in."""
        self._state = state
        record = state.run
        seen = (record, state.busy, record.at("faults") if record is not None else 0)
        if not self.isVisible() or seen == self._seen:
            return
        self._seen = seen
        for made in self.buttons.values():
            made.setEnabled(state.busy)
        rows = tuple(
            (e.slot, title_of(e.fault), _numbers(e.targets), "Put in" if e.active else "Ended", e.text)
            for e in reversed(record.faults if record is not None else [])
        )
        self.table.set_state(TableState(rows, (), NONE))

    def showEvent(self, event: object) -> None:
        """Catch up with what came while another tab was in front."""
        super().showEvent(event)  # type: ignore[arg-type]
        if self._state is not None:
            self._seen = None
            self.show_state(self._state)


class ScenariosTab(QWidget):
    """A line a scenario: run it, what it is about, and how it went last."""

    def __init__(self, model: LearningViewModel) -> None:
        super().__init__()
        self._model = model
        self.buttons: dict[str, QPushButton] = {}
        self._pills: dict[str, StatusPill] = {}
        self._inner = QWidget()
        self._lines = column(self._inner, spacing=10)
        body = column(self, spacing=8)
        body.addWidget(SectionHeader("Scenarios", "Each with its own settings, faults and expectations"))
        body.addWidget(_clear(self._inner), 1)

    def show_state(self, state: LearningState) -> None:
        """Show the scenarios."""
        if not self.buttons and state.scenarios:
            for one in state.scenarios:
                made = button(one.title, "play", tooltip=f"Run it: nashboard learn run {one.name}")
                made.setFixedWidth(232)
                made.setStyleSheet("text-align: left;")
                made.clicked.connect(partial(self._run, one.name))
                self.buttons[one.name], pill = made, StatusPill()
                self._pills[one.name] = pill
                across = row(made, label(one.sentence, "muted", wrap=True), pill, spacing=12)
                across.setStretch(1, 1)
                self._lines.addLayout(across)
            self._lines.addStretch(1)
        for name, made in self.buttons.items():
            made.setEnabled(not state.busy and not state.waiting)
            outcome = state.outcomes.get(name, "")
            words = {"ok": "As expected", "error": "Not as expected"}.get(outcome, "")
            self._pills[name].set_state(PillState(words, outcome or "neutral"))
            self._pills[name].setVisible(bool(words))

    def _run(self, name: str, _checked: bool = False) -> None:
        self._model.run_scenario(name)


def _clear(inner: QWidget) -> QWidget:
    """Return a scrolling area on the colour of its card."""
    area = scrolling(inner)
    area.widget().setAutoFillBackground(False)
    area.widget().layout().setContentsMargins(0, 0, 4, 0)
    return area


def _numbers(targets: tuple[int, ...]) -> str:
    shown = ", ".join(str(target) for target in targets[:6])
    return f"{shown}, …" if len(targets) > 6 else shown or "—"
