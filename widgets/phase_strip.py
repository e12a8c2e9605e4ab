"""The phases of a procedure in one line: what is done, what runs, what failed, each with a figure beneath."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets.access import Role
from widgets.fonts import scaled
from widgets.icons import paint_icon
from widgets.theme import current_tokens, follow
from widgets.tokens import Tokens

KINDS = {"pending": "neutral", "running": "accent", "done": "ok", "failed": "error", "skipped": "neutral"}
HEIGHT, COMPACT = 76, 30


@dataclass(frozen=True)
class Phase:
    """A phase: state pending, running, done, failed or skipped, and a figure."""

    title: str
    state: str = "pending"
    text: str = ""


class PhaseStrip(QWidget):
    """Round markers on a line; a click or Enter asks for more."""

    SPOKEN_AS = Role.Button

    activated = Signal()

    def __init__(self, name: str, parent: QWidget | None = None, *, compact: bool = False) -> None:
        """``compact`` puts the titles beside the markers and leaves the figures out."""
        super().__init__(parent)
        self._compact, self._height = compact, COMPACT if compact else HEIGHT
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(name)
        self._phases: tuple[Phase, ...] = ()
        follow(self)

    def set_state(self, phases: tuple[Phase, ...]) -> None:
        """Show phases."""
        if phases != self._phases:
            self._phases = phases
            words = "; ".join(f"{p.title} {p.state} {p.text}".strip() for p in phases)
            self.setAccessibleDescription(words)
            self.update()

    def phases(self) -> tuple[Phase, ...]:
        """What is shown."""
        return self._phases

    def sizeHint(self) -> QSize:
        """A line of markers and two of text."""
        return QSize(640, self._height)

    def minimumSizeHint(self) -> QSize:
        """Markers need little."""
        return QSize(320, self._height)

    def on_theme(self, _tokens: Tokens) -> None:
        """Repaint in the new colours."""
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Ask for more."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.activated.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Ask for more."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.activated.emit()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint line, markers, titles and figures."""
        t = current_tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        count = max(1, len(self._phases))
        width = self.width() / count
        if self._compact:
            self._paint_line(painter, t, width)
        for at, phase in enumerate(() if self._compact else self._phases):
            middle = QPointF((at + 0.5) * width, 16)
            if at + 1 < count:
                painter.setPen(QPen(QColor(t.ok if phase.state == "done" else t.border_strong), 2))
                painter.drawLine(middle + QPointF(14, 0), middle + QPointF(width - 14, 0))
            self._marker(painter, middle, phase, at + 1, t)
            painter.setFont(scaled(self.font(), -0.5, QFont.Weight.DemiBold))
            painter.setPen(QColor(t.text if phase.state in ("done", "running", "failed") else t.muted))
            self._words(painter, QRectF(at * width + 2, 32, width - 4, 20), phase.title)
            painter.setFont(scaled(self.font(), -0.75))
            painter.setPen(QColor(t.kind(KINDS[phase.state])[0] if phase.state == "failed" else t.muted))
            self._words(painter, QRectF(at * width + 2, 50, width - 4, 18), phase.text)
        if self.hasFocus():
            painter.setPen(QPen(QColor(t.accent), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 6, 6)

    def _paint_line(self, painter: QPainter, t: Tokens, width: float) -> None:
        """Paint markers with their titles beside them."""
        painter.setFont(scaled(self.font(), -0.5, QFont.Weight.DemiBold))
        for at, phase in enumerate(self._phases):
            middle = QPointF(at * width + 15, COMPACT / 2)
            self._marker(painter, middle, phase, at + 1, t)
            painter.setPen(QColor(t.text if phase.state in ("done", "running", "failed") else t.muted))
            box = QRectF(middle.x() + 18, 0, width - 36, COMPACT)
            shown = painter.fontMetrics().elidedText(phase.title, Qt.TextElideMode.ElideRight, int(box.width()))
            painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), shown)
            start = box.left() + painter.fontMetrics().horizontalAdvance(shown) + 8
            end = (at + 1) * width
            if at + 1 < len(self._phases) and end - start > 6:
                painter.setPen(QPen(QColor(t.ok if phase.state == "done" else t.border_strong), 2))
                painter.drawLine(QPointF(start, middle.y()), QPointF(end, middle.y()))

    @staticmethod
    def _words(painter: QPainter, place: QRectF, text: str) -> None:
        shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(place.width()))
        painter.drawText(place, int(Qt.AlignmentFlag.AlignCenter), shown)

    @staticmethod
    def _marker(painter: QPainter, at: QPointF, phase: Phase, number: int, t: Tokens) -> None:
        colour, soft = t.kind(KINDS[phase.state])
        done = phase.state in ("done", "failed")
        circle = QRectF(at.x() - 11, at.y() - 11, 22, 22)
        painter.setPen(QPen(QColor(t.border_strong if phase.state in ("pending", "skipped") else colour), 1.5))
        painter.setBrush(QColor(colour if done else soft if phase.state == "running" else t.surface))
        painter.drawEllipse(circle)
        if done:
            paint_icon(painter, circle.adjusted(5, 5, -5, -5), "check" if phase.state == "done" else "close", t.surface)
        elif phase.state == "running":
            paint_icon(painter, circle.adjusted(4, 4, -4, -4), "running", colour)
        else:
            painter.setPen(QColor(t.muted))
            text = "-" if phase.state == "skipped" else str(number)
            painter.drawText(circle, int(Qt.AlignmentFlag.AlignCenter), text)
