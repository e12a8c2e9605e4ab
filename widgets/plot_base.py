"""What all plots share: a title, a legend line, a pyqtgraph plot that is built when first shown, a crosshair."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent, QPen, QShowEvent, QTextDocumentFragment
from PySide6.QtWidgets import QGraphicsItem, QSizePolicy, QStackedLayout, QWidget

from widgets.access import Role, announce
from widgets.basics import ElidedLabel, column, label, row
from widgets.fonts import scaled
from widgets.panels import Action, EmptyPanel, EmptyPanelState
from widgets.theme import current_tokens, follow
from widgets.tokens import Tokens

STEPS, FAR = 100, 10  # the crosshair crosses the plot in so many steps of an arrow key; with Shift, so many at once
STAIRS = 4  # heights at which the words of marks stand, so that neighbours can be read


@dataclass(frozen=True)
class PlotMark:
    """A vertical line at x with a word, in a status colour."""

    x: float
    text: str = ""
    kind: str = "warn"


class PlotBase(QWidget):
    """A title, a legend line and a pyqtgraph plot that is built when first shown; empty, it may offer what to do."""

    emptyAction = Signal(str)

    SPOKEN_AS = Role.Chart

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._plot: Any = None
        self._title = ElidedLabel("strong")
        self._title.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._title.setMinimumWidth(72)
        self._legend = label("", "small")
        self._legend.setTextFormat(Qt.TextFormat.RichText)
        self._empty = EmptyPanel()
        self._empty.actionTriggered.connect(self.emptyAction)
        self._offers: tuple[Action, ...] = ()
        body = column(self, spacing=4)
        self._legend.setWordWrap(True)
        self._legend.setAlignment(Qt.AlignmentFlag.AlignRight)
        top = row(self._title, self._legend, spacing=16)
        top.setStretch(1, 1)
        body.addLayout(top)
        holder = QWidget()
        self._stack = QStackedLayout(holder)
        self._stack.addWidget(self._empty)
        body.addWidget(holder, 1)
        self.setMinimumHeight(140)
        follow(self)

    def offer(self, *actions: Action) -> None:
        """Show buttons where there is nothing to draw yet."""
        self._offers = actions

    def showEvent(self, event: QShowEvent) -> None:
        """Build the plot after the first paint of the widget."""
        super().showEvent(event)
        if self._plot is None:
            QTimer.singleShot(0, self, self.ensure_built)

    def ensure_built(self) -> Any:
        """Import pyqtgraph and build the plot now; returns the PlotWidget."""
        if self._plot is None:
            import pyqtgraph as pg

            self._plot = pg.PlotWidget(background=None)
            self._plot.setStyleSheet("background: transparent;")  # what lies beneath shows through: a card, say
            self._plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            item = self._plot.getPlotItem()
            item.hideButtons()
            item.setMenuEnabled(False)
            for side in ("left", "bottom"):
                item.getAxis(side).setZValue(-200)  # the grid belongs beneath the data
                item.getAxis(side).setStyle(tickLength=0, tickTextOffset=8, maxTickLevel=0)
                item.getAxis(side).setTickFont(scaled(self.font(), -1))
                item.getAxis(side).enableAutoSIPrefix(False)
                item.getAxis(side).tickStrings = tick_texts
                # Painted once, not with every frame of the curves: texts are what takes long.
                item.getAxis(side).setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)
            self._stack.addWidget(self._plot)
            self._built()
            self.on_theme(current_tokens())
            self._redraw()
        return self._plot

    def _built(self) -> None:
        """Connect what the kind of plot needs."""

    def _redraw(self) -> None:
        raise NotImplementedError

    def _show_data(self, has_data: bool, empty: str) -> None:
        if not has_data:
            self._empty.set_state(EmptyPanelState("chart", empty, "", self._offers))
        self._stack.setCurrentIndex(1 if has_data and self._plot is not None else 0)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if has_data else Qt.FocusPolicy.NoFocus)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Show the focus ring."""
        super().paintEvent(event)
        if self.hasFocus():
            tokens, painter = current_tokens(), QPainter(self)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(QColor(tokens.accent), 2))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 4, 4)

    def spoken_value(self) -> str:
        """What the legend says: the values where the crosshair is."""
        return QTextDocumentFragment.fromHtml(self._legend.text()).toPlainText()

    def on_theme(self, tokens: Tokens) -> None:
        """Recolour axes and grid."""
        if self._plot is None:
            return
        self._plot.resetCachedContent()  # pyqtgraph keeps the old background otherwise
        item = self._plot.getPlotItem()
        for side in ("left", "bottom"):
            axis = item.getAxis(side)
            axis.setPen(QColor(tokens.border))
            axis.setTextPen(QColor(tokens.muted))
        self._redraw()

    def export_png(self, path: str) -> bool:
        """Write what is shown as a PNG; False when it could not be written."""
        return self.grab().save(path, "PNG")


