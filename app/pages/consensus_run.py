"""The run bar of the Consensus page: run, pause, step, stop, reset, speed; and the verdict beneath."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QWidget

from app.viewmodels.consensus import SPEEDS, ConsensusState, ConsensusViewModel
from app.viewmodels.consensus_runs import verdict_of
from widgets.basics import Pair, across, button, column, label, row
from widgets.fence import Fence
from widgets.labels import HashLabel, HashState, PillState, StatusPill

FIELDS = {
    "epsilon": "Epsilon",
    "seed": "Seed",
    "iterations": "Iterations",
    "stride": "Iterations a point",
    "device": "Device",
    "parameters": "A parameter of the method",
    "fault_agent": "Which agent",
    "fault_at": "At iteration",
    "game": "Game",
    "method": "Method",
}


class RunBar(QWidget):
    """Buttons that ask, a verdict that states epsilon and iteration, and the hash of all steps."""

    runRequested = Signal()

    def __init__(self, model: ConsensusViewModel) -> None:
        super().__init__()
        self._model = model
        self.run = button("Run", "play", "primary", tooltip="Start, or go on (Ctrl+Return)")
        self.pause = button("Pause", "pause")
        self.step = button("Step", "forward", tooltip="One iteration")
        self.stop = button("Stop", "stop")
        self.reset = button("Reset", "undo", tooltip="Clear the run; the form and edited payoffs stay")
        self.speed = QComboBox()
        self.speed.setAccessibleName("Speed")
        self.speed.setToolTip("Steps a second")
        for value in SPEEDS:
            self.speed.addItem(f"{value:,.0f} a second" if value else "As fast as it goes", value)
        self.speed.setCurrentIndex(len(SPEEDS) - 1)
        self.pill = StatusPill()
        self.verdict = label("", "", wrap=True, selectable=True)
        self.verdict.setAccessibleName("Verdict")
        self.verdict.setMinimumHeight(36)  # two lines: what lies beneath does not jump
        self.verdict.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.hash = HashLabel()
        self._hash_title = label("Trace hash", "muted")
        self._hash_title.setToolTip("SHA-256 of every step: the same at any speed for the same game and settings")
        body = column(self, spacing=8)
        body.addWidget(Pair(across(self.run, self.pause, self.step, self.stop, self.reset), across(None, self.speed)))
        body.addLayout(row(self.pill, None, self._hash_title, self.hash, spacing=10))
        body.addWidget(Fence(self.verdict))
        self._connect()

    def _connect(self) -> None:
        self.run.clicked.connect(self.runRequested)
        self.pause.clicked.connect(self._model.pause)
        self.step.clicked.connect(self._model.step)
        self.stop.clicked.connect(self._model.stop)
        self.reset.clicked.connect(self._model.reset)
        self.speed.activated.connect(lambda index: self._model.set_speed(self.speed.itemData(index)))

    def show_state(self, state: ConsensusState) -> None:
        """Show how the run stands."""
        record, busy = state.run, state.busy
        paused = busy and record is not None and record.state == "paused"
        text = "Resume" if paused else "Run"
        if self.run.text() != text:
            self.run.setText(text)
            self.run.setAccessibleName(text)
        self.run.setEnabled(paused or (not busy and state.ready))
        self.pause.setEnabled(busy and not paused)
        self.step.setEnabled(paused or (not busy and state.ready))
        self.stop.setEnabled(busy)
        self.reset.setEnabled(record is not None)
        self.speed.setCurrentIndex(SPEEDS.index(state.speed) if state.speed in SPEEDS else len(SPEEDS) - 1)
        verdict = verdict_of(record)
        words = verdict.text
        if record is not None and state.game is not None and not record.marks and record.game is not state.game:
            words = f"{record.title}. {words}"  # the form has gone on to another game
        if record is None and not state.ready:
            wrong = "; ".join(f"{FIELDS.get(name, name)}: {why}" for name, why in state.errors.items())
            words = f"Cannot run. {wrong}" if wrong else "The game is being made."
        if state.queue:
            words += f" Then {len(state.queue)} more to compare."
        self.pill.set_state(PillState(verdict.word, verdict.kind))
        self.verdict.setText(words)
        value = record.trace_hash if record is not None else ""
        if self.hash.value() != value:
            self.hash.set_state(HashState(value))
        self.hash.setVisible(bool(value))
        self._hash_title.setVisible(bool(value))
