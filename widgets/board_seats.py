"""What tells seats apart wherever they are drawn: a colour and, so that colour is not all there is, a shape."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from widgets.tokens import Tokens


def seat_colour(seat: int, t: Tokens) -> QColor:
    """The colour of a seat; that of nobody (-1) is grey."""
    return QColor(t.series[seat % len(t.series)] if seat >= 0 else t.neutral)


def paint_mark(painter: QPainter, centre: QPointF, radius: float, seat: int, t: Tokens) -> None:
    """Paint a seat's mark: seat 0 is a full disc, seat 1 a disc with an eye, others have more of a ring."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(seat_colour(seat, t))
    painter.drawEllipse(centre, radius, radius)
    if seat > 0:
        painter.setBrush(QColor(t.surface))
        share = min(0.75, 0.25 + 0.15 * seat)
        painter.drawEllipse(centre, radius * share, radius * share)


def paint_stone(painter: QPainter, rect: QRectF, seat: int, t: Tokens) -> None:
    """Paint a seat's stone into a cell, with a rim and the seat's mark on it."""
    colour, radius, centre = seat_colour(seat, t), rect.width() * 0.39, rect.center()
    painter.setPen(QPen(colour.darker(125), max(1.0, radius * 0.12)))
    painter.setBrush(colour)
    painter.drawEllipse(centre, radius, radius)
    rim = QColor(t.surface)
    rim.setAlpha(170)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(rim, max(1.0, radius * 0.09)))
    painter.drawEllipse(centre, radius * 0.68, radius * 0.68)
    if seat > 0:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(rim)
        painter.drawEllipse(centre, radius * 0.26, radius * 0.26)
