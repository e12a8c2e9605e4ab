"""A plot of curves that grow while one looks: linear or logarithmic, drawn at the price of its pixels."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QPen, QResizeEvent
from PySide6.QtWidgets import QWidget

from widgets.plot_base import CrossedPlot, PlotMark, legend_entry, tick_texts
from widgets.theme import current_tokens
from widgets.tokens import Tokens, mix

if TYPE_CHECKING:  # numpy takes a tenth of a second: not before the first paint
    from numpy.typing import NDArray

    from widgets.curve_buffer import CurveBuffer
    from widgets.curve_item import Line

LEAST = 1e-18  # a logarithmic axis ends here at the latest; zero is drawn on its lowest line
SMOOTH = 300  # curves of fewer points are antialiased: there it costs nothing
WHOLE = 8  # an x axis up to this long is marked by whole numbers
LEGEND = 10  # so many curves are named


@dataclass(frozen=True, eq=False)
class Curve:
    """One channel of a buffer. ``colour`` is its number among the series' colours (-1: its place)."""

    name: str
    data: CurveBuffer
    channel: int = 0
    colour: int = -1
    dashed: bool = False


@dataclass(frozen=True)
class Level:
    """A horizontal line with a word, in a status colour."""

    y: float
    text: str = ""
    kind: str = "accent"


@dataclass(frozen=True, eq=False)
class CurvePlotState:
    """Curves, horizontal levels, vertical marks. The buffers may grow afterwards: ``CurvePlot.refresh`` draws them."""

    title: str = ""
    x_label: str = ""
    y_label: str = ""
    curves: tuple[Curve, ...] = ()
    levels: tuple[Level, ...] = ()
    marks: tuple[PlotMark, ...] = ()
    y_log: bool = False
    y_range: tuple[float, float] | None = None
    empty: str = "No data yet"

    def same_furniture(self, other: CurvePlotState) -> bool:
        """Whether all but the curves' points would be drawn alike."""
        names = [(c.name, c.colour, c.dashed) for c in self.curves] == [
            (c.name, c.colour, c.dashed) for c in other.curves
        ]
        mine = (self.title, self.x_label, self.y_label, self.levels, self.marks, self.y_log, self.y_range)
        theirs = (other.title, other.x_label, other.y_label, other.levels, other.marks, other.y_log, other.y_range)
        return names and mine == theirs


