"""The jobs tray: what is running, how far it is, and a way to stop it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QFrame, QProgressBar, QVBoxLayout, QWidget

from widgets.access import Role
from widgets.basics import IconLabel, button, label, row, tool_button
from widgets.panels import EmptyPanel, EmptyPanelState

LINGER_MS = 1500  # for which the room of a job that ended is kept
_LOOKS = {
    "running": ("running", "accent", "running"),
    "done": ("ok", "ok", "done"),
    "failed": ("error", "error", "failed"),
    "cancelled": ("neutral", "neutral", "cancelled"),
}


@dataclass(frozen=True)
class JobRow:
    """One job: progress 0..1 (None is unknown), seconds elapsed, state running, done, failed or cancelled."""

    id: Hashable
    title: str
    progress: float | None = None
    elapsed: float = 0.0
    state: str = "running"
    note: str = ""
    cancellable: bool = True


@dataclass(frozen=True)
class JobsState:
    """The jobs, newest first."""

    jobs: tuple[JobRow, ...] = ()


class JobCard(QWidget):
    """One job's row."""

    SPOKEN_AS = Role.Grouping

    cancelRequested = Signal(object)
    dismissed = Signal(object)

    def __init__(self, job: JobRow, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._job = job
        self._icon = IconLabel("running", "accent", 18)
        self._title = label("", "strong")
        self._elapsed = label("", "small")
        self._note = label("", "small")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._cancel = button("Cancel", "stop")
        self._dismiss = tool_button("close", "Dismiss")
        self._cancel.clicked.connect(self._on_cancel)
        self._dismiss.clicked.connect(lambda: self.dismissed.emit(self._job.id))
        words = QVBoxLayout()
        words.setSpacing(4)
        words.addLayout(row(self._title, None, self._elapsed))
        words.addWidget(self._bar)
        words.addWidget(self._note)
        # One column of one width for either button, so that the elapsed times of all rows line up.
        ends = QWidget()
        ends.setFixedWidth(112)
        ends.setLayout(row(None, self._cancel, self._dismiss, spacing=0))
        outer = row(self._icon, words, ends, spacing=12)
        outer.setContentsMargins(24, 8, 24, 8)
        outer.setStretch(1, 1)
        self.setLayout(outer)
        self.set_state(job)

    def set_state(self, job: JobRow) -> None:
        """Show a job."""
        was_running, self._job = self._job.state == "running", job
        name, colour, word = _LOOKS[job.state]
        running = job.state == "running"
        self._icon.set_icon(name, colour)
        self._title.setText(job.title)
        self._elapsed.setText(duration(job.elapsed))
        self._note.setText(job.note or ("Working" if running else word.capitalize()))
        self._bar.setVisible(running)
        if job.progress is None:
            self._bar.setRange(0, 0)
        else:
            self._bar.setRange(0, 1000)
            self._bar.setValue(round(1000 * max(0.0, min(1.0, job.progress))))
        self._bar.setAccessibleName(f"Progress of {job.title}")
        self._cancel.setVisible(running and job.cancellable)
        self._cancel.setAccessibleName(f"Cancel {job.title}")
        self._dismiss.setVisible(not running)
        self._dismiss.setAccessibleName(f"Dismiss {job.title}")
        if was_running and not running:
            self._cancel.setEnabled(True)
            self._cancel.setText("Cancel")
        self.setAccessibleName(f"{job.title}: {word}")

    def _on_cancel(self) -> None:
        self._cancel.setEnabled(False)
        self._cancel.setText("Stopping…")
        self.cancelRequested.emit(self._job.id)


class JobsTray(QFrame):
    """The list of jobs."""

    cancelRequested = Signal(object)
    dismissed = Signal(object)

    def __init__(self, state: JobsState | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("tray")
        self._cards: dict[Hashable, JobCard] = {}
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(0)
        self._rows = QVBoxLayout()
        self._rows.setSpacing(4)
        self._layout.addLayout(self._rows)
        self._empty = EmptyPanel(EmptyPanelState("clock", "No jobs", "Long work shows here, with a way to stop it."))
        self._layout.addWidget(self._empty)
        self._layout.addStretch(1)
        self._lingering = QTimer(self, singleShot=True, interval=LINGER_MS)
        self._lingering.timeout.connect(lambda: self.setMinimumHeight(0))
        self.setAccessibleName("Jobs")
        self.set_state(state or JobsState())

    def set_state(self, state: JobsState) -> None:
        """Show jobs; a card lives as long as its job's id is in the state, its room a moment longer.

        Where one short job follows another, the page above would be laid out and painted anew each time.
        """
        ids = [job.id for job in state.jobs]
        ended = self._cards.keys() - set(ids)
        if ended and self.isVisible():
            self.setMinimumHeight(self.height())
            self._lingering.start()
        for gone in ended:
            card = self._cards.pop(gone)
            self._rows.removeWidget(card)
            card.hide()
            card.deleteLater()
        for place, job in enumerate(state.jobs):
            if job.id not in self._cards:
                card = self._cards[job.id] = JobCard(job)
                card.cancelRequested.connect(self.cancelRequested)
                card.dismissed.connect(self.dismissed)
            if self._rows.indexOf(self._cards[job.id]) != place:
                self._rows.insertWidget(place, self._cards[job.id])
        self._cards = {job.id: self._cards[job.id] for job in state.jobs}
        for job in state.jobs:
            self._cards[job.id].set_state(job)
        self._empty.setVisible(not state.jobs)


def duration(seconds: float) -> str:
    """``8.2 s``, ``1:05`` or ``1:02:03``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
