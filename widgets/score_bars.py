"""Scores as bars, one a line: who was chosen, who was not and why; a rule that refused says its formula."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QKeyEvent, QPainter, QPen, QResizeEvent
from PySide6.QtWidgets import QWidget

from widgets.access import Role
from widgets.fonts import scaled
from widgets.icons import paint_icon
from widgets.scroll_picture import ScrollPicture
from widgets.tokens import Tokens

ROW, TITLE, EDGE = 24.0, 30.0, 10.0


@dataclass(frozen=True)
class ScoreBar:
    """A contribution. ``score`` None where the rule gives none; ``why`` it was not chosen."""

    name: str
    score: float | None
    chosen: bool
    why: str = ""


@dataclass(frozen=True)
class ScoreBarsState:
    """Bars under a title; ``refused`` is the sentence of a rule that could not choose."""

    title: str = ""
    bars: tuple[ScoreBar, ...] = ()
    refused: str = ""
    empty: str = "No scores yet"


class ScoreBars(ScrollPicture):
    """Bars that scroll where there are many."""

    SPOKEN_AS = Role.Chart

    def __init__(self, state: ScoreBarsState | None = None, parent: QWidget | None = None) -> None:
        self._state = ScoreBarsState()
        super().__init__("Scores", parent)
        self.set_state(state or ScoreBarsState())

    def sizeHint(self) -> QSize:
        """A comfortable size."""
        return QSize(320, 200)

    def set_state(self, state: ScoreBarsState) -> None:
        """Show scores."""
        self._state = state
        self._range()
        words = "; ".join(
            f"{bar.name} {'chosen' if bar.chosen else 'not chosen'}"
            + (f", score {bar.score:.4g}" if bar.score is not None else "")
            + (f", {bar.why}" if bar.why else "")
            for bar in state.bars
        )
        self.setAccessibleName(f"Scores {state.title}".strip())
        self.setAccessibleDescription(" ".join(part for part in (state.refused, words) if part))
        self.viewport().update()

    def state(self) -> ScoreBarsState:
        """What is shown."""
        return self._state

    def words_at(self, at: QPointF) -> str:
        """A bar in words."""
        row = int((at.y() - self._top() + self.verticalScrollBar().value()) // ROW)
        if not 0 <= row < len(self._state.bars):
            return ""
        bar = self._state.bars[row]
        score = f", score {bar.score!r}" if bar.score is not None else ""
        return f"{bar.name}{score}: {'chosen' if bar.chosen else bar.why or 'not chosen'}"

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit."""
        super().resizeEvent(event)
        self._range()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Scroll."""
        steps = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}
        if event.key() in steps:
            bar = self.verticalScrollBar()
            bar.setValue(bar.value() + round(steps[Qt.Key(event.key())] * ROW))
        else:
            super().keyPressEvent(event)

    def paint(self, painter: QPainter, place: QRectF, tokens: Tokens) -> None:
        """Paint the bars in sight."""
        state = self._state
        painter.setClipRect(place.adjusted(2, 2, -2, -2))
        painter.setFont(scaled(self.font(), 0, QFont.Weight.DemiBold))
        painter.setPen(QColor(tokens.text))
        head = QRectF(EDGE, 4, place.width() - 2 * EDGE, TITLE - 6)
        elided = painter.fontMetrics().elidedText(state.title, Qt.TextElideMode.ElideRight, int(head.width()))
        painter.drawText(head, int(Qt.AlignmentFlag.AlignVCenter), elided)
        painter.setFont(scaled(self.font(), -0.75))
        if state.refused:
            painter.setPen(QColor(tokens.error))
            box = QRectF(EDGE, TITLE, place.width() - 2 * EDGE, 40)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap), state.refused)
        if not state.bars:
            painter.setPen(QColor(tokens.muted))
            painter.drawText(place, int(Qt.AlignmentFlag.AlignCenter), state.empty)
            return
        painter.setClipRect(QRectF(2, self._top() - 2, place.width() - 4, place.height() - self._top()))
        known = [bar.score for bar in state.bars if bar.score is not None]
        most = max(known, default=0.0) or 1.0
        for at, bar in enumerate(state.bars):
            top = self._top() + at * ROW - self.verticalScrollBar().value()
            if top + ROW >= self._top() and top <= place.bottom():
                self._bar(painter, QRectF(EDGE, top, place.width() - 2 * EDGE, ROW), bar, most, tokens)

    def _bar(self, painter: QPainter, place: QRectF, bar: ScoreBar, most: float, t: Tokens) -> None:
        metrics = painter.fontMetrics()
        names = max(metrics.horizontalAdvance(b.name) for b in self._state.bars) + 30.0
        colour = t.accent if bar.chosen else t.error
        icon = QRectF(place.left(), place.center().y() - 7, 14, 14)
        paint_icon(painter, icon, "check" if bar.chosen else "close", t.ok if bar.chosen else t.error)
        painter.setPen(QColor(t.text))
        painter.drawText(place.adjusted(20, 0, 0, 0), int(Qt.AlignmentFlag.AlignVCenter), bar.name)
        value = f"{bar.score:.3g}" if bar.score is not None else ""
        words = value if bar.chosen else " · ".join(part for part in (value, bar.why or "not chosen") if part)
        room = max(24.0, (place.width() - names) * 0.45)
        length = max(2.0, room * (bar.score or 0.0) / most) if bar.score is not None else 0.0
        if length:
            box = QRectF(place.left() + names, place.center().y() - 6, length, 12)
            painter.setPen(QPen(QColor(colour), 1))
            pattern = Qt.BrushStyle.SolidPattern if bar.chosen else Qt.BrushStyle.BDiagPattern
            painter.setBrush(QBrush(QColor(colour), pattern))
            painter.drawRoundedRect(box, 2, 2)
        left = place.left() + names + (length + 8 if length else 0)
        painter.setPen(QColor(t.muted if bar.chosen else t.error))
        text = metrics.elidedText(words, Qt.TextElideMode.ElideRight, max(20, int(place.right() - left)))
        painter.drawText(QRectF(left, place.top(), place.right() - left, ROW), int(Qt.AlignmentFlag.AlignVCenter), text)

    def _top(self) -> float:
        return TITLE + (40.0 if self._state.refused else 0.0)

    def _range(self) -> None:
        high = self._top() + len(self._state.bars) * ROW + 6
        self.span(self.verticalScrollBar(), high, self.viewport().height())
