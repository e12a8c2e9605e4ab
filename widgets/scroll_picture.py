"""What painted pictures share that are larger than their place: scroll bars, focus ring, tooltips, no item a cell."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFocusEvent, QHelpEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QScrollBar, QSizePolicy, QToolTip, QWidget

from widgets.access import Role
from widgets.theme import current_tokens, follow
from widgets.tokens import Tokens


class ScrollPicture(QAbstractScrollArea):
    """Subclasses paint what is in sight, say how large the whole is, and what stands at a point."""

    SPOKEN_AS = Role.Graphic

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.viewport().setMouseTracking(True)
        self.viewport().setAutoFillBackground(False)
        self.setAccessibleName(name)
        self.horizontalScrollBar().setSingleStep(24)
        self.verticalScrollBar().setSingleStep(24)
        follow(self)

    def on_theme(self, _tokens: Tokens) -> None:
        """Repaint in the new colours."""
        self.viewport().update()

    def sizeHint(self) -> QSize:
        """A comfortable size."""
        return QSize(420, 220)

    def minimumSizeHint(self) -> QSize:
        """Scrolls where there is less."""
        return QSize(160, 96)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show the ring."""
        super().focusInEvent(event)
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Hide the ring."""
        super().focusOutEvent(event)
        self.viewport().update()

    def viewportEvent(self, event: QEvent) -> bool:
        """Say what stands under the mouse."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            words = self.words_at(QPointF(event.pos()))
            if words:
                QToolTip.showText(event.globalPos(), words, self)
            else:
                QToolTip.hideText()
            return True
        return super().viewportEvent(event)

    def words_at(self, _at: QPointF) -> str:
        """Return what a tooltip says at a point of the viewport."""
        return ""

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint surface, picture and focus ring."""
        tokens, painter = current_tokens(), QPainter(self.viewport())
        place = QRectF(self.viewport().rect())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(tokens.border), 1))
        painter.setBrush(QColor(tokens.surface))
        painter.drawRoundedRect(place.adjusted(0.5, 0.5, -0.5, -0.5), tokens.radius, tokens.radius)
        painter.save()
        self.paint(painter, place, tokens)
        painter.restore()
        if self.hasFocus():
            painter.setPen(QPen(QColor(tokens.accent), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(place.adjusted(1, 1, -1, -1), tokens.radius, tokens.radius)
        painter.end()

    def paint(self, painter: QPainter, place: QRectF, tokens: Tokens) -> None:
        """Paint what is in sight."""
        raise NotImplementedError

    @staticmethod
    def span(bar: QScrollBar, whole: float, page: float, *, follow_end: bool = False) -> None:
        """Set a scroll bar's range; one that stood at its end stays there where the picture grows."""
        at_end = follow_end and bar.value() >= bar.maximum()
        most = max(0, round(whole - page))
        if (bar.maximum(), bar.pageStep()) != (most, max(1, round(page))):
            bar.setPageStep(max(1, round(page)))
            bar.setRange(0, most)
        if at_end:
            bar.setValue(most)

    @staticmethod
    def reveal(bar: QScrollBar, low: float, high: float, page: float) -> None:
        """Scroll as little as brings a stretch into sight."""
        if low < bar.value():
            bar.setValue(round(low))
        elif high > bar.value() + page:
            bar.setValue(round(high - page))
