"""The run bar of the Learning chain page: run, pause, step by phase or slot, stop, speed, phases, and how it stands."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Signal

from app.formats import brief_moment
from app.pages.run_controls import RunControls, run_text
from app.viewmodels.learning import LearningViewModel
from app.viewmodels.learning_draft import SPEEDS, LearningState
from app.viewmodels.learning_runs import LearnRecord, training_words, verdict_of
from engine.learning.results import PHASES
from widgets.basics import button, column, row
from widgets.labels import PillState, StatusPill
from widgets.panels import Action, Banner, BannerState
from widgets.phase_strip import Phase, PhaseStrip
from widgets.steady_text import SteadyText

SIMULATED = "Simulated training (replayed)"
WAITING = "Its phases: propose, train, vote, aggregate, finalise. Step does them one by one."

TIPS = {
    "run": "Start, or go on (F5)",
    "pause": "Before the next phase (F6)",
    "step": "One phase (F7)",
    "stop": "End the run; it can be resumed (F8)",
}


class LearningBar(RunControls):
    """Buttons that ask, the phase of the slot with its sentence, and a banner with a way out."""

    pageRequested = Signal(str)

    def __init__(self, model: LearningViewModel) -> None:
        speeds = {value: f"{value:g} slots/s" if value else "Full speed" for value in SPEEDS}
        super().__init__(model, speeds, "Slots a second", TIPS)
        self._model = model
        self.step.setText("Step phase")
        self.step.setAccessibleName("Step phase")
        self.step_slot = button("Step slot", "forward_ten", tooltip="To the end of the next slot (Shift+F7)")
        self.pill, self.training = StatusPill(), StatusPill()
        self.verdict = SteadyText("Verdict")
        self.phases = PhaseStrip("Phases of the slot", compact=True)
        self.words = SteadyText("Phase", tone="muted")
        self.banner = Banner(None)
        self._shown: BannerState | None = None
        body = column(self, spacing=8)
        body.addWidget(self.line(self.run, self.pause, self.step, self.step_slot, self.stop))
        line = row(self.pill, self.verdict, self.training, spacing=10)
        line.setStretch(1, 1)
        body.addLayout(line)
        body.addWidget(self.banner)
        body.addWidget(self.phases)
        body.addWidget(self.words)
        self.step_slot.clicked.connect(lambda: model.step("slot"))
        self.banner.actionTriggered.connect(self._on_banner)
        self.banner.closed.connect(model.decline)
        self.phases.activated.connect(lambda: self.pageRequested.emit("chain"))

    def _on_banner(self, key: str) -> None:
        model = self._model
        if key == "node":
            model.start_node()
        elif key == "offer" and model.state.offer is not None:
            model.resume(model.state.offer.run_id)
        elif key == "resume" and model.state.run is not None:
            model.resume(model.state.run.run_id)
        elif key == "decline":
            model.decline()
        else:
            self.pageRequested.emit(key)

    def show_state(self, state: LearningState) -> None:
        """Show how the run stands."""
        record, busy = state.run, state.busy
        paused = busy and record is not None and record.state == "paused"
        text = run_text(busy=busy, paused=paused, needs_node=state.needs_node, waiting=state.waiting)
        startable = paused or (not busy and state.ready)
        self.show_run(text, startable=startable, pausable=busy and not paused, stoppable=busy or state.waiting)
        self.step_slot.setEnabled(startable)
        self.show_speed(state.speed)
        self._show_verdict(state)
        self.phases.set_state(phases_of(record))
        phase = record.phase if record is not None else None
        words = f"Slot {phase.slot:,}, {phase.phase}: {phase.text}" if phase is not None else WAITING
        self.words.setText(words)
        wanted = banner_of(state)
        if wanted != self._shown:
            self._shown = wanted
            self.banner.set_state(wanted)

    def _show_verdict(self, state: LearningState) -> None:
        record = state.run
        verdict = verdict_of(record)
        words = verdict.text
        if record is not None and record.scenario != state.choice:
            words = f"{record.title}. {words}"  # the form has gone on to another scenario
        if record is None and state.errors:
            wrong = "; ".join(f"{name.replace('_', ' ')}: {why}" for name, why in state.errors.items())
            words, verdict = f"Cannot run. {wrong}", replace(verdict, kind="warn", word="Not ready")
        elif record is None and state.needs_node:
            words += " No devnet runs: Run starts one and deploys the contracts."
        self.pill.set_state(PillState(verdict.word, verdict.kind))
        real = training_words(record, dict(state.settings))
        simulated = not real.startswith("Real")
        self.training.set_state(PillState(SIMULATED if simulated else real, "warn" if simulated else "info", real))
        self.verdict.setText(words)


def phases_of(record: LearnRecord | None) -> tuple[Phase, ...]:
    """Return the phases of the slot that is under way."""
    now = record.phase.phase if record is not None and record.phase is not None else ""
    at = PHASES.index(now) if now in PHASES else -1
    over = record is not None and record.ended
    states = ["done" if n < at or (over and n <= at) else "running" if n == at else "pending" for n in range(5)]
    return tuple(Phase(name.capitalize(), state) for name, state in zip(PHASES, states, strict=True))


def banner_of(state: LearningState) -> BannerState | None:
    """Return what stands in the way, or asks for attention, and what can be done about it."""
    record = state.run
    if record is not None and record.state == "failed":
        actions = []
        if state.needs_node:
            actions.append(Action("node", "Start devnet", "play", primary=True))
        if record.run_id:
            actions.append(Action("runs", "Runs", "clock"))
        error = record.problem
        if error is None:
            return BannerState("error", "The run failed", record.failure, "", tuple(actions), closable=False)
        return BannerState("error", error.what, error.why, error.next_step, tuple(actions), closable=False)
    if record is not None and record.violations:
        rounds = ", ".join(str(number) for number in record.violations)
        text = f"Round {rounds}: two conflicting updates both reached the quorum."
        look = (Action("votes", "Votes", "table", primary=True),)
        return BannerState("error", "Safety is violated", text, "Quorum bft lets at most one through.", look, False)
    offer = state.offer
    if record is None and offer is not None:
        text = f"Run {offer.run_id} ({offer.spec.scenario}) of {brief_moment(offer.created)} was interrupted."
        doing = (Action("offer", "Resume", "refresh", primary=True), Action("decline", "Not now"))
        return BannerState("info", "A run can be resumed", text, "Its journal is played again to where it was.", doing)
    return None
