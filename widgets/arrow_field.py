"""Two players with two actions each: the square of their probabilities, with arrows where play would drift."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from widgets.picture import Picture, path_line, star, text_at
from widgets.tokens import Tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEAD = 3.5


@dataclass(frozen=True, eq=False)
class ArrowFieldState:
    """The square: x is player 1's probability of its first action, y player 2's.

    ``arrows`` (n, n, 2) are directions of length at most 1 on an even grid, [row of y, column of x]. ``answers`` are
    the two players' best responses as corner points of broken lines, ``path`` (k, 2) the play so far.
    """

    title: str = ""
    x_label: str = ""
    y_label: str = ""
    arrows: NDArray[Any] | None = None
    answers: tuple[tuple[tuple[float, float], ...], ...] = ()
    equilibria: tuple[tuple[float, float], ...] = ()
    path: NDArray[Any] | None = None
    names: tuple[str, str] = ("Player 1", "Player 2")


class ArrowField(Picture):
    """The square with arrows, best responses, equilibria and the play."""

    def __init__(self, state: ArrowFieldState | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = ArrowFieldState()
        self.set_state(state or ArrowFieldState())

    def set_state(self, state: ArrowFieldState) -> None:
        """Show a field."""
        self._state = state
        words = "; ".join(f"equilibrium at {x:.3f}, {y:.3f}" for x, y in state.equilibria)
        if state.path is not None and len(state.path):
            words = f"now at {state.path[-1][0]:.3f}, {state.path[-1][1]:.3f}; {words}"
        self.say(state.title, f"Field of directions {state.title}", words)

    def paint(self, painter: QPainter, place: QRectF, tokens: Tokens) -> None:
        """Paint frame, arrows, answers, play, equilibria."""
        line = painter.fontMetrics().height() + 4.0
        square = _square(place.adjusted(line + 32, 6, -8, -2 * line - line))
        painter.setPen(QPen(QColor(tokens.border_strong), 1))
        painter.setBrush(QColor(tokens.sunken))
        painter.drawRect(square)
        self._axes(painter, square, place, tokens)
        self._arrows(painter, square, tokens)
        for at, answer in enumerate(self._state.answers):
            painter.setPen(
                QPen(QColor(tokens.series[1 + at]), 2, (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine)[at % 2])
            )
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawPolyline(QPolygonF([_at(square, point) for point in answer]))
        if self._state.path is not None:
            path_line(painter, [_at(square, point) for point in self._state.path], tokens.series[0], 1.5)
        for found in self._state.equilibria:
            star(painter, _at(square, found), tokens)
        self._legend(painter, square, place, tokens)

    def _axes(self, painter: QPainter, square: QRectF, place: QRectF, tokens: Tokens) -> None:
        painter.setPen(QColor(tokens.muted))
        for value, text in ((0.0, "0"), (0.5, "0.5"), (1.0, "1")):
            text_at(painter, _at(square, (value, 0)), text, "below", place)
            text_at(painter, _at(square, (0, value)), text, "right", place)
        text_at(painter, QPointF(square.center().x(), square.bottom() + 18), self._state.x_label, "below", place)
        painter.save()
        painter.translate(square.left() - 42, square.center().y())
        painter.rotate(-90)
        width = square.height() + 40
        shown = painter.fontMetrics().elidedText(self._state.y_label, Qt.TextElideMode.ElideRight, int(width))
        painter.drawText(QRectF(-width / 2, -10, width, 20), int(Qt.AlignmentFlag.AlignCenter), shown)
        painter.restore()

    def _arrows(self, painter: QPainter, square: QRectF, tokens: Tokens) -> None:
        arrows = self._state.arrows
        if arrows is None:
            return
        count = len(arrows)
        reach = square.width() / count * 0.75
        painter.setPen(QPen(QColor(tokens.faint), 1))
        painter.setBrush(QColor(tokens.faint))
        for row in range(count):
            for column in range(count):
                middle = _at(square, ((column + 0.5) / count, (row + 0.5) / count))
                _arrow(painter, middle, float(arrows[row][column][0]) * reach, -float(arrows[row][column][1]) * reach)

    def _legend(self, painter: QPainter, square: QRectF, place: QRectF, tokens: Tokens) -> None:
        if not self._state.answers:
            return
        metrics = painter.fontMetrics()
        left, y = square.left(), place.bottom() - metrics.height() / 2 - 1
        words = [f"{name}'s best response" for name in self._state.names]
        if sum(metrics.horizontalAdvance(word) + 38 for word in words) > place.right() - left:
            words = list(self._state.names)
            left = max(place.left(), min(left, place.right() - sum(metrics.horizontalAdvance(w) + 38 for w in words)))
        for at, word in enumerate(words):
            painter.setPen(
                QPen(QColor(tokens.series[1 + at]), 2, (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine)[at % 2])
            )
            painter.drawLine(QPointF(left, y), QPointF(left + 18, y))
            painter.setPen(QColor(tokens.muted))
            width = metrics.horizontalAdvance(word)
            painter.drawText(QPointF(left + 23, y + metrics.ascent() / 2 - 1), word)
            left += width + 38


def _answer_pen(player: int, tokens: Tokens) -> QPen:
    """The two differ by more than their colour."""
    style = Qt.PenStyle.DashLine if player else Qt.PenStyle.SolidLine
    return QPen(QColor(tokens.series[1 + player]), 2, style)


def _square(room: QRectF) -> QRectF:
    side = max(40.0, min(room.width(), room.height()))
    return QRectF(room.center().x() - side / 2, room.top(), side, side)


def _at(square: QRectF, point: Any) -> QPointF:
    x, y = float(point[0]), float(point[1])
    return QPointF(square.left() + x * square.width(), square.bottom() - y * square.height())


def _arrow(painter: QPainter, middle: QPointF, dx: float, dy: float) -> None:
    length = math.hypot(dx, dy)
    if length < 1.5:
        painter.drawEllipse(middle, 0.8, 0.8)
        return
    tip, tail = middle + QPointF(dx, dy) / 2, middle - QPointF(dx, dy) / 2
    ux, uy = dx / length, dy / length
    head = min(HEAD, length / 2)
    painter.drawLine(tail, tip)
    painter.drawPolygon(
        QPolygonF([
            tip,
            tip - QPointF(ux * 2 * head - uy * head, uy * 2 * head + ux * head),
            tip - QPointF(ux * 2 * head + uy * head, uy * 2 * head - ux * head),
        ])
    )  # fmt: skip
