"""Agents in a plane: where each would like to be, where it is, and how it came there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from widgets.access import Role
from widgets.curve_plot import series_colour
from widgets.picture import Picture, star, text_at
from widgets.tokens import Tokens, mix

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAMED = 12  # with more agents their names would hide them


@dataclass(frozen=True, eq=False)
class PositionsState:
    """Agents: ``ideals`` and ``positions`` (n, 2), ``trails`` one (k, 2) an agent, ``faulty`` their numbers.

    ``settled`` (n, 2) are the equilibrium's positions, where they are known.
    """

    title: str = ""
    names: tuple[str, ...] = ()
    ideals: NDArray[Any] | None = None
    positions: NDArray[Any] | None = None
    trails: tuple[NDArray[Any], ...] = ()
    settled: NDArray[Any] | None = None
    faulty: tuple[int, ...] = ()
    x_label: str = "first coordinate"
    y_label: str = "second coordinate"


class PositionPlot(Picture):
    """The plane: crosses are ideal points, dots positions, diamonds the equilibrium; a ring marks a faulty agent."""

    SPOKEN_AS = Role.Chart

    def __init__(self, state: PositionsState | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = PositionsState()
        self.set_state(state or PositionsState())

    def set_state(self, state: PositionsState) -> None:
        """Show agents."""
        self._state = state
        words = []
        if state.positions is not None:
            pairs = zip(state.names[:NAMED], state.positions, strict=False)
            words = [f"{name} at {float(at[0]):.4g}, {float(at[1]):.4g}" for name, at in pairs]
        words += [f"{state.names[at]} is faulty" for at in state.faulty if at < len(state.names)]
        self.say(state.title, f"Positions {state.title}", "; ".join(words))

    def paint(self, painter: QPainter, place: QRectF, tokens: Tokens) -> None:
        """Paint frame, trails, ideal points, positions."""
        state = self._state
        line = painter.fontMetrics().height() + 6.0
        inner = place.adjusted(line + 34, 4, -8, -2 * line)
        painter.setPen(QPen(QColor(tokens.border_strong), 1))
        painter.setBrush(QColor(tokens.sunken))
        painter.drawRect(inner)
        if state.ideals is None or not len(state.ideals):
            return
        bounds = _bounds(state, inner)
        self._axes(painter, inner, bounds, place, tokens)
        painter.setClipRect(inner)
        taken: list[QRectF] = []
        for agent in range(len(state.ideals)):
            self._agent(painter, agent, inner, bounds, taken, tokens)
        if state.settled is not None:
            for point in state.settled:
                star(painter, _at(inner, bounds, point), tokens, 3.5)
        painter.setClipping(False)

    def _axes(self, painter: QPainter, inner: QRectF, bounds: QRectF, place: QRectF, tokens: Tokens) -> None:
        painter.setPen(QColor(tokens.muted))
        for share in (0.0, 0.5, 1.0):
            x, y = bounds.left() + share * bounds.width(), bounds.top() + share * bounds.height()
            at = _at(inner, bounds, (x, bounds.top()))
            text_at(painter, at, f"{x:.3g}", "below", place)
            text_at(painter, _at(inner, bounds, (bounds.left(), y)), f"{y:.3g}", "right", place)
        text_at(painter, QPointF(inner.center().x(), inner.bottom() + 16), self._state.x_label, "below", place)

    def _agent(
        self, painter: QPainter, agent: int, inner: QRectF, bounds: QRectF, taken: list[QRectF], tokens: Tokens
    ) -> None:
        state = self._state
        assert state.ideals is not None
        colour = series_colour(tokens, agent)
        ideal = _at(inner, bounds, state.ideals[agent])
        painter.setPen(QPen(QColor(colour), 1.5))
        painter.drawLine(ideal + QPointF(-4, -4), ideal + QPointF(4, 4))
        painter.drawLine(ideal + QPointF(-4, 4), ideal + QPointF(4, -4))
        if agent < len(state.trails) and len(state.trails[agent]) > 1:
            painter.setPen(QPen(QColor(mix(colour, tokens.sunken, 0.35)), 1))
            painter.drawPolyline(QPolygonF([_at(inner, bounds, point) for point in state.trails[agent]]))
        if state.positions is None:
            return
        at = _at(inner, bounds, state.positions[agent])
        painter.setPen(QPen(QColor(tokens.sunken), 1))
        painter.setBrush(QColor(colour))
        painter.drawEllipse(at, 5.0, 5.0)
        if agent in state.faulty:
            painter.setPen(QPen(QColor(tokens.error), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(at, 9.0, 9.0)
        if len(state.ideals) <= NAMED and agent < len(state.names):
            painter.setPen(QColor(tokens.muted))
            text_at(painter, ideal, state.names[agent], "above", inner.adjusted(2, 2, -2, -2), taken)


def _bounds(state: PositionsState, inner: QRectF) -> QRectF:
    """Return the part of the plane to show: everything, both axes to one scale."""
    import numpy as np

    parts = [p for p in (state.ideals, state.positions, state.settled, *state.trails) if p is not None and len(p)]
    points = np.concatenate(parts)
    low, high = points.min(axis=0), points.max(axis=0)
    size = np.maximum(high - low, 1e-9 + 1e-6 * np.abs(points).max()) * 1.15
    scale = max(size[0] / max(1.0, inner.width()), size[1] / max(1.0, inner.height()))
    width, height = scale * inner.width(), scale * inner.height()
    middle = (low + high) / 2
    return QRectF(float(middle[0] - width / 2), float(middle[1] - height / 2), float(width), float(height))


def _at(inner: QRectF, bounds: QRectF, point: Any) -> QPointF:
    x = (float(point[0]) - bounds.left()) / bounds.width()
    y = (float(point[1]) - bounds.top()) / bounds.height()
    return QPointF(inner.left() + x * inner.width(), inner.bottom() - y * inner.height())
