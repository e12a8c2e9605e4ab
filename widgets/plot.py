"""Plots: lines and bars that follow the theme. pyqtgraph is imported when a plot is first shown, not before."""

from __future__ import annotations

import bisect
import weakref
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from widgets.access import announce
from widgets.plot_base import CrossedPlot, PlotBase, PlotMark, legend_entry, tick_texts
from widgets.theme import current_tokens
from widgets.tokens import Tokens

__all__ = ["BarPlot", "BarPlotState", "CrosshairLink", "LinePlot", "LinePlotState", "PlotMark", "Series", "tick_texts"]

if TYPE_CHECKING:  # numpy takes a tenth of a second: not before the first paint
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Series:
    """One curve; x must not decrease."""

    name: str
    x: NDArray[Any]
    y: NDArray[Any]
    dashed: bool = False


@dataclass(frozen=True, eq=False)
class LinePlotState:
    """Curves, labels, marks and an optional fixed y range."""

    title: str = ""
    x_label: str = ""
    y_label: str = ""
    series: tuple[Series, ...] = ()
    marks: tuple[PlotMark, ...] = ()
    y_range: tuple[float, float] | None = None
    empty: str = "No data yet"


@dataclass(frozen=True)
class BarPlotState:
    """Bars with a label each; ``kinds`` colours single bars by status."""

    title: str = ""
    labels: tuple[str, ...] = ()
    values: tuple[float, ...] = ()
    x_label: str = ""
    y_label: str = ""
    kinds: tuple[str, ...] = field(default=())
    empty: str = "No data yet"


