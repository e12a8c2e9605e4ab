"""The run bar of the agents' half: run, pause, step, stop, reset, speed; the verdict; what stands in the way."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Signal

from app.pages.run_controls import RunControls, per_second, run_text, show_hash, verdict_label
from app.viewmodels.agreement import SPEEDS, AgreementViewModel
from app.viewmodels.agreement_draft import AgreementState
from app.viewmodels.agreement_runs import verdict_of
from widgets.basics import button, column, label, row
from widgets.fence import Fence
from widgets.labels import HashLabel, PillState, StatusPill
from widgets.panels import Action, Banner, BannerState

FIELDS = {
    "task": "Task", "agents": "Agents", "max_iterations": "Iterations", "convergence_threshold": "Threshold",
    "coupling": "Coupling", "epsilon": "Epsilon", "quorum": "Quorum", "seed": "Seed",
    "submission_window": "Window", "answer_timeout": "Time to answer",
}  # fmt: skip

TIPS = {
    "run": "Start, or go on (F5)",
    "pause": "Before the next iteration (F6)",
    "step": "One iteration (F7)",
    "stop": "End the round; it can be resumed (F8)",
}


class AgreementBar(RunControls):
    """Buttons that ask, a verdict that states threshold and iteration, and a banner with a way out."""

    pageRequested = Signal(str)

    def __init__(self, model: AgreementViewModel) -> None:
        super().__init__(model, per_second(SPEEDS), "Iterations a second", TIPS)
        self._model = model
        self.reset = button("Reset", "undo", tooltip="Clear the round; task, agents and settings stay")
        self.pill = StatusPill()
        self.verdict = verdict_label()
        self.hash, self.trace = HashLabel(), HashLabel()
        self._hash_title, self._trace_title = label("Task hash", "muted"), label("Trace hash", "muted")
        self._trace_title.setToolTip("Of all iterations: the same at any speed for the same task, agents and seed")
        self.banner = Banner(None)
        self._shown: BannerState | None = None
        body = column(self, spacing=8)
        body.addWidget(self.line(self.run, self.pause, self.step, self.stop, self.reset))
        line = (self._hash_title, self.hash, self._trace_title, self.trace)
        body.addLayout(row(self.pill, None, *line, spacing=10))
        body.addWidget(Fence(self.verdict))
        body.addWidget(self.banner)
        self.reset.clicked.connect(model.reset)
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
        text = run_text(busy=busy, paused=paused, needs_node=state.needs_node, waiting=state.waiting)
        talking = busy and record is not None and not record.phase
        startable = paused or (not busy and state.ready)
        self.show_run(text, startable=startable, pausable=talking and not paused, stoppable=busy or state.waiting)
        self.reset.setEnabled(record is not None)
        self.show_speed(state.speed)
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
        show_hash(self._hash_title, self.hash, record.task_hash if record is not None else "")
        show_hash(self._trace_title, self.trace, record.trace_hash if record is not None else "")
        self._show_banner(state)

    def _show_banner(self, state: AgreementState) -> None:
        wanted = banner_of(state)
        if wanted != self._shown:
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