class CrossedPlot(PlotBase):
    """A plot with a crosshair: the legend shows the values there."""

    cursorMoved = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        self._marks: list[Any] = []
        self._cross: Any = None
        self._at: float | None = None
        super().__init__(parent)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the crosshair: arrows, with Shift farther; Home and End; Escape hides it."""
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()), 0)
        ends = {Qt.Key.Key_Home: 0, Qt.Key.Key_End: 1}
        if self._plot is None or not (step or event.key() in ends or event.key() == Qt.Key.Key_Escape):
            super().keyPressEvent(event)
            return
        low, high = self._plot.getPlotItem().vb.viewRange()[0]
        x: float | None = None
        if event.key() in ends:
            x = (low, high)[ends[Qt.Key(event.key())]]
        elif step:
            far = FAR if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
            start = (low + high) / 2 if self._at is None else self._at
            x = min(high, max(low, start + step * far * (high - low) / STEPS))
        self.show_cursor(x)
        if x is not None:
            self.cursorMoved.emit(x)
            announce(self, self.spoken_value())

    def show_cursor(self, x: float | None) -> None:
        """Place the crosshair (None hides it) and show the values there."""
        self._at = x
        if self._cross is None:
            return
        self._cross.setVisible(x is not None)
        if x is not None:
            self._cross.setPos(x)
        self._legend.setText(self._legend_text(x))

    def _legend_text(self, x: float | None) -> str:
        raise NotImplementedError

    def _built(self) -> None:
        import pyqtgraph as pg

        self._cross = pg.InfiniteLine(angle=90, movable=False)
        self._cross.setVisible(False)
        self._plot.addItem(self._cross, ignoreBounds=True)
        self._plot.scene().sigMouseMoved.connect(self._on_mouse)
        self._plot.getPlotItem().vb.setMouseEnabled(x=True, y=False)

    def _on_mouse(self, at: QPointF) -> None:
        box = self._plot.getPlotItem().vb
        if not box.sceneBoundingRect().contains(at):
            self.show_cursor(None)
            return
        x = float(box.mapSceneToView(at).x())
        self.show_cursor(x)
        self.cursorMoved.emit(x)

    def _place_marks(self, marks: tuple[PlotMark, ...], tokens: Tokens) -> None:
        import pyqtgraph as pg

        for mark in self._marks:
            self._plot.removeItem(mark)
        self._marks = []
        for at, mark in enumerate(marks):
            colour = tokens.kind(mark.kind)[0]
            pen = pg.mkPen(colour, width=1, style=Qt.PenStyle.DashLine)
            options = {"color": colour, "position": 0.92 - 0.08 * (at % STAIRS), "fill": tokens.surface}
            made = pg.InfiniteLine(mark.x, angle=90, pen=pen, label=mark.text or None, labelOpts=options)
            self._plot.addItem(made, ignoreBounds=True)
            self._marks.append(made)


def tick_texts(values: list[float], _scale: float, spacing: float) -> list[str]:
    """Numbers beneath an axis, with thousands apart and as many decimals as the spacing needs; never 3e+06."""
    decimals = 0 if spacing >= 1 else min(12, math.ceil(-math.log10(spacing)))
    return [f"{value:,.{decimals}f}" for value in values]


def escaped(text: str) -> str:
    """A text as the legend takes it: no markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def legend_entry(name: str, colour: str, value: str = "", *, dashed: bool = False) -> str:
    """A curve's name in the legend, with a piece of its line before it."""
    words = f"{escaped(name)}{f' <b>{value}</b>' if value else ''}".replace(" ", "&nbsp;")
    return f'<span style="color:{colour}">{"╌" if dashed else "━"}</span>&nbsp;{words}'
