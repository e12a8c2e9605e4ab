"""A heat map with its numbers: rows in groups, a cell a measurement; blue to orange, which all eyes tell apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFont,
    QKeyEvent,
    QLinearGradient,
    QMouseEvent,
    QPainter,
    QPen,
    QPixmap,
    QResizeEvent,
)
from PySide6.QtWidgets import QWidget

from widgets.fonts import scaled
from widgets.scroll_picture import ScrollPicture
from widgets.theme import current_tokens
from widgets.tokens import Tokens, mix

ROW, GROUP, HEAD, LEGEND = 28.0, 26.0, 24.0, 40.0
EDGE, LEAST, MOST = 10.0, 46.0, 92.0  # the narrowest and the widest cell
MARKS = {"ok": "stays within the bound", "broken": "broken", "refused": "refused"}


@dataclass(frozen=True)
class HeatCell:
    """A measurement: where it lies between good (0) and bad (1), the number shown, its sign and its sentence."""

    share: float | None = None
    text: str = ""
    mark: str = ""  # "", broken or refused
    sentence: str = ""


@dataclass(frozen=True, eq=False)
class HeatMapState:
    """Rows are (group, title); cells by (row, column); a missing one is not measured yet."""

    title: str = ""
    rows: tuple[tuple[str, str], ...] = ()
    columns: tuple[str, ...] = ()
    cells: Mapping[tuple[int, int], HeatCell] = field(default_factory=dict)
    x_label: str = ""
    low: str = "good"
    high: str = "bad"
    selected: tuple[int, int] | None = None
    empty: str = "Nothing measured yet"


class HeatMap(ScrollPicture):
    """Arrows move the choice; its sentence is what a screen reader hears."""

    cellSelected = Signal(int, int)

    def __init__(self, state: HeatMapState | None = None, parent: QWidget | None = None) -> None:
        self._state = HeatMapState()
        self._tops: list[float] = []
        super().__init__("Heat map", parent)
        self.set_state(state or HeatMapState())

    def set_state(self, state: HeatMapState) -> None:
        """Show measurements."""
        before, self._state = self._state, state
        self._tops, top, group = [], HEAD, None
        for name, _ in state.rows:
            if name != group:
                top += GROUP
                group = name
            self._tops.append(top)
            top += ROW
        self._range()
        if state.selected is not None and state.selected != before.selected and state.selected[0] < len(self._tops):
            low = self._tops[state.selected[0]] - HEAD
            page = self.viewport().height() - HEAD - LEGEND
            self.reveal(self.verticalScrollBar(), low - GROUP, low + ROW + 4, page)
            left = state.selected[1] * self._wide()
            self.reveal(self.horizontalScrollBar(), left, left + self._wide(), self._room())
        self.setAccessibleName(f"Heat map {state.title}".strip())
        self.setAccessibleDescription(self._words())
        self.viewport().update()

    def state(self) -> HeatMapState:
        """What is shown."""
        return self._state

    def cell_at(self, at: QPointF) -> tuple[int, int] | None:
        """The row and the column under a point."""
        y = at.y() + self.verticalScrollBar().value()
        if at.y() < HEAD or at.y() > self.viewport().height() - LEGEND or at.x() < self._names():
            return None
        column = int((at.x() - self._names() + self.horizontalScrollBar().value()) // self._wide())
        row = next((n for n, top in enumerate(self._tops) if top <= y < top + ROW), -1)
        return (row, column) if row >= 0 and 0 <= column < len(self._state.columns) else None

    def place_of(self, row: int, column: int) -> QRectF:
        """Where a cell is in the viewport."""
        left = self._names() + column * self._wide() - self.horizontalScrollBar().value()
        return QRectF(left, self._tops[row] - self.verticalScrollBar().value(), self._wide(), ROW)

    def words_at(self, at: QPointF) -> str:
        """A cell in words."""
        found = self.cell_at(at)
        return "" if found is None else self.describe(*found)

    def describe(self, row: int, column: int) -> str:
        """A cell's sentence."""
        group, title = self._state.rows[row]
        cell = self._state.cells.get((row, column))
        if cell is not None and cell.sentence:
            return cell.sentence
        value = "not measured yet" if cell is None else f"{cell.text} {MARKS.get(cell.mark, '')}".strip()
        return f"{group}, {title}, {self._state.x_label} {self._state.columns[column]}: {value}"

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit."""
        super().resizeEvent(event)
        self._range()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose a cell."""
        found = self.cell_at(event.position())
        if found is not None and event.button() == Qt.MouseButton.LeftButton:
            self._choose(*found)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the choice."""
        moves = {
            Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1), Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0),
            Qt.Key.Key_Home: (0, -len(self._state.columns)), Qt.Key.Key_End: (0, len(self._state.columns)),
            Qt.Key.Key_PageUp: (-5, 0), Qt.Key.Key_PageDown: (5, 0),
        }  # fmt: skip
        move = moves.get(Qt.Key(event.key()))
        if move is None or not self._state.rows or not self._state.columns:
            super().keyPressEvent(event)
            return
        row, column = self._state.selected or (-move[0] if move[0] > 0 else 0, -move[1] if move[1] > 0 else 0)
        row = max(0, min(len(self._state.rows) - 1, row + move[0]))
        column = max(0, min(len(self._state.columns) - 1, column + move[1]))
        self._choose(row, column)

    def whole(self) -> QPixmap:
        """Return the whole map as a picture, also what is out of sight."""
        size = self.viewport().size()
        high = round((self._tops[-1] + ROW if self._tops else HEAD) + LEGEND)
        image = QPixmap(max(size.width(), round(self._names() + len(self._state.columns) * LEAST + EDGE)), high)
        image.fill(QColor(current_tokens().surface))
        shot = HeatMap(self._state)
        shot.resize(image.size())
        shot.setAttribute(Qt.WidgetAttribute.WA_DontShowOnScreen)
        shot.ensurePolished()
        shot.viewport().resize(image.size())
        painter = QPainter(image)
        shot.paint(painter, QRectF(image.rect()), current_tokens())
        painter.end()
        shot.deleteLater()
        return image

    def paint(self, painter: QPainter, place: QRectF, tokens: Tokens) -> None:
        """Paint the cells in sight."""
        state = self._state
        painter.setFont(scaled(self.font(), -0.5))
        if not state.rows or not state.columns:
            painter.setPen(QColor(tokens.muted))
            painter.drawText(place, int(Qt.AlignmentFlag.AlignCenter), state.empty)
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        bed = QRectF(place.left() + 2, HEAD, place.width() - 4, place.height() - HEAD - LEGEND)
        painter.setClipRect(bed)
        group = None
        for row, (name, title) in enumerate(state.rows):
            top = self._tops[row] - self.verticalScrollBar().value()
            if name != group:
                group = name
                self._group(painter, name, top - GROUP, tokens)
            if top + ROW < bed.top() or top > bed.bottom():
                continue
            painter.setPen(QColor(tokens.text))
            box = QRectF(EDGE + 8, top, self._names() - EDGE - 14, ROW)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter), title)
            painter.setClipRect(bed.adjusted(self._names() - 2, 0, 0, 0))
            for column in range(len(state.columns)):
                paint_cell(painter, self.place_of(row, column), state.cells.get((row, column)), tokens)
            self._chosen(painter, row, tokens)
            painter.setClipRect(bed)
        painter.setClipping(False)
        self._columns(painter, place, tokens)
        self._legend(painter, place, tokens)

    # Inside

    def _choose(self, row: int, column: int) -> None:
        """Show the choice at once: two keys may come before the next state does."""
        self.set_state(replace(self._state, selected=(row, column)))
        self.cellSelected.emit(row, column)

    def _names(self) -> float:
        metrics = self.fontMetrics()
        widest = max((metrics.horizontalAdvance(title) for _, title in self._state.rows), default=40)
        return min(170.0, widest + EDGE + 20.0)

    def _room(self) -> float:
        return max(20.0, self.viewport().width() - self._names() - EDGE)

    def _wide(self) -> float:
        return max(LEAST, min(MOST, self._room() / max(1, len(self._state.columns))))

    def _group(self, painter: QPainter, name: str, top: float, t: Tokens) -> None:
        painter.save()
        painter.setFont(scaled(painter.font(), 0, QFont.Weight.DemiBold))
        painter.setPen(QColor(t.text))
        painter.drawText(QRectF(EDGE, top + 2, 400, GROUP - 2), int(Qt.AlignmentFlag.AlignVCenter), name)
        painter.restore()

    def _chosen(self, painter: QPainter, row: int, t: Tokens) -> None:
        chosen = self._state.selected
        if chosen is not None and chosen[0] == row:
            painter.setPen(QPen(QColor(t.text), 2.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(self.place_of(*chosen).adjusted(1, 1, -1, -1), 4, 4)

    def _columns(self, painter: QPainter, place: QRectF, t: Tokens) -> None:
        painter.setClipRect(QRectF(0, 0, place.width() - 2, HEAD))
        painter.setPen(QColor(t.muted))
        painter.drawText(QRectF(EDGE, 0, self._names(), HEAD), int(Qt.AlignmentFlag.AlignVCenter), self._state.x_label)
        painter.setClipRect(QRectF(self._names(), 0, place.width() - self._names() - 2, HEAD))
        for at, text in enumerate(self._state.columns):
            left = self._names() + at * self._wide() - self.horizontalScrollBar().value()
            painter.drawText(QRectF(left, 0, self._wide(), HEAD), int(Qt.AlignmentFlag.AlignCenter), text)
        painter.setClipping(False)

    def _legend(self, painter: QPainter, place: QRectF, t: Tokens) -> None:
        top = place.bottom() - LEGEND + 8
        metrics = painter.fontMetrics()
        painter.setPen(QPen(QColor(t.border), 1))
        painter.drawLine(QPointF(2, top - 6), QPointF(place.right() - 2, top - 6))
        x, middle = EDGE, top + 12
        painter.setPen(QColor(t.muted))
        for at, text in enumerate((self._state.low, self._state.high)):
            painter.setPen(QColor(t.muted))
            wide = metrics.horizontalAdvance(text) + 4
            painter.drawText(QRectF(x, top, wide, 24), int(Qt.AlignmentFlag.AlignVCenter), text)
            x += wide + 6
            if at == 0:
                shades = QLinearGradient(x, 0, x + 110, 0)
                for step in range(5):
                    shades.setColorAt(step / 4, QColor(shade(step / 4, t)))
                painter.fillRect(QRectF(x, middle - 6, 110, 12), shades)
                x += 118
        for mark in ("broken", "refused"):
            x += 10
            if x + 120 > place.right():
                return
            box = QRectF(x, middle - 9, 26, 18)
            paint_cell(painter, box, HeatCell(None if mark == "refused" else 0.9, "", mark), t)
            painter.setPen(QColor(t.muted))
            painter.drawText(QRectF(x + 32, top, 220, 24), int(Qt.AlignmentFlag.AlignVCenter), MARKS[mark])
            x += 36 + metrics.horizontalAdvance(MARKS[mark])

    def _words(self) -> str:
        state = self._state
        broken = sum(cell.mark == "broken" for cell in state.cells.values())
        words = f"{len(state.cells)} of {len(state.rows) * len(state.columns)} cells measured, {broken} broken"
        chosen = state.selected
        if chosen is not None and chosen[0] < len(state.rows) and chosen[1] < len(state.columns):
            words += f". {self.describe(*chosen)}"
        return words

    def _range(self) -> None:
        room = self.viewport().size()
        wide = len(self._state.columns) * self._wide()
        self.span(self.horizontalScrollBar(), wide, self._room())
        high = (self._tops[-1] + ROW if self._tops else 0) + LEGEND + 6
        self.span(self.verticalScrollBar(), high, room.height())


def shade(share: float, t: Tokens) -> str:
    """The colour of a share: blue where good, the paper in the middle, orange where bad."""
    share = max(0.0, min(1.0, share))
    middle = mix(t.surface, t.warn, 0.08)
    if share < 0.5:
        return mix(mix(t.surface, t.info, 0.75), middle, share * 2)
    return mix(middle, mix(t.surface, t.series[1], 0.9), share * 2 - 1)


def paint_cell(painter: QPainter, box: QRectF, cell: HeatCell | None, t: Tokens) -> None:
    """Paint a cell: its shade and number; a broken one has a corner cut, a refused one is hatched."""
    inner = box.adjusted(1.5, 1.5, -1.5, -1.5)
    painter.setPen(Qt.PenStyle.NoPen)
    if cell is None:
        painter.setBrush(QColor(t.sunken))
        painter.drawRoundedRect(inner, 3, 3)
        return
    ground = t.sunken if cell.share is None else shade(cell.share, t)
    painter.setBrush(QColor(ground))
    painter.drawRoundedRect(inner, 3, 3)
    if cell.mark == "refused":
        painter.setBrush(QBrush(QColor(t.border_strong), Qt.BrushStyle.BDiagPattern))
        painter.drawRoundedRect(inner, 3, 3)
    light = QColor(ground).lightness()
    ink = t.text if (light > 140) != t.is_dark else ("#171c26" if light > 140 else "#ffffff")
    if cell.mark == "broken":
        painter.setPen(QPen(QColor(ink), 1.75))
        x, y = inner.right() - 9, inner.top() + 3
        painter.drawLine(QPointF(x, y), QPointF(x + 6, y + 6))
        painter.drawLine(QPointF(x, y + 6), QPointF(x + 6, y))
    painter.setPen(QColor(ink))
    if cell.text:
        painter.drawText(inner, int(Qt.AlignmentFlag.AlignCenter), cell.text)
