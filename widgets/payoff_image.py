"""Payoffs of a large game as a picture: a pixel an outcome, or the mean of many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QImage, QLinearGradient, QPainter, QPen
from PySide6.QtWidgets import QWidget

from widgets.picture import Picture, text_at
from widgets.tokens import Tokens, mix

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST = 256  # pixels a side
SHADES = 64


@dataclass(frozen=True, eq=False)
class PayoffImageState:
    """``values`` (rows, columns), at most 256 each way; ``rows`` and ``columns`` are the players' names."""

    title: str = ""
    values: NDArray[Any] | None = None
    rows: str = ""
    columns: str = ""


class PayoffImage(Picture):
    """The picture with the scale of its shades beside it."""

    def __init__(self, state: PayoffImageState | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = PayoffImageState()
        self._image: QImage | None = None
        self._low, self._high = 0.0, 0.0
        self.set_state(state or PayoffImageState())

    def set_state(self, state: PayoffImageState) -> None:
        """Show payoffs."""
        self._state, self._image = state, None
        words = ""
        if state.values is not None:
            self._low, self._high = float(state.values.min()), float(state.values.max())
            words = f"from {self._low:.4g} to {self._high:.4g}"
        self.say(state.title, f"Picture of payoffs {state.title}", words)

    def on_theme(self, tokens: Tokens) -> None:
        """Shade anew."""
        self._image = None
        super().on_theme(tokens)

    def paint(self, painter: QPainter, place: QRectF, tokens: Tokens) -> None:
        """Paint pixels, frame and scale."""
        if self._state.values is None:
            return
        if self._image is None:
            self._image = _shaded(self._state.values, self._low, self._high, tokens)
        line = painter.fontMetrics().height() + 4.0
        room = place.adjusted(0, 0, -86, -line)
        rows, columns = self._state.values.shape
        scale = min(room.width() / columns, room.height() / rows)
        inner = QRectF(room.left(), room.top(), columns * scale, rows * scale)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, scale < 1)
        painter.drawImage(inner, self._image)
        painter.setPen(QPen(QColor(tokens.border_strong), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(inner)
        painter.setPen(QColor(tokens.muted))
        words = f"rows: {self._state.rows}, columns: {self._state.columns}"
        below = QRectF(place.left(), inner.bottom() + 2, place.width(), line)
        painter.drawText(below, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), words)
        bar = QRectF(inner.right() + 12, inner.top(), 12, min(inner.height(), 160))
        shades = QLinearGradient(bar.topLeft(), bar.bottomLeft())
        shades.setColorAt(0, QColor(_shade(1.0, tokens)))
        shades.setColorAt(1, QColor(_shade(0.0, tokens)))
        painter.fillRect(bar, shades)
        for value, y in ((self._high, bar.top() + 8), (self._low, bar.bottom() - 8)):
            place_of = bar.center()
            place_of.setX(bar.right())
            place_of.setY(y)
            text_at(painter, place_of, f"{value:.4g}", "left", place)


def reduced(values: NDArray[Any], most: int = MOST) -> NDArray[Any]:
    """The means of equal blocks, so that at most ``most`` rows and columns remain."""
    import numpy as np

    made = values
    for axis in (0, 1):
        size = made.shape[axis]
        if size > most:
            edges = np.linspace(0, size, most + 1).astype(int)
            counts = np.diff(edges).reshape((-1, 1) if axis == 0 else (1, -1))
            made = np.add.reduceat(made, edges[:-1], axis=axis) / counts
    return made


def _shade(share: float, tokens: Tokens) -> str:
    return mix(tokens.sunken, tokens.accent, share)


def _shaded(values: NDArray[Any], low: float, high: float, tokens: Tokens) -> QImage:
    import numpy as np

    table = np.array([QColor(_shade(at / (SHADES - 1), tokens)).rgb() for at in range(SHADES)], dtype=np.uint32)
    shares = (values - low) / (high - low) if high > low else np.zeros_like(values)
    pixels = np.ascontiguousarray(table[np.round(shares * (SHADES - 1)).astype(int)])
    height, width = pixels.shape
    return QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGB32).copy()
