"""The run bar of the agents' half: run, pause, step, stop, reset, speed; the verdict; what stands in the way."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QWidget

from app.viewmodels.agreement import SPEEDS, AgreementViewModel
from app.viewmodels.agreement_draft import AgreementState
from app.viewmodels.agreement_runs import verdict_of
from widgets.basics import Pair, across, button, column, label, row
from widgets.fence import Fence
from widgets.labels import HashLabel, HashState, PillState, StatusPill
from widgets.panels import Action, Banner, BannerState

FIELDS = {
    "task": "Task", "agents": "Agents", "max_iterations": "Iterations", "convergence_threshold": "Threshold",
    "coupling": "Coupling", "epsilon": "Epsilon", "quorum": "Quorum", "seed": "Seed",
    "submission_window": "Window", "answer_timeout": "Time to answer",
}  # fmt: skip


class AgreementBar(QWidget):
    """Buttons that ask, a verdict that states threshold and iteration, and a banner with a way out."""

    pageRequested = Signal(str)

    def __init__(self, model: AgreementViewModel) -> None:
        super().__init__()
        self._model = model
        self.run = button("Run", "play", "primary", tooltip="Start, or go on (F5)")
        self.pause = button("Pause", "pause", tooltip="Before the next iteration (F6)")
        self.step = button("Step", "forward", tooltip="One iteration (F7)")
        self.stop = button("Stop", "stop", tooltip="End the round; it can be resumed (F8)")
        self.reset = button("Reset", "undo", tooltip="Clear the round; task, agents and settings stay")
        self.speed = QComboBox()
        self.speed.setAccessibleName("Speed")
        self.speed.setToolTip("Iterations a second")
        for value in SPEEDS:
            self.speed.addItem(f"{value:,.0f} a second" if value else "As fast as it goes", value)
        self.speed.setCurrentIndex(len(SPEEDS) - 1)
        self.pill = StatusPill()
        self.verdict = label("", "", wrap=True, selectable=True)
        self.verdict.setAccessibleName("Verdict")
        self.verdict.setMinimumHeight(36)  # two lines: what lies beneath does not jump
        self.verdict.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.hash, self.trace = HashLabel(), HashLabel()
        self._hash_title, self._trace_title = label("Task hash", "muted"), label("Trace hash", "muted")
        self._trace_title.setToolTip("Of all iterations: the same at any speed for the same task, agents and seed")
        self.banner = Banner(None)
        body = column(self, spacing=8)
        body.addWidget(Pair(across(self.run, self.pause, self.step, self.stop, self.reset), across(None, self.speed)))
        line = (self._hash_title, self.hash, self._trace_title, self.trace)
        body.addLayout(row(self.pill, None, *line, spacing=10))
        body.addWidget(Fence(self.verdict))
        body.addWidget(self.banner)
        self._connect()

    def _connect(self) -> None:
        model = self._model
        self.run.clicked.connect(model.run)
        self.pause.clicked.connect(model.pause)
        self.step.clicked.connect(model.step)
        self.stop.clicked.connect(model.stop)
        self.reset.clicked.connect(model.reset)
        self.speed.activated.connect(lambda index: model.set_speed(self.speed.itemData(index)))
        self.banner.actionTriggered.connect(self._on_banner)

    def _on_banner(self, key: str) -> None:
        if key == "node":
            self._model.start_node()
        elif key == "resume" and self._model.state.run is not None:
            self._model.resume(self._model.state.run.run_id)
        else:
            self.pageRequested.emit(key)

    def show_state(self, state: AgreementState) -> None:
        """Show how the round stands."""
        record, busy = state.run, state.busy
        paused = busy and record is not None and record.state == "paused"
        text = "Resume" if paused else "Start devnet and run" if not busy and state.needs_node else "Run"
        if state.waiting:
            text = "Starting the devnet…"
        if self.run.text() != text:
            self.run.setText(text)
            self.run.setAccessibleName(text)
        self.run.setEnabled(paused or (not busy and state.ready))
        talking = busy and record is not None and not record.phase
        self.pause.setEnabled(talking and not paused)
        self.step.setEnabled(paused or (not busy and state.ready))
        self.stop.setEnabled(busy or state.waiting)
        self.reset.setEnabled(record is not None)
        self.speed.setCurrentIndex(SPEEDS.index(state.speed) if state.speed in SPEEDS else len(SPEEDS) - 1)
        verdict = verdict_of(record)
        words = verdict.text
        if record is not None and state.task is not None and record.task.hash != state.task.hash:
            words = f"{record.title}. {words}"  # the form has gone on to another task
        if record is None and state.errors:
            wrong = "; ".join(f"{FIELDS.get(name, name)}: {why}" for name, why in state.errors.items())
            words, verdict = f"Cannot run. {wrong}", replace(verdict, kind="warn", word="Not ready")
        elif record is None and state.needs_node:
            words += " No devnet runs: Run starts one and deploys the contracts."
        self.pill.set_state(PillState(verdict.word, verdict.kind))
        self.verdict.setText(words)
        self._show_hash(self._hash_title, self.hash, record.task_hash if record is not None else "")
        self._show_hash(self._trace_title, self.trace, record.trace_hash if record is not None else "")
        self._show_banner(state)

    def _show_hash(self, title: QWidget, shown: HashLabel, value: str) -> None:
        if shown.value() != value:
            shown.set_state(HashState(value))
        for widget in (title, shown):
            widget.setVisible(bool(value))

    def _show_banner(self, state: AgreementState) -> None:
        wanted = banner_of(state)
        if wanted != getattr(self, "_shown", ""):
            self._shown = wanted
            self.banner.set_state(wanted)


def banner_of(state: AgreementState) -> BannerState | None:
    """Return what stands in the way, and what can be done about it."""
    record = state.run
    if record is not None and record.state == "failed":
        actions = []
        if record.on_chain and state.needs_node:
            actions.append(Action("node", "Start devnet", "play", primary=True))
        if record.run_id:
            actions.append(Action("resume", "Resume the round", "refresh", primary=not actions))
        error = record.problem
        if error is None:
            return BannerState("error", "The round failed", record.failure, "", tuple(actions), closable=False)
        return BannerState("error", error.what, error.why, error.next_step, tuple(actions), closable=False)
    if record is not None and record.equal is False:
        look = (Action("result", "Compare", "scales", primary=True),)
        text = "The chain holds another result than was computed here."
        return BannerState("error", "Local and chain differ", text, "", look, closable=False)
    return None
