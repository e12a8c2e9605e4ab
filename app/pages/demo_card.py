"""The guided demo on the Overview page: run it whole, or walk through it and look at what each step made."""

from __future__ import annotations

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QApplication

from app.pages.base import scrolling
from app.viewmodels.demo import StepView
from app.viewmodels.overview import OverviewState, OverviewViewModel
from widgets.basics import Card, button
from widgets.labels import SectionHeader
from widgets.steps import StepList, StepRow, StepsState

LEAST = 320  # pixels: three steps
HINT = "From an empty chain to a trained update: about ten seconds, offline, with money that is worth nothing"


class DemoCard(Card):
    """The steps, each with why, result and a way to what it made; above them what can be done now."""

    linkActivated = Signal(str)

    def __init__(self, model: OverviewViewModel) -> None:
        super().__init__()
        self.head = SectionHeader("Guided demo", HINT)
        self.steps = StepList()
        self.run = button("Run the demo", "play", "primary")
        self.walk = button("Step by step", "forward", tooltip="Wait after each step, so that you can look around")
        self.next = button("Next", "forward", "primary", tooltip="Begin the next step")
        self.rest = button("Run the rest", "play", tooltip="Wait no more")
        self.stop = button("Stop", "stop")
        for made, intent in (
            (self.stop, model.cancel_demo),
            (self.rest, model.run_rest),
            (self.next, model.next_step),
            (self.walk, model.walk_demo),
            (self.run, model.run_demo),
        ):
            made.clicked.connect(lambda _=False, do=intent: do())
            made.setAutoDefault(True)  # Enter presses it
            self.head.add_action(made)
        self.steps.linkActivated.connect(self.linkActivated)
        # They scroll by themselves: what can be done stays in sight, and so does the step at work.
        self.area = scrolling(self.steps)
        self.area.setMinimumHeight(LEAST)
        self.add(self.head)
        self.add(self.area, 1)
        self._last = ("", "")

    def show_state(self, state: OverviewState) -> None:
        """Show how far the demo is."""
        now, before = state.demo_state, self._last[0]
        rows = (StepRow(s.key, s.title, s.state, s.text, s.detail, s.link) for s in state.demo)
        self.steps.set_state(StepsState(tuple(rows)))
        self.head.set_text("Guided demo", summary(state.demo, now))
        busy, had_focus = now in ("running", "waiting"), self._has_focus()
        self.run.setText("Run the demo" if now == "idle" else "Run again")
        self.run.setAccessibleName(self.run.text())
        for made, shown in (
            (self.run, not busy),
            (self.walk, not busy),
            (self.next, now == "waiting"),
            (self.rest, now == "waiting"),
            (self.stop, busy),
        ):
            made.setVisible(shown)
        if now != before and had_focus:
            {"waiting": self.next, "running": self.stop}.get(now, self.run).setFocus()
        at = next((s.key for s in state.demo if s.state in ("running", "next", "failed")), "")
        if self._last != (now, at):
            self._last = (now, at)
            QTimer.singleShot(0, self, lambda: self._bring(at))

    def _bring(self, key: str) -> None:
        """Scroll to a step once it has its height; without one to the first."""
        view = self.steps.view(key)
        if view is not None:
            self.area.ensureWidgetVisible(view, 0, 24)
        else:
            self.area.verticalScrollBar().setValue(0)

    def _has_focus(self) -> bool:
        """Whether the keyboard is on one of the buttons above: it is to stay there when they change."""
        return QApplication.focusWidget() in (self.run, self.walk, self.next, self.rest, self.stop)


def summary(steps: tuple[StepView, ...], state: str) -> str:
    """Say in a line how far the demo is."""
    over = sum(step.state in ("done", "skipped") for step in steps)
    now = next((step.title for step in steps if step.state in ("running", "next", "failed")), "")
    skipped = sum(step.state == "skipped" for step in steps)
    words = {
        "running": f"Step {over + 1} of {len(steps)}: {now}",
        "waiting": f"{over} of {len(steps)} done. Next: {now}",
        "done": "Everything held" + (f", {skipped} left out" if skipped else "") + ": look at what each step made",
        "failed": f"Stopped at step {over + 1}: {now}",
    }
    return words.get(state, f"Stopped after {over} of {len(steps)}" if over else HINT)