class LinePlot(CrossedPlot):
    """Curves decimated to the pixels there are, with marks and a crosshair."""

    def __init__(self, state: LinePlotState | None = None, parent: QWidget | None = None) -> None:
        self._state = LinePlotState()
        self._curves: list[Any] = []
        self._dress: object = None  # what axes and pens were last made for
        super().__init__(parent)
        self.set_state(state or LinePlotState())

    def set_state(self, state: LinePlotState) -> None:
        """Show curves."""
        self._state = state
        self._title.setText(state.title)
        self._title.setVisible(bool(state.title))
        names = ", ".join(s.name for s in state.series)
        self.setAccessibleName(
            f"Line plot {state.title}: {names}" if names else f"Line plot {state.title}: {state.empty}"
        )
        ends = [f"{s.name} from {s.y[0]:.4g} to {s.y[-1]:.4g} at {s.x[-1]:.6g}" for s in state.series if len(s.y)]
        self.setAccessibleDescription("; ".join(ends))
        self._redraw()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Decimate again for the new width."""
        super().resizeEvent(event)
        if self._plot is not None:
            self._redraw()

    def _redraw(self) -> None:
        state = self._state
        points = [(s.x, s.y) for s in state.series if len(s.y)]
        self._show_data(bool(points), state.empty)
        self._legend.setText(self._legend_text(None))
        if self._plot is None:
            return
        import pyqtgraph as pg

        from widgets.decimate import decimate

        tokens = current_tokens()
        self._match_curves(len(state.series), pg)
        self._put_on(tokens, pg)
        buckets = max(50, self._plot.width() // 2)
        for curve, series in zip(self._curves, state.series, strict=True):
            x, y = decimate(series.x, series.y, buckets)
            curve.setData(x, y, skipFiniteCheck=True)
        self._place_marks(state.marks, tokens)
        self._fix_ranges(points)

    def _put_on(self, tokens: Tokens, pg: Any) -> None:
        """Set colours, grid and labels where they changed: the axes are painted anew for each of them."""
        state = self._state
        dress = tokens, state.x_label, state.y_label, tuple(series.dashed for series in state.series)
        if dress == self._dress:
            return
        self._dress = dress
        for index, (curve, series) in enumerate(zip(self._curves, state.series, strict=True)):
            style = Qt.PenStyle.DashLine if series.dashed else Qt.PenStyle.SolidLine
            # Width 1 without antialiasing: anything wider takes Qt's slow path, ten times the frame.
            curve.setPen(pg.mkPen(tokens.series[index % len(tokens.series)], width=1, style=style))
        self._cross.setPen(pg.mkPen(tokens.faint, width=1))
        item = self._plot.getPlotItem()
        item.showGrid(x=False, y=True, alpha=0.25 if tokens.is_dark else 0.35)
        for side, text in (("bottom", state.x_label), ("left", state.y_label)):
            item.setLabel(side, text or None, color=tokens.muted)

    def _match_curves(self, count: int, pg: Any) -> None:
        while len(self._curves) > count:
            self._plot.removeItem(self._curves.pop())
        while len(self._curves) < count:
            curve = pg.PlotCurveItem(antialias=False)
            self._plot.addItem(curve)
            self._curves.append(curve)

    def _fix_ranges(self, points: list[tuple[Any, Any]]) -> None:
        if not points:
            return
        from widgets.decimate import span

        low, high = self._state.y_range or span([y for _, y in points])
        left, right = span([x for x, _ in points])
        pad = (high - low) * 0.05 or 0.5
        self._plot.setXRange(left, right if right > left else left + 1, padding=0.01)
        self._plot.setYRange(low - pad, high + pad, padding=0)

    def _legend_text(self, x: float | None) -> str:
        tokens = current_tokens()
        parts = []
        for index, series in enumerate(self._state.series):
            colour = tokens.series[index % len(tokens.series)]
            value = ""
            if x is not None and len(series.x):
                at = min(bisect.bisect_left(series.x, x), len(series.x) - 1)
                value = f"{series.y[at]:.6g}"
            parts.append(legend_entry(series.name, colour, value, dashed=series.dashed))
        return "&nbsp;&nbsp; ".join(parts)


class BarPlot(PlotBase):
    """Bars with labels beneath; a click on one says which."""

    barClicked = Signal(int)

    def __init__(self, state: BarPlotState | None = None, parent: QWidget | None = None) -> None:
        self._state = BarPlotState()
        self._bars: Any = None
        self._at = -1
        super().__init__(parent)
        self.set_state(state or BarPlotState())

    def set_state(self, state: BarPlotState) -> None:
        """Show bars."""
        if len(state.labels) != len(state.values):
            raise ValueError(f"{len(state.labels)} labels for {len(state.values)} bars")
        self._state = state
        self._title.setText(state.title)
        self._title.setVisible(bool(state.title))
        words = ", ".join(f"{name} {value:g}" for name, value in zip(state.labels, state.values, strict=True))
        self.setAccessibleName(f"Bar plot {state.title}: {words or state.empty}")
        self._redraw()

    def _built(self) -> None:
        self._plot.getPlotItem().vb.setMouseEnabled(x=False, y=False)
        self._plot.scene().sigMouseClicked.connect(self._on_click)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Choose a bar by the arrows, Home and End; Enter is a click on it."""
        last = len(self._state.values) - 1
        start = min(self._at, last)
        moves = {
            Qt.Key.Key_Left: (start if start >= 0 else last + 1) - 1, Qt.Key.Key_Right: start + 1,
            Qt.Key.Key_Home: 0, Qt.Key.Key_End: last,
        }  # fmt: skip
        if event.key() in moves and last >= 0:
            self._at = max(0, min(last, moves[Qt.Key(event.key())]))
            self._redraw()
            announce(self, self.spoken_value())
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and start >= 0:
            self.barClicked.emit(start)
        else:
            super().keyPressEvent(event)

    def _on_click(self, event: Any) -> None:
        at = self._plot.getPlotItem().vb.mapSceneToView(event.scenePos())
        index = round(at.x())
        if 0 <= index < len(self._state.values) and abs(at.x() - index) <= 0.36:
            self.barClicked.emit(index)

    def _redraw(self) -> None:
        state = self._state
        self._show_data(bool(state.values), state.empty)
        chosen = self._at if 0 <= self._at < len(state.values) else -1
        words = f"{state.x_label} {state.labels[chosen]}: {state.values[chosen]:,.6g}" if chosen >= 0 else ""
        self._legend.setText(words)
        if self._plot is None:
            return
        import pyqtgraph as pg

        tokens = current_tokens()
        if self._bars is not None:
            self._plot.removeItem(self._bars)
            self._bars = None
        item = self._plot.getPlotItem()
        for side, text in (("bottom", state.x_label), ("left", state.y_label)):
            item.setLabel(side, text or None, color=tokens.muted)
        if not state.values:
            return
        kinds = state.kinds or ("accent",) * len(state.values)
        brushes = [QColor(tokens.kind(kind)[0]) for kind in kinds]
        pens = [pg.mkPen(tokens.text, width=2) if at == chosen else None for at in range(len(brushes))]
        self._bars = pg.BarGraphItem(
            x=list(range(len(state.values))), height=list(state.values), width=0.64, brushes=brushes, pens=pens
        )
        self._bars.setZValue(10)
        self._plot.addItem(self._bars)
        step = max(1, len(state.labels) // 12)
        item.getAxis("bottom").setTicks([[(i, t) for i, t in enumerate(state.labels) if i % step == 0]])
        item.showGrid(x=False, y=True, alpha=0.25 if tokens.is_dark else 0.35)
        low, high = min(0.0, *state.values), max(0.0, *state.values)
        self._plot.setXRange(-0.6, len(state.values) - 0.4, padding=0)
        self._plot.setYRange(low, high + ((high - low) * 0.08 or 1), padding=0)


class CrosshairLink:
    """Moves the crosshairs of several line plots together."""

    def __init__(self, plots: Iterable[LinePlot]) -> None:
        self._plots = [weakref.ref(plot) for plot in plots]
        for ref in self._plots:
            plot = ref()
            if plot is not None:
                plot.cursorMoved.connect(self._moved)

    def _moved(self, x: float) -> None:
        for ref in self._plots:
            plot = ref()
            if plot is not None:
                plot.show_cursor(x)