class CurvePlot(CrossedPlot):
    """Curves of growing buffers. They are thinned out when they are painted, or asked for: once a frame."""

    def __init__(self, state: CurvePlotState | None = None, parent: QWidget | None = None) -> None:
        self._state = CurvePlotState()
        self._pens: list[QPen] = []
        self._made: list[Line] = []
        self._fresh = False  # whether what was made is what is to be seen
        self._item: Any = None
        self._levels: list[Any] = []
        self._shown_range: tuple[float, float, float, float] | None = None
        self._stale = True
        self._floor = math.log10(LEAST)  # of a logarithmic axis: where zero is drawn
        self._zero = False
        super().__init__(parent)
        self.set_state(state or CurvePlotState())

    def set_state(self, state: CurvePlotState) -> None:
        """Show curves."""
        self._stale = self._stale or not state.same_furniture(self._state)
        self._state = state
        if self._stale:
            self._title.setText(state.title)
            self._title.setVisible(bool(state.title))
            names = ", ".join(curve.name for curve in state.curves[:LEGEND])
            more = len(state.curves) - LEGEND
            names += f" and {more} more" if more > 0 else ""
            self.setAccessibleName(f"Line plot {state.title}: {names or state.empty}")
        self.refresh()

    def refresh(self) -> None:
        """Draw what the buffers hold now; nothing is drawn where nobody looks."""
        state = self._state
        has_data = any(curve.data.count for curve in state.curves)
        self._show_data(has_data, state.empty)
        self.setAccessibleDescription(self._words())
        if self._plot is None or not has_data or not self.isVisible():
            self._legend.setText(self._legend_text(None) if state.curves else "")
            return
        if self._stale:
            self._furnish(current_tokens())
        self._fit()
        self._draw()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Draw for the new width."""
        super().resizeEvent(event)
        self.refresh()

    def _redraw(self) -> None:
        self._stale = True
        self.refresh()

    def showEvent(self, event: Any) -> None:
        """Catch up with what came while the plot was hidden."""
        super().showEvent(event)
        self.refresh()

    def _built(self) -> None:
        super()._built()
        item = self._plot.getPlotItem()
        item.vb.disableAutoRange()
        item.vb.sigXRangeChanged.connect(lambda *_: self._draw())
        from widgets.curve_item import CurvesItem

        self._item = CurvesItem(self.lines)
        item.addItem(self._item, ignoreBounds=True)

    def _furnish(self, tokens: Tokens) -> None:
        """Bring all but the points up to date: pens, levels, marks, axes."""
        import pyqtgraph as pg

        state = self._state
        item = self._plot.getPlotItem()
        self._pens = [
            # Width 1 without antialiasing: anything wider takes Qt's slow path, ten times the frame.
            pg.mkPen(
                _colour(tokens, curve, index),
                width=1,
                style=Qt.PenStyle.DashLine if curve.dashed else Qt.PenStyle.SolidLine,
            )
            for index, curve in enumerate(state.curves)
        ]
        self._place_levels(tokens)
        self._place_marks(state.marks, tokens)
        self._cross.setPen(pg.mkPen(tokens.faint, width=1))
        axis = item.getAxis("left")
        axis.tickStrings = self._decades if state.y_log else tick_texts
        if not state.y_log:
            axis.setTickSpacing()
        item.showGrid(x=False, y=True, alpha=0.25 if tokens.is_dark else 0.35)
        for side, text in (("bottom", state.x_label), ("left", state.y_label)):
            item.setLabel(side, text or None, color=tokens.muted)
        self._legend.setText(self._legend_text(None))
        self._shown_range = None
        self._stale = False

    def _place_levels(self, tokens: Tokens) -> None:
        import pyqtgraph as pg

        for level in self._levels:
            self._plot.removeItem(level)
        self._levels = []
        for level in self._state.levels:
            colour = tokens.kind(level.kind)[0]
            pen = pg.mkPen(colour, width=1, style=Qt.PenStyle.DashLine)
            options = {"color": colour, "position": 0.01, "anchors": [(0, 1), (0, 1)]}
            made = pg.InfiniteLine(self._height(level.y), angle=0, pen=pen, label=level.text or None, labelOpts=options)
            self._plot.addItem(made, ignoreBounds=True)
            self._levels.append(made)

    def _fit(self) -> None:
        """Set the ranges; they move in jumps, so that the axes are not painted anew for every frame."""
        state = self._state
        curves = [curve for curve in state.curves if curve.data.count]
        left = min(float(curve.data.x[0]) for curve in curves)
        right = max(float(curve.data.x[-1]) for curve in curves)
        low, high = self._heights(curves)
        wanted = (left, left + rounded_up(max(right - left, 1.0)), low, high)
        if wanted == self._shown_range:
            return
        self._shown_range = wanted
        box = self._plot.getPlotItem().vb
        box.setRange(xRange=wanted[:2], yRange=wanted[2:], padding=0, disableAutoRange=True)
        axis = self._plot.getPlotItem().getAxis("bottom")
        if wanted[1] - wanted[0] <= WHOLE:  # between two iterations there is nothing
            axis.setTickSpacing(1, 1)
        else:
            axis.setTickSpacing()
        if state.y_log:
            step = max(1, math.ceil((high - low) / max(2, self._plot.height() // 36)))
            self._plot.getPlotItem().getAxis("left").setTickSpacing(step, step)

    def _heights(self, curves: list[Curve]) -> tuple[float, float]:
        if self._state.y_range is not None:
            low, high = self._state.y_range
            pad = (high - low) * 0.04
            return low - pad, high + pad
        spans = [curve.data.span(curve.channel) for curve in curves]
        low, high = min(span[0] for span in spans), max(span[1] for span in spans)
        if not self._state.y_log:
            pad = (high - low) * 0.06 or 0.5
            return low - pad, high + pad
        seen = [level.y for level in self._state.levels]
        seen += [curve.data.least_positive(curve.channel) for curve in curves]
        known = [max(LEAST, y) for y in seen if 0 < y < math.inf] or [1.0]
        self._zero = low < LEAST
        self._floor = math.floor(math.log10(min(known)) - 0.1) - (1 if self._zero else 0)
        return self._floor, max(self._floor + 1, math.ceil(math.log10(max(high, *known)) + 0.05))

    def _height(self, y: float) -> float:
        return math.log10(max(y, LEAST)) if self._state.y_log else y

    def _decades(self, values: list[float], scale: float, spacing: float) -> list[str]:
        return decade_texts(values, scale, spacing, self._floor if self._zero else None)

    def _draw(self) -> None:
        """Have the curves painted; their points are thinned out by then."""
        self._fresh = False
        if self._item is not None:
            self._item.changed()

    @property
    def points_drawn(self) -> int:
        """How many points are drawn; none where nobody looks."""
        return sum(len(line.x) for line in self.lines())

    def lines(self) -> list[Line]:
        """Return the curves as they are drawn, at most two points a pixel's width."""
        if self._plot is None or self._stale or not self.isVisible():
            return []
        if not self._fresh:
            self._made, self._fresh = self._thin(), True
        return self._made

    def _thin(self) -> list[Line]:
        """Thin out the points in view; channels of one buffer all at once."""
        import numpy as np

        from widgets.curve_item import Line

        left, right = self._plot.getPlotItem().vb.viewRange()[0]
        together: dict[int, list[int]] = {}
        for at, curve in enumerate(self._state.curves):
            together.setdefault(id(curve.data), []).append(at)
        made: dict[int, Line] = {}
        for places in together.values():
            data = self._state.curves[places[0]].data
            channels = [self._state.curves[at].channel for at in places]
            xs, ys = data.envelopes(channels, self.buckets(), *data.range_of(left, right))
            if self._state.y_log:
                ys = np.log10(np.maximum(ys, 10.0**self._floor))
            if xs.shape[1] == 1:  # one point alone is a short dash
                xs, ys = np.hstack([xs, xs + (right - left) / 40]), np.hstack([ys, ys])
            for at, x, y in zip(places, xs, ys, strict=True):
                made[at] = Line(self._pens[at], x, y, len(x) < SMOOTH)
        return [made[at] for at in range(len(self._state.curves))]

    def buckets(self) -> int:
        """Into how many runs of points a curve is cut for drawing."""
        return max(50, self._plot.width() // 2)

    def _legend_text(self, x: float | None) -> str:
        tokens = current_tokens()
        shown = self._state.curves[:LEGEND]
        parts = [
            legend_entry(
                curve.name,
                _colour(tokens, curve, index),
                f"{curve.data.at(x, curve.channel):.4g}" if x is not None and curve.data.count else "",
                dashed=curve.dashed,
            )
            for index, curve in enumerate(shown)
        ]
        if len(self._state.curves) > LEGEND:
            parts.append(f"and {len(self._state.curves) - LEGEND} more")
        return "&nbsp;&nbsp; ".join(parts)

    def _words(self) -> str:
        """The newest values in words."""
        with_data = [curve for curve in self._state.curves[:LEGEND] if curve.data.count]
        return ", ".join(f"{curve.name} {curve.data.last(curve.channel):.4g}" for curve in with_data)


def _colour(tokens: Tokens, curve: Curve, index: int) -> str:
    return series_colour(tokens, curve.colour if curve.colour >= 0 else index)


def series_colour(tokens: Tokens, at: int) -> str:
    """The colour of a series: the theme's eight, then the same nearer to the ink, then nearer to the paper."""
    turn, place = divmod(at, len(tokens.series))
    other = (tokens.text, tokens.text, tokens.surface)[turn % 3]
    return mix(tokens.series[place], other, 0.0 if turn % 3 == 0 else 0.45)


def decade_texts(values: list[float], _scale: float, _spacing: float, zero: float | None = None) -> list[str]:
    """Powers of ten beside a logarithmic axis: 1e-3; at ``zero`` and below, 0."""
    words = {0: "1", 1: "10"}
    return ["0" if zero is not None and v < zero + 0.5 else words.get(round(v), f"1e{round(v)}") for v in values]


def rounded_up(value: float) -> float:
    """The next number of one or two digits that is not below ``value``: axes that end there stand still longer."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 12.5) if step * power >= value)


def thinned(data: CurveBuffer, channels: Sequence[int], buckets: int) -> NDArray[Any]:
    """Points of a path through several channels, in order: all their extremes are among them.

    Play moves most in the beginning, so that each part eight times as long as all before it gets as many points.
    """
    import numpy as np

    edges = [0]
    while edges[-1] < data.count:
        edges.append(min(data.count, max(64, 8 * edges[-1])))
    parts = [
        data.places(channel, buckets, first, last) for first, last in itertools.pairwise(edges) for channel in channels
    ]
    places = np.unique(np.concatenate(parts)) if parts else np.empty(0, dtype=int)
    return data.y[places][:, list(channels)]
