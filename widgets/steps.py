"""The list of steps of a guided run: what is done, what is running, and what each step found."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from widgets.access import Role
from widgets.basics import button, clear, column, label, row
from widgets.icons import paint_icon
from widgets.theme import current_tokens, follow
from widgets.tokens import Tokens

_WORDS = {
    "pending": "to do",
    "next": "next",
    "running": "running",
    "done": "done",
    "failed": "failed",
    "skipped": "skipped",
}
_KINDS = {
    "pending": "neutral",
    "next": "accent",
    "running": "accent",
    "done": "ok",
    "failed": "error",
    "skipped": "neutral",
}


@dataclass(frozen=True)
class StepRow:
    """One step: state pending, next, running, done, failed or skipped; a sentence, a detail line and a link."""

    key: str
    title: str
    state: str = "pending"
    text: str = ""
    detail: str = ""
    link: str = ""
    link_text: str = "Show"


@dataclass(frozen=True)
class StepsState:
    """The steps in order."""

    steps: tuple[StepRow, ...] = ()


class StepMarker(QWidget):
    """The round marker of a step and the line to the next."""

    SPOKEN_AS = Role.Graphic

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state, self._number, self._last = "pending", 1, False
        self.setFixedWidth(28)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        follow(self)

    def set_state(self, state: str, number: int, last: bool) -> None:
        """Show a state."""
        self._state, self._number, self._last = state, number, last
        self.setAccessibleName(f"Step {number}: {_WORDS[state]}")
        self.update()

    def on_theme(self, _tokens: Tokens) -> None:
        """Repaint in the new colours."""
        self.update()

    def sizeHint(self) -> QSize:
        """As wide as the marker."""
        return QSize(28, 44)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the line, then the marker."""
        t = current_tokens()
        colour, soft = t.kind(_KINDS[self._state])
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        circle = QRectF(2, 2, 24, 24)
        if not self._last:
            painter.setPen(QPen(QColor(t.ok if self._state == "done" else t.border_strong), 2))
            painter.drawLine(QPointF(14, 30), QPointF(14, self.height() + 0.0))
        done = self._state in ("done", "failed")
        painter.setPen(QPen(QColor(t.border_strong if self._state in ("pending", "skipped") else colour), 1.5))
        painter.setBrush(QColor(colour if done else soft if self._state in ("running", "next") else t.surface))
        painter.drawEllipse(circle)
        if done:
            name = "check" if self._state == "done" else "close"
            paint_icon(painter, circle.adjusted(6, 6, -6, -6), name, t.surface)
        elif self._state == "running":
            paint_icon(painter, circle.adjusted(5, 5, -5, -5), "running", colour)
        else:
            painter.setPen(QColor(t.muted))
            text = "-" if self._state == "skipped" else str(self._number)
            painter.drawText(circle, int(Qt.AlignmentFlag.AlignCenter), text)


class StepView(QWidget):
    """One step: marker, title, sentence, link."""

    SPOKEN_AS = Role.ListItem

    linkActivated = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._link = ""
        self._marker = StepMarker()
        self._title = label("", "strong")
        self._word = label("", "small")
        self._text = label("", "muted", wrap=True)
        self._detail = label("", "mono-muted", wrap=True, selectable=True)
        self._button = button("Show", variant="link")
        self._button.clicked.connect(lambda: self.linkActivated.emit(self._link))
        words = column(spacing=2)
        words.setContentsMargins(0, 0, 0, 12)
        head = QWidget()
        head.setFixedHeight(28)
        head.setLayout(row(self._title, self._word, None, self._button))
        words.addWidget(head)
        words.addWidget(self._text)
        words.addWidget(self._detail)
        words.addStretch(1)
        outer = QHBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(12)
        outer.addWidget(self._marker)
        outer.addLayout(words, 1)

    def set_state(self, step: StepRow, number: int, last: bool) -> None:
        """Show a step."""
        self._marker.set_state(step.state, number, last)
        self._title.setText(step.title)
        self._word.setText(_WORDS[step.state])
        for widget, text in ((self._text, step.text), (self._detail, step.detail)):
            widget.setText(text)
            widget.setVisible(bool(text))
        self._link = step.link
        self._button.setText(step.link_text)
        self._button.setAccessibleName(f"{step.link_text}: {step.title}")
        self._button.setVisible(bool(step.link))
        self.setAccessibleName(f"Step {number}, {step.title}: {_WORDS[step.state]}. {step.text}")


class StepList(QWidget):
    """The steps, one beneath the other."""

    SPOKEN_AS = Role.List

    linkActivated = Signal(str)

    def __init__(self, state: StepsState | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._views: list[StepView] = []
        self._keys: tuple[str, ...] = ()
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(0)
        self.setAccessibleName("Steps")
        self.set_state(state or StepsState())

    def set_state(self, state: StepsState) -> None:
        """Show steps."""
        if len(self._views) != len(state.steps):
            clear(self._layout)
            self._views = []
            for _ in state.steps:
                view = StepView()
                view.linkActivated.connect(self.linkActivated)
                self._layout.addWidget(view)
                self._views.append(view)
            self._layout.addStretch(1)
        self._keys = tuple(step.key for step in state.steps)
        for number, (view, step) in enumerate(zip(self._views, state.steps, strict=True), 1):
            view.set_state(step, number, number == len(state.steps))

    def view(self, key: str) -> QWidget | None:
        """Return what shows a step, None where there is none of that key."""
        return self._views[self._keys.index(key)] if key in self._keys else None
