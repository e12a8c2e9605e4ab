"""The run bar of the Consensus page: run, pause, step, stop, reset, speed; and the verdict beneath."""

from __future__ import annotations

from PySide6.QtCore import Signal

from app.pages.run_controls import RunControls, per_second, show_hash, verdict_label
from app.viewmodels.consensus import SPEEDS, ConsensusState, ConsensusViewModel
from app.viewmodels.consensus_runs import verdict_of
from widgets.basics import button, column, label, row
from widgets.fence import Fence
from widgets.labels import HashLabel, PillState, StatusPill

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

TIPS = {"run": "Start, or go on (Ctrl+Return)", "step": "One iteration"}


class RunBar(RunControls):
    """Buttons that ask, a verdict that states epsilon and iteration, and the hash of all steps."""

    runRequested = Signal()

    def __init__(self, model: ConsensusViewModel) -> None:
        super().__init__(model, per_second(SPEEDS), "Steps a second", TIPS)
        self.reset = button("Reset", "undo", tooltip="Clear the run; the form and edited payoffs stay")
        self.pill = StatusPill()
        self.verdict = verdict_label()
        self.hash = HashLabel()
        self._hash_title = label("Trace hash", "muted")
        self._hash_title.setToolTip("SHA-256 of every step: the same at any speed for the same game and settings")
        body = column(self, spacing=8)
        body.addWidget(self.line(self.run, self.pause, self.step, self.stop, self.reset))
        body.addLayout(row(self.pill, None, self._hash_title, self.hash, spacing=10))
        body.addWidget(Fence(self.verdict))
        self.reset.clicked.connect(model.reset)

    def _on_run(self) -> None:
        self.runRequested.emit()

    def show_state(self, state: ConsensusState) -> None:
        """Show how the run stands."""
        record, busy = state.run, state.busy
        paused = busy and record is not None and record.state == "paused"
        startable = paused or (not busy and state.ready)
        text = "Resume" if paused else "Run"
        self.show_run(text, startable=startable, pausable=busy and not paused, stoppable=busy)
        self.reset.setEnabled(record is not None)
        self.show_speed(state.speed)
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
        show_hash(self._hash_title, self.hash, record.trace_hash if record is not None else "")
