"""All curves of a plot as one item: mapped to pixels at once and painted as plain lines.

pyqtgraph makes an item of each curve, with bounds, a path and a transform of its own; for twenty curves that costs more
than their lines do. Here the points are asked for when the item is painted: however often data and ranges change
between two frames, they are thinned out once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from pyqtgraph.functions import create_qpolygonf, ndarray_from_qpolygonf
from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter, QPen, QPolygonF

FAR = 1e6  # pixels: what lies farther off is drawn there, which Qt can still do sums with


@dataclass
class Line:
    """A curve as it was last asked for: places in the plot's coordinates, in order of x."""

    pen: QPen
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    antialias: bool = False

    def getData(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the points, by the name that pyqtgraph has for it."""
        return self.x, self.y


class CurvesItem(pg.GraphicsObject):  # type: ignore[misc]
    """Paints what ``lines()`` gives; ``changed`` says that it would give something else."""

    def __init__(self, lines: Callable[[], Sequence[Line]]) -> None:
        super().__init__()
        self._lines = lines
        self._polygons: list[QPolygonF] = []

    def changed(self) -> None:
        """Paint anew, with what there is by then."""
        self.update()

    def viewRangeChanged(self) -> None:
        """Cover the new range."""
        self.prepareGeometryChange()

    def boundingRect(self) -> QRectF:
        """All that is in view."""
        return QRectF(self.viewRect())

    def paint(self, painter: QPainter, _option: Any = None, _widget: Any = None) -> None:
        """Paint the lines in the coordinates of pixels."""
        lines = self._lines()
        to = painter.worldTransform()
        painter.save()
        painter.resetTransform()
        while len(self._polygons) < len(lines):
            self._polygons.append(QPolygonF())
        for at, line in enumerate(lines):
            if self._polygons[at].size() != len(line.x):
                self._polygons[at] = create_qpolygonf(len(line.x))
            if not len(line.x):
                continue
            places = ndarray_from_qpolygonf(self._polygons[at])
            np.multiply(line.x, to.m11(), out=places[:, 0])
            np.multiply(line.y, to.m22(), out=places[:, 1])
            places += (to.dx(), to.dy())
            np.clip(places, -FAR, FAR, out=places)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, line.antialias)
            painter.setPen(line.pen)
            painter.drawPolyline(self._polygons[at])
        painter.restore()
