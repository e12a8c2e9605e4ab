"""Agents' positions in a space with named coordinates: a strip for each name, or columns where there are many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QPixmap, QPolygonF
from PySide6.QtWidgets import QWidget

from widgets.access import Role
from widgets.curve_plot import series_colour
from widgets.picture import Picture, star, text_at
from widgets.tokens import Tokens, mix

if TYPE_CHECKING:
    from numpy.typing import NDArray

STRIPS = 14  # names up to which each gets a strip
LANES = 9  # so many agents of a strip lie beneath each other
LEGEND = 20


@dataclass(frozen=True, eq=False)
class LabelPlotState:
    """``positions`` and ``ideals`` (n, d), ``consensus`` (d,) over ``labels``; ``left_out`` numbers of agents.

    ``unit`` says that coordinates lie in [0, 1], which is then the axis.
    """

    title: str = ""
    labels: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    positions: NDArray[Any] | None = None
    ideals: NDArray[Any] | None = None
    consensus: NDArray[Any] | None = None
    left_out: tuple[int, ...] = ()
    unit: bool = False


class LabelPlot(Picture):
    """Ticks are what agents want, dots where they stand, diamonds the consensus; a ring marks who is left out."""

    SPOKEN_AS = Role.Chart

    def __init__(self, state: LabelPlotState | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = LabelPlotState()
        self._made: tuple[tuple[Any, ...], QPixmap] | None = None
        self.set_state(state or LabelPlotState())

    def set_state(self, state: LabelPlotState) -> None:
        """Show agents."""
        self._state = state
        words = []
        if state.consensus is not None:
            pairs = zip(state.labels[:STRIPS], state.consensus, strict=False)
            words.append("consensus " + ", ".join(f"{name} {float(value):.4g}" for name, value in pairs))
        words += [f"{state.names[at]} is left out" for at in state.left_out if at < len(state.names)]
        self.say(state.title, f"Positions by label {state.title}", "; ".join(words))

    def paint(self, painter: QPainter, place: QRectF, tokens: Tokens) -> None:
        """Paint from what was painted last where nothing changed: the window repaints more often than agents move."""
        ratio = self.devicePixelRatioF()
        key = (id(self._state), place.width(), place.height(), ratio, tokens.name)
        if self._made is None or self._made[0] != key:
            pixmap = QPixmap(round(place.width() * ratio), round(place.height() * ratio))
            pixmap.setDevicePixelRatio(ratio)
            pixmap.fill(Qt.GlobalColor.transparent)
            inner = QPainter(pixmap)
            inner.setRenderHint(QPainter.RenderHint.Antialiasing)
            inner.setFont(painter.font())
            self._picture(inner, QRectF(0, 0, place.width(), place.height()), tokens)
            inner.end()
            self._made = (key, pixmap)
        painter.drawPixmap(place.topLeft(), self._made[1])

    def _picture(self, painter: QPainter, place: QRectF, tokens: Tokens) -> None:
        """Paint the strips or the columns, and what the signs mean."""
        state = self._state
        room = place.adjusted(0, 0, -2, -LEGEND)
        low, high = _span(state)
        if len(state.labels) <= STRIPS:
            foot = self._strips(painter, room, (low, high), tokens)
        else:
            self._columns(painter, room, (low, high), tokens)
            foot = room.bottom()
        self._legend(painter, QRectF(place.left(), foot + 2, place.width(), LEGEND - 2), tokens)

    # A strip for each label

    def _strips(self, painter: QPainter, place: QRectF, span: tuple[float, float], t: Tokens) -> float:
        """Paint the strips and return where they end."""
        state, metrics = self._state, painter.fontMetrics()
        names = min(place.width() * 0.34, 12.0 + max((metrics.horizontalAdvance(w) for w in state.labels), default=0))
        value = metrics.horizontalAdvance("-0.0000") + 10.0
        axis = metrics.height() + 4.0
        track = QRectF(place.left() + names, place.top(), max(20.0, place.width() - names - value), 0)
        height = min(84.0, (place.height() - axis) / max(1, len(state.labels)))
        for at, name in enumerate(state.labels):
            strip = QRectF(track.left(), place.top() + at * height, track.width(), height)
            middle = int(Qt.AlignmentFlag.AlignVCenter)
            painter.setPen(QColor(t.text))
            left = QRectF(place.left(), strip.top(), names - 10, height)
            shown = metrics.elidedText(name, Qt.TextElideMode.ElideRight, int(left.width()))
            painter.drawText(left, middle | int(Qt.AlignmentFlag.AlignLeft), shown)
            self._strip(painter, strip, at, span, t)
            if state.consensus is not None:
                painter.setPen(QColor(t.ok))
                right = QRectF(strip.right() + 8, strip.top(), value - 8, height)
                text = f"{float(state.consensus[at]):.4f}"
                painter.drawText(right, middle | int(Qt.AlignmentFlag.AlignRight), text)
        painter.setPen(QColor(t.muted))
        foot = place.top() + len(state.labels) * height
        for share in (0.0, 0.5, 1.0):
            text = f"{span[0] + share * (span[1] - span[0]):.3g}"
            text_at(painter, QPointF(track.left() + share * track.width(), foot - 4), text, "below", place)
        return foot + axis

    def _strip(self, painter: QPainter, strip: QRectF, label: int, span: tuple[float, float], t: Tokens) -> None:
        """Paint one label's track: ticks, dots in lanes so that they do not hide each other, the diamond."""
        state = self._state
        bed = strip.adjusted(0, 2, 0, -2)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(t.sunken))
        painter.drawRoundedRect(bed, 3, 3)
        painter.setPen(QPen(QColor(t.border), 1))
        for share in (0.25, 0.5, 0.75):
            x = bed.left() + share * bed.width()
            painter.drawLine(QPointF(x, bed.top()), QPointF(x, bed.bottom()))
        count = 0 if state.positions is None else len(state.positions)
        radius = max(2.0, min(4.5, bed.height() / 6))
        for agent in range(count):
            colour = series_colour(t, agent)
            lane = (2 * (agent % LANES) + 1) / min(count, LANES) - 1
            y = bed.center().y() + lane * max(0.0, bed.height() / 2 - radius - 2)
            assert state.positions is not None
            at = QPointF(_x(bed, span, state.positions[agent, label]), y)
            if state.ideals is not None:
                painter.setPen(QPen(QColor(mix(colour, t.sunken, 0.35)), 1.5))
                wish = _x(bed, span, state.ideals[agent, label])
                painter.drawLine(QPointF(wish, y - radius), QPointF(wish, y + radius))
                painter.setPen(QPen(QColor(mix(colour, t.sunken, 0.6)), 1))
                painter.drawLine(QPointF(wish, y), at)
            painter.setPen(QPen(QColor(t.sunken), 1))
            painter.setBrush(QColor(colour))
            painter.drawEllipse(at, radius, radius)
            if agent in state.left_out:
                painter.setPen(QPen(QColor(t.error), 2))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawEllipse(at, radius + 3, radius + 3)
        if state.consensus is not None:
            x = _x(bed, span, state.consensus[label])
            painter.setPen(QPen(QColor(t.ok), 1.5))
            painter.drawLine(QPointF(x, bed.top()), QPointF(x, bed.bottom()))
            star(painter, QPointF(x, bed.top() + 1), t, 5.0)  # at the edge it hides no agent

    # Many labels: a line an agent

    def _columns(self, painter: QPainter, place: QRectF, span: tuple[float, float], t: Tokens) -> None:
        state, metrics = self._state, painter.fontMetrics()
        left = metrics.horizontalAdvance("-0.000") + 10.0
        inner = place.adjusted(left, 4, -4, -metrics.height() - 6.0)
        painter.setPen(QPen(QColor(t.border_strong), 1))
        painter.setBrush(QColor(t.sunken))
        painter.drawRect(inner)
        painter.setPen(QColor(t.muted))
        for share in (0.0, 0.5, 1.0):
            y = inner.bottom() - share * inner.height()
            text_at(painter, QPointF(inner.left(), y), f"{span[0] + share * (span[1] - span[0]):.3g}", "right", place)
        count = len(state.labels)
        xs = [inner.left() + (at + 0.5) / count * inner.width() for at in range(count)]
        taken: list[QRectF] = []
        for at, name in enumerate(state.labels):
            text_at(painter, QPointF(xs[at], inner.bottom()), name, "below", place.adjusted(0, 0, 0, 8), taken)
        if state.positions is None:
            return
        painter.setClipRect(inner)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        heights = inner.bottom() - (state.positions - span[0]) / (span[1] - span[0]) * inner.height()
        out = set(state.left_out)
        groups: dict[str, list[int]] = {}
        for agent in range(len(heights)):
            if agent not in out:
                groups.setdefault(series_colour(t, agent), []).append(agent)
        for colour, agents in groups.items():
            painter.setPen(QPen(QColor(mix(colour, t.sunken, 0.45)), 1))
            painter.drawPath(_lines(xs, heights[agents]))
        painter.setPen(QPen(QColor(t.error), 1, Qt.PenStyle.DashLine))
        painter.drawPath(_lines(xs, heights[sorted(out)]))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        if state.consensus is not None:
            middle = (inner.bottom() - (state.consensus - span[0]) / (span[1] - span[0]) * inner.height()).tolist()
            points = [QPointF(x, y) for x, y in zip(xs, middle, strict=True)]
            painter.setPen(QPen(QColor(t.ok), 2))
            painter.drawPolyline(QPolygonF(points))
            for point in points:
                star(painter, point, t, 3.5)
        painter.setClipping(False)

    def _legend(self, painter: QPainter, place: QRectF, t: Tokens) -> None:
        state, x, y = self._state, place.left() + 8, place.center().y()
        if state.positions is None:
            return
        parts = [("wanted", "tick"), ("position", "dot")] if len(state.labels) <= STRIPS else [("position", "line")]
        parts += [("consensus", "star")] if state.consensus is not None else []
        parts += [("left out", "ring")] if state.left_out else []
        for text, sign in parts:
            at = QPointF(x, y)
            painter.setPen(QPen(QColor(t.muted), 1.5))
            painter.setBrush(QColor(t.muted))
            if sign == "tick":
                painter.drawLine(at + QPointF(0, -4), at + QPointF(0, 4))
            elif sign == "dot":
                painter.drawEllipse(at, 3.5, 3.5)
            elif sign == "line":
                painter.drawLine(at + QPointF(-5, 0), at + QPointF(5, 0))
            elif sign == "star":
                star(painter, at, t, 5.0)
            else:
                painter.setPen(QPen(QColor(t.error), 2))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawEllipse(at, 4.5, 4.5)
            painter.setPen(QColor(t.muted))
            painter.drawText(QPointF(x + 10, y + painter.fontMetrics().ascent() / 2 - 1), text)
            x += painter.fontMetrics().horizontalAdvance(text) + 32


