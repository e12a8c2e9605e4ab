"""What the run bars of the Consensus and Learning chain pages share: run, pause, step, stop, and a speed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QLabel, QPushButton, QWidget

from widgets.basics import Pair, across, button, label
from widgets.labels import HashLabel, HashState


class Commands(Protocol):
    """What the buttons ask for."""

    def run(self) -> None:
        """Start, or go on."""

    def pause(self) -> None:
        """Do nothing more until told."""

    def step(self) -> None:
        """Do one piece of work."""

    def stop(self) -> None:
        """End."""

    def set_speed(self, per_second: float) -> None:
        """Limit the speed; 0 for none."""


class RunControls(QWidget):
    """A bar's buttons and its choice of a speed; ``speeds`` gives each its text, 0 is as fast as it goes."""

    def __init__(self, model: Commands, speeds: Mapping[float, str], unit: str, tips: Mapping[str, str]) -> None:
        super().__init__()
        self._commands = model
        self.run = button("Run", "play", "primary", tooltip=tips["run"])
        self.pause = button("Pause", "pause", tooltip=tips.get("pause", ""))
        self.step = button("Step", "forward", tooltip=tips.get("step", ""))
        self.stop = button("Stop", "stop", tooltip=tips.get("stop", ""))
        self.speed = QComboBox()
        self.speed.setAccessibleName("Speed")
        self.speed.setToolTip(unit)
        for value, text in speeds.items():
            self.speed.addItem(text, value)
        self.run.clicked.connect(self._on_run)
        self.pause.clicked.connect(model.pause)
        self.step.clicked.connect(lambda: model.step())  # without the signal's word on whether it is checked
        self.stop.clicked.connect(model.stop)
        self.speed.activated.connect(lambda index: model.set_speed(self.speed.itemData(index)))
        self.show_speed(0.0)

    def line(self, *buttons: QPushButton) -> Pair:
        """Return the buttons, with the speed at the other end."""
        return Pair(across(*buttons), across(None, self.speed))

    def show_speed(self, speed: float) -> None:
        """Show the speed; one that is not offered counts as none."""
        at = self.speed.findData(speed)
        self.speed.setCurrentIndex(at if at >= 0 else self.speed.findData(0.0))

    def show_run(self, text: str, *, startable: bool, pausable: bool, stoppable: bool) -> None:
        """Show what can be asked for."""
        if self.run.text() != text:
            self.run.setText(text)
            self.run.setAccessibleName(text)
        for made, enabled in (
            (self.run, startable),
            (self.step, startable),
            (self.pause, pausable),
            (self.stop, stoppable),
        ):
            made.setEnabled(enabled)

    def _on_run(self) -> None:
        self._commands.run()


def run_text(*, busy: bool, paused: bool, needs_node: bool, waiting: bool) -> str:
    """Return what Run does, where a devnet may have to be started for it."""
    if waiting:
        return "Starting the devnet…"
    return "Resume" if paused else "Start devnet and run" if not busy and needs_node else "Run"


def verdict_label() -> QLabel:
    """Return the label of a verdict, two lines high: what lies beneath does not jump."""
    made = label("", "", wrap=True, selectable=True)
    made.setAccessibleName("Verdict")
    made.setMinimumHeight(36)
    made.setAlignment(Qt.AlignmentFlag.AlignTop)
    return made


def show_hash(title: QWidget, shown: HashLabel, value: str) -> None:
    """Show a hash with its title, or neither where there is none."""
    if shown.value() != value:
        shown.set_state(HashState(value))
    for widget in (title, shown):
        widget.setVisible(bool(value))


def per_second(speeds: Sequence[float]) -> dict[float, str]:
    """Return the texts of speeds."""
    return {value: f"{value:,.0f} a second" if value else "As fast as it goes" for value in speeds}
