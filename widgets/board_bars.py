"""Allocations: one group of bars a label, one bar a seat, and the rounds before beneath."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from widgets.board_history import BoardWithRounds
from widgets.board_parts import BarGroup
from widgets.board_picture import StatePicture
from widgets.board_seats import paint_mark, seat_colour
from widgets.fonts import scaled
from widgets.theme import current_tokens
from widgets.tokens import Tokens, mix

_MIDDLE = int(Qt.AlignmentFlag.AlignCenter)


class Bars(StatePicture):
    """The chart."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Allocations", QSize(240, 130), QSize(440, 240), parent)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the legend, the ground line, the bars with their values, and the labels."""
        groups, t = self._state.groups, current_tokens()
        if not groups:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        top = self._paint_legend(painter, t)
        area = QRectF(4, top + 20, self.width() - 8, self.height() - top - 46)
        values = [value for group in groups for value in group.values]
        low, high = min(0, *values, 0), max(1, *values, 1)
        count = max(len(group.values) for group in groups)
        zero = area.bottom() - area.height() * (0 - low) / (high - low)
        painter.setPen(QPen(QColor(t.border_strong), 1))
        painter.drawLine(QPointF(area.left(), round(zero) + 0.5), QPointF(area.right(), round(zero) + 0.5))
        for at in range(count):
            slot = QRectF(area.left() + area.width() * at / count, area.top(), area.width() / count, area.height())
            self._paint_label(painter, slot, at, t)
            for place, group in enumerate(groups):
                if at < len(group.values):
                    wide = slot.width() * 0.76 / len(groups)
                    x = slot.left() + slot.width() * 0.12 + place * wide
                    reach = area.height() * group.values[at] / (high - low)
                    box = QRectF(x + 1.5, zero - reach, wide - 3, reach).normalized()
                    self._paint_bar(painter, box, group, group.values[at], t)

    def _paint_bar(self, painter: QPainter, box: QRectF, group: BarGroup, value: int, t: Tokens) -> None:
        colour = seat_colour(group.seat, t)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        radius = min(3.0, box.width() / 4)
        painter.drawRoundedRect(box, radius, radius)
        if group.seat > 0:  # hatched, so that colour is not all there is
            painter.setBrush(QBrush(QColor(mix(colour.name(), t.surface, 0.45)), Qt.BrushStyle.BDiagPattern))
            painter.drawRoundedRect(box, radius, radius)
        painter.setPen(QColor(t.text))
        painter.setFont(scaled(self.font(), -1))
        if painter.fontMetrics().horizontalAdvance(f"{value}") <= box.width() + 6:
            above = QRectF(box.center().x() - 30, box.top() - 17 if value >= 0 else box.bottom() + 1, 60, 16)
            painter.drawText(above, _MIDDLE, f"{value}")

    def _paint_label(self, painter: QPainter, slot: QRectF, at: int, t: Tokens) -> None:
        painter.setFont(scaled(self.font(), -1))
        painter.setPen(QColor(t.muted))
        text = self._state.labels[at] if at < len(self._state.labels) else str(at + 1)
        shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(slot.width() - 2))
        painter.drawText(QRectF(slot.left(), self.height() - 22.0, slot.width(), 18), _MIDDLE, shown)

    def _paint_legend(self, painter: QPainter, t: Tokens) -> float:
        painter.setFont(scaled(self.font(), 0, self.font().Weight.DemiBold))
        x, y = 4.0, 10.0
        for group in self._state.groups:
            who = self._state.seats[group.seat] if 0 <= group.seat < len(self._state.seats) else group.name
            text = f"{who}: {sum(group.values):,}"
            width = painter.fontMetrics().horizontalAdvance(text) + 34
            if x > 4 and x + width > self.width():
                x, y = 4.0, y + 20
            paint_mark(painter, QPointF(x + 6, y), 5, group.seat, t)
            painter.setPen(QColor(t.text))
            box = QRectF(x + 17, y - 9, self.width() - x - 18, 18)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), text)
            x += width
        return y + 10


class BarsBoard(BoardWithRounds):
    """The chart, and the rounds before where the System tells them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Bars(), (2, 3), 280, parent)
