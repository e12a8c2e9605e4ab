"""What the tabs of the Learning chain page share: they draw what changed, while one looks, and not too often."""

from __future__ import annotations

import time

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QWidget

from app.pages.base import scrolling
from app.viewmodels.learning_draft import LearningState
from widgets.basics import column

PERIOD = 0.12  # seconds between two drawings of a tab, while a chain runs


class LearningPart(QWidget):
    """Subclasses say by what they can be told apart (``seen``), and draw."""

    linkActivated = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._state: LearningState | None = None
        self._seen: object = None
        self._drawn = 0.0
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._again)

    def seen(self, state: LearningState) -> object:
        """Return all that the picture depends on: equal means that nothing has to be drawn."""
        raise NotImplementedError

    def draw(self, state: LearningState) -> None:
        """Show the state."""
        raise NotImplementedError

    def show_state(self, state: LearningState) -> None:
        """Draw a state, now or soon."""
        self._state = state
        if not self.isVisible():
            return
        seen = self.seen(state)
        if seen == self._seen:
            return
        wait = self._drawn + PERIOD - time.monotonic() if state.busy else 0.0
        if wait > 0:
            if not self._later.isActive():
                self._later.start(round(1000 * wait))
            return
        self._seen = seen
        self.draw(state)
        self._drawn = time.monotonic()

    def redraw(self) -> None:
        """Draw again, also what has not changed."""
        self._seen, self._drawn = None, 0.0
        self._again()

    def showEvent(self, event: object) -> None:
        """Catch up with what came while another tab was in front."""
        super().showEvent(event)  # type: ignore[arg-type]
        self.redraw()

    def _again(self) -> None:
        if self._state is not None:
            self.show_state(self._state)


def on_card(inner: QWidget, *, stretch: bool = False) -> QWidget:
    """Return a part that scrolls on its own, on the colour of its card."""
    holder = inner
    if stretch:
        holder = QWidget()
        lines = column(holder)
        lines.addWidget(inner)
        lines.addStretch(1)
    area = scrolling(holder)
    area.widget().layout().setContentsMargins(0, 0, 4, 0)
    area.widget().setAutoFillBackground(False)
    return area
