"""What painted pictures share: a title, a place that keeps its shape, a description for screen readers."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets.access import Role
from widgets.fonts import scaled
from widgets.theme import current_tokens, follow
from widgets.tokens import Tokens

TITLE = 26


class Picture(QWidget):
    """A picture with a title; subclasses paint into the place beneath it."""

    SPOKEN_AS = Role.Graphic

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._heading = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(180, 160)
        follow(self)

    def sizeHint(self) -> QSize:
        """A comfortable size."""
        return QSize(320, 260)

    def on_theme(self, _tokens: Tokens) -> None:
        """Repaint in the new colours."""
        self.update()

    def say(self, title: str, name: str, words: str) -> None:
        """Take the title, the accessible name and what the picture shows in words."""
        self._heading = title
        self.setAccessibleName(name)
        self.setAccessibleDescription(words)
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint title and picture."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        tokens = current_tokens()
        place = QRectF(self.rect())
        if self._heading:
            painter.setPen(QColor(tokens.text))
            painter.setFont(scaled(self.font(), 0, QFont.Weight.DemiBold))
            top = QRectF(place.left(), place.top(), place.width(), TITLE - 4)
            text = painter.fontMetrics().elidedText(self._heading, Qt.TextElideMode.ElideRight, int(top.width()))
            painter.drawText(top, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), text)
            place.setTop(place.top() + TITLE)
        painter.setFont(scaled(self.font(), -1))
        self.paint(painter, place, tokens)

    def paint(self, painter: QPainter, place: QRectF, tokens: Tokens) -> None:
        """Paint the picture into its place."""
        raise NotImplementedError

    def export_png(self, path: str) -> bool:
        """Write what is shown as a PNG; False when it could not be written."""
        return self.grab().save(path, "PNG")


def path_line(painter: QPainter, points: list[QPointF], colour: str, width: float = 1.0) -> None:
    """Draw a path, its start as a ring and its end as a dot: the direction does not rest on a colour."""
    if not points:
        return
    thin = len(points) > 1500  # antialiasing takes ten times as long, and many short pieces hide the steps
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, not thin)
    painter.setPen(QPen(QColor(colour), 1 if thin else width))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPolyline(QPolygonF(points))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    painter.setPen(QPen(QColor(colour), 1.5))
    painter.drawEllipse(points[0], 3.0, 3.0)
    painter.setBrush(QColor(colour))
    painter.drawEllipse(points[-1], 4.0, 4.0)


def star(painter: QPainter, at: QPointF, tokens: Tokens, radius: float = 6.0) -> None:
    """Mark an equilibrium: a diamond with a light edge."""
    corners = [QPointF(0, -radius), QPointF(radius, 0), QPointF(0, radius), QPointF(-radius, 0)]
    painter.setPen(QPen(QColor(tokens.surface), 1.5))
    painter.setBrush(QColor(tokens.ok))
    painter.drawPolygon(QPolygonF([at + corner for corner in corners]))


def text_at(
    painter: QPainter, at: QPointF, text: str, align: str, bounds: QRectF, taken: list[QRectF] | None = None
) -> None:
    """Draw a short text beside a point, kept inside ``bounds``: align is left, right, above, below or center.

    With ``taken`` it is left out where it would hide another text, and noted there where it is drawn.
    """
    metrics = painter.fontMetrics()
    width = min(metrics.horizontalAdvance(text) + 2.0, bounds.width())
    height = float(metrics.height())
    left = {"left": at.x() + 8, "right": at.x() - width - 8}.get(align, at.x() - width / 2)
    top = {"above": at.y() - height - 6, "below": at.y() + 6}.get(align, at.y() - height / 2)
    left = max(bounds.left(), min(left, bounds.right() - width))
    top = max(bounds.top(), min(top, bounds.bottom() - height))
    shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, int(width) + 1)
    place = QRectF(left, top, width, height)
    if taken is not None:
        if any(place.intersects(other) for other in taken):
            return
        taken.append(place)
    painter.drawText(place, int(Qt.AlignmentFlag.AlignCenter), shown)
