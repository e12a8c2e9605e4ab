"""A strategy of three actions as a point of a triangle: each corner is an action played for certain."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from widgets.curve_plot import series_colour
from widgets.picture import Picture, path_line, star, text_at
from widgets.theme import current_tokens
from widgets.tokens import Tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

GRID = 4
MANY = 256  # points of a way, above which those that cannot be told apart are left out


@dataclass(frozen=True, eq=False)
class SimplexPath:
    """A way through the triangle: ``points`` (k, 3), each row a strategy."""

    name: str
    points: NDArray[Any]
    colour: int = 0


@dataclass(frozen=True, eq=False)
class SimplexState:
    """The names of the three actions, ways, and the equilibria as strategies of three numbers."""

    title: str = ""
    corners: tuple[str, str, str] = ("1", "2", "3")
    paths: tuple[SimplexPath, ...] = ()
    equilibria: tuple[tuple[float, float, float], ...] = ()


class SimplexView(Picture):
    """The triangle with its ways; a ring marks where one began, a dot where it is."""

    def __init__(self, state: SimplexState | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumSize(120, 140)
        self._state = SimplexState()
        self.set_state(state or SimplexState())

    def set_state(self, state: SimplexState) -> None:
        """Show ways."""
        self._state = state
        now = [
            f"{path.name} at " + ", ".join(f"{c} {v:.3f}" for c, v in zip(state.corners, path.points[-1], strict=True))
            for path in state.paths
            if len(path.points)
        ]
        known = f"; {len(state.equilibria)} equilibria marked" if state.equilibria else ""
        self.say(state.title, f"Triangle of strategies {state.title}", "; ".join(now) + known)

    def paint(self, painter: QPainter, place: QRectF, tokens: Tokens) -> None:
        """Paint triangle, grid, ways and equilibria."""
        corners = triangle(place, painter.fontMetrics().height() + 6.0)
        painter.setPen(QPen(QColor(tokens.border_strong), 1))
        painter.setBrush(QColor(tokens.sunken))
        painter.drawPolygon(QPolygonF(corners))
        painter.setPen(QPen(QColor(tokens.border), 1))
        for at in range(1, GRID):
            share = at / GRID
            for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
                painter.drawLine(_mix(corners[a], corners[b], share), _mix(corners[a], corners[c], share))
        painter.setPen(QColor(tokens.muted))
        for corner, name, side in zip(corners, self._state.corners, ("below", "below", "above"), strict=True):
            text_at(painter, corner, name, side, place)
        for path in self._state.paths:
            points = places_of(corners, path.points)
            path_line(painter, points, series_colour(current_tokens(), path.colour), 1.5)
        for found in self._state.equilibria:
            star(painter, place_of(corners, found), tokens)
        painter.setBrush(Qt.BrushStyle.NoBrush)


def triangle(place: QRectF, text: float) -> list[QPointF]:
    """The corners of the largest even triangle with room for a line of text above and below: left, right, top."""
    room = place.adjusted(8, text, -8, -text)
    side = min(room.width(), room.height() * 2 / math.sqrt(3))
    height = side * math.sqrt(3) / 2
    middle = room.center()
    left, bottom = middle.x() - side / 2, middle.y() + height / 2
    return [QPointF(left, bottom), QPointF(left + side, bottom), QPointF(left + side / 2, bottom - height)]


def place_of(corners: list[QPointF], strategy: Any) -> QPointF:
    """Where a strategy lies: the corners weighed by its probabilities."""
    x = sum(float(p) * corner.x() for p, corner in zip(strategy, corners, strict=True))
    y = sum(float(p) * corner.y() for p, corner in zip(strategy, corners, strict=True))
    return QPointF(x, y)


def places_of(corners: list[QPointF], strategies: Any) -> list[QPointF]:
    """Where many strategies (k, 3) lie, without those that come to lie where the one before does, to half a pixel."""
    import numpy as np

    at = np.asarray(strategies) @ np.array([[corner.x(), corner.y()] for corner in corners])
    if len(at) > MANY:
        moved = (np.diff(np.rint(2 * at), axis=0) != 0).any(axis=1)
        moved[-1] = True  # the end is marked, and stays where it is
        at = at[np.concatenate(([True], moved))]
    return [QPointF(x, y) for x, y in at.tolist()]


def _mix(a: QPointF, b: QPointF, share: float) -> QPointF:
    return a + (b - a) * share
