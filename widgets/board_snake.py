"""The snake on a grid: body, head and apple."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from widgets.board_state import BoardState
from widgets.tokens import Tokens, mix

DIRECTIONS = {"up": (0, -1), "right": (1, 0), "down": (0, 1), "left": (-1, 0)}


def paint_body(painter: QPainter, rect: QRectF, towards: str, rank: float, t: Tokens, *, dead: bool) -> None:
    """Paint a segment and its joint to the next one; ``rank`` is 0 at the head and 1 at the tail."""
    right, down = DIRECTIONS.get(towards, (0, 0))
    colour = QColor(mix(t.faint if dead else t.accent, t.surface, 0.12 + 0.5 * rank))
    width = rect.width() * (0.70 - 0.18 * rank)
    painter.setPen(QPen(colour, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    centre = rect.center()
    painter.drawLine(centre, QPointF(centre.x() + right * rect.width(), centre.y() + down * rect.height()))


def facing(state: BoardState) -> tuple[int, int]:
    """Where the head looks, as the field named direction says."""
    word = next((text for name, text in state.fields if name == "direction"), "")
    return DIRECTIONS.get(word, (1, 0))


def paint_head(painter: QPainter, rect: QRectF, look: tuple[int, int], t: Tokens, *, dead: bool) -> None:
    """Paint the head with its eyes; a dead one has crosses."""
    side, inset = rect.width(), rect.width() * 0.10
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(t.muted if dead else t.accent))
    painter.drawRoundedRect(rect.adjusted(inset, inset, -inset, -inset), side * 0.32, side * 0.32)
    right, down = look
    ahead = QPointF(rect.center().x() + right * side * 0.14, rect.center().y() + down * side * 0.14)
    for sign in (-1, 1):
        eye = QPointF(ahead.x() + sign * down * side * 0.17, ahead.y() + sign * right * side * 0.17)
        if dead:
            painter.setPen(QPen(QColor(t.surface), max(1.0, side * 0.05)))
            reach = side * 0.07
            painter.drawLine(eye + QPointF(-reach, -reach), eye + QPointF(reach, reach))
            painter.drawLine(eye + QPointF(-reach, reach), eye + QPointF(reach, -reach))
            continue
        painter.setBrush(QColor("#ffffff" if not t.is_dark else t.on_accent))
        painter.drawEllipse(eye, side * 0.09, side * 0.09)
        painter.setBrush(QColor("#171c26" if not t.is_dark else "#ffffff"))
        painter.drawEllipse(eye + QPointF(right * side * 0.03, down * side * 0.03), side * 0.045, side * 0.045)


def paint_apple(painter: QPainter, rect: QRectF, t: Tokens) -> None:
    """Paint an apple with its stalk."""
    side, centre = rect.width(), rect.center() + QPointF(0, rect.height() * 0.05)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(t.error))
    painter.drawEllipse(centre, side * 0.28, side * 0.28)
    painter.setBrush(QColor(255, 255, 255, 90))
    painter.drawEllipse(centre + QPointF(-side * 0.09, -side * 0.09), side * 0.07, side * 0.07)
    painter.setPen(QPen(QColor(t.ok), max(1.5, side * 0.08), Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    painter.drawLine(centre + QPointF(0, -side * 0.26), centre + QPointF(side * 0.12, -side * 0.38))