def _lines(xs: list[float], heights: NDArray[Any]) -> QPainterPath:
    """Return lines (n, d) as one path: point by point they would take ten times as long."""
    import numpy as np
    from pyqtgraph.functions import arrayToQPath

    if not heights.size:
        return QPainterPath()
    joined = np.ones(heights.shape, dtype=bool)
    joined[:, -1] = False
    x = np.tile(np.asarray(xs), len(heights))
    made: QPainterPath = arrayToQPath(x, np.ascontiguousarray(heights).ravel(), joined.ravel(), finiteCheck=False)
    return made


def _span(state: LabelPlotState) -> tuple[float, float]:
    """Return the values that the axis shows: [0, 1] where all lies in it."""
    import numpy as np

    parts = [p for p in (state.positions, state.ideals, state.consensus) if p is not None and p.size]
    if not parts:
        return 0.0, 1.0
    low, high = min(float(p.min()) for p in parts), max(float(p.max()) for p in parts)
    if not np.isfinite([low, high]).all():
        return 0.0, 1.0
    if state.unit:
        low, high = min(0.0, low), max(1.0, high) if len(state.labels) <= STRIPS else high * 1.05
    room = (high - low) * 0.04 if low < 0 or high > 1 else 0.0
    return low - room, high + room if high > low else low + 1.0


def _x(bed: QRectF, span: tuple[float, float], value: Any) -> float:
    return bed.left() + (float(value) - span[0]) / (span[1] - span[0]) * bed.width()
