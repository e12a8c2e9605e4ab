"""A repeated game: the running totals as lines, the rounds as a table."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QSizePolicy, QTableView, QWidget

from widgets.access import Role
from widgets.basics import column
from widgets.board_parts import Rounds
from widgets.board_picture import StatePicture
from widgets.board_seats import paint_mark, seat_colour
from widgets.board_state import BoardState
from widgets.fonts import mono_font, scaled
from widgets.table_model import Index
from widgets.theme import current_tokens, follow
from widgets.tokens import Tokens

ROOM_FOR_ROWS = 220
_CENTRE = Qt.AlignmentFlag.AlignCenter


class TotalsPlot(QWidget):
    """The running total of every seat, with its name and where it stands."""

    SPOKEN_AS = Role.Chart

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = BoardState()
        self.setMinimumHeight(96)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        follow(self)

    def set_state(self, state: BoardState) -> None:
        """Show the totals of a state."""
        self._state = state
        totals = state.rounds.totals() if state.rounds is not None else ()
        words = [f"{state.seat_name(seat)} {values[-1]}" for seat, _, values in totals if values]
        self.setAccessibleName("Running totals: " + (", ".join(words) or "none yet"))
        self.update()

    def sizeHint(self) -> QSize:
        """A third of a board."""
        return QSize(440, 180)

    def on_theme(self, _tokens: Tokens) -> None:
        """Repaint in the new colours."""
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the legend, the frame with its scale, and the lines."""
        t = current_tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        totals = self._state.rounds.totals() if self._state.rounds is not None else ()
        top = self._paint_legend(painter, totals, t)
        values = [v for _, _, line in totals for v in line] or [0]
        low, high = min(0, *values), max(1, *values)
        gutter = painter.fontMetrics().horizontalAdvance(f"{max(abs(low), high):,}-") + 6
        area = QRectF(gutter, top + 6, self.width() - gutter - 8, self.height() - top - 26)
        if area.height() < 20:
            return
        self._paint_scale(painter, area, low, high, len(totals[0][2]) if totals else 0, t)
        for seat, _, line in totals:
            self._paint_line(painter, area, line, (low, high), seat, t)

    def _paint_legend(self, painter: QPainter, totals: Any, t: Tokens) -> float:
        """Paint names and totals, as many in a line as fit; returns where the plot may begin."""
        x, y = 4.0, 10.0
        for seat, name, line in totals:
            painter.setFont(scaled(self.font(), 0, self.font().Weight.DemiBold))
            who = self._state.seats[seat] if seat < len(self._state.seats) else name
            text = f"{who}  {line[-1] if line else 0:,}"
            width = painter.fontMetrics().horizontalAdvance(text) + 30
            if x > 4 and x + width > self.width():
                x, y = 4.0, y + 20
            paint_mark(painter, QPointF(x + 6, y), 5, seat, t)
            painter.setPen(QColor(t.text))
            room = QRectF(x + 17, y - 9, min(width, self.width() - x - 18), 18)
            painter.drawText(room, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), text)
            x += width
        painter.setFont(mono_font(7.5))
        return y + 10

    def _paint_scale(self, painter: QPainter, area: QRectF, low: int, high: int, rounds: int, t: Tokens) -> None:
        painter.setPen(QPen(QColor(t.grid), 1))
        zero = area.bottom() - area.height() * (0 - low) / (high - low)
        for y in sorted({area.top(), zero, area.bottom()}):
            painter.drawLine(QPointF(area.left(), round(y) + 0.5), QPointF(area.right(), round(y) + 0.5))
        painter.setPen(QColor(t.muted))
        right = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        painter.drawText(QRectF(0, area.top() - 8, area.left() - 6, 16), right, f"{high:,}")
        if zero - area.top() > 14:
            painter.drawText(QRectF(0, zero - 8, area.left() - 6, 16), right, "0")
        if area.bottom() - zero > 14:
            painter.drawText(QRectF(0, area.bottom() - 8, area.left() - 6, 16), right, f"{low:,}")
        below = QRectF(area.left(), area.bottom() + 3, area.width(), 16)
        text = f"after {rounds:,} round{'' if rounds == 1 else 's'}" if rounds else "no round played yet"
        painter.drawText(below, right, text)

    def _paint_line(
        self, painter: QPainter, area: QRectF, line: tuple[int, ...], span: tuple[int, int], seat: int, t: Tokens
    ) -> None:
        low, high = span
        values = (0, *line)
        last = max(1, len(values) - 1)
        every = max(1, len(values) // max(1, int(area.width())))  # no more points than pixels
        picked = [*range(0, len(values), every)]
        if picked[-1] != len(values) - 1:
            picked.append(len(values) - 1)
        points = [
            QPointF(
                area.left() + area.width() * i / last, area.bottom() - area.height() * (values[i] - low) / (high - low)
            )
            for i in picked
        ]
        style = Qt.PenStyle.SolidLine if seat == 0 else Qt.PenStyle.DashLine
        painter.setPen(QPen(seat_colour(seat, t), 2, style, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(QPolygonF(points))
        paint_mark(painter, points[-1], 4.5, seat, t)


class RoundsModel(QAbstractTableModel):
    """The rounds as a table; only the rows in sight are put into words."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.rounds = Rounds((), ())

    def set_rounds(self, rounds: Rounds) -> None:
        """Show other rounds."""
        self.beginResetModel()
        self.rounds = rounds
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        """Rounds played."""
        return 0 if parent is not None and parent.isValid() else len(self.rounds.rows)

    def columnCount(self, parent: Index | None = None) -> int:
        """What is kept of a round."""
        return 0 if parent is not None and parent.isValid() else len(self.rounds.columns) + 1

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """A cell: its text, in the colour of its seat."""
        if not index.isValid():
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.rounds.text(index.row(), index.column() - 1) if index.column() else str(index.row() + 1)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _CENTRE
        return self._colour(index.column()) if role == Qt.ItemDataRole.ForegroundRole else None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Titles."""
        if orientation == Qt.Orientation.Vertical or not 0 <= section <= len(self.rounds.columns):
            return None
        if role == Qt.ItemDataRole.DisplayRole or role == Qt.ItemDataRole.ToolTipRole:
            return self.rounds.columns[section - 1].name if section else "Round"
        return self._colour(section) if role == Qt.ItemDataRole.ForegroundRole else None

    def _colour(self, index: int) -> QColor | None:
        seat = self.rounds.columns[index - 1].seat if index else -1
        return seat_colour(seat, current_tokens()) if seat >= 0 else None


class RoundsTable(QTableView):
    """The rounds, the newest one in sight."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = RoundsModel(self)
        self.setModel(self._model)
        self.setAccessibleName("Rounds")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setMinimumHeight(96)
        header, rows = self.horizontalHeader(), self.verticalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(_CENTRE)
        header.setMinimumSectionSize(40)
        header.setTextElideMode(Qt.TextElideMode.ElideRight)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        rows.setVisible(False)
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setDefaultSectionSize(28)
        # The range is known only once the rows are laid out.
        self.verticalScrollBar().rangeChanged.connect(lambda _low, high: self.verticalScrollBar().setValue(high))

    def set_rounds(self, rounds: Rounds) -> None:
        """Show rounds."""
        if rounds == self._model.rounds:
            return
        self._model.set_rounds(rounds)
        self._fit()
        self.scrollToBottom()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Share the width among the columns as long as their titles fit; else scroll sideways."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Give each column what its longest word needs, and share what is left; where it is tight, titles give way."""
        metrics, columns = self.fontMetrics(), self._model.rounds.columns
        if not columns:
            return
        words = [["00000"], *([*map(str, column.field.get("names") or ("-0000",))] for column in columns)]
        least = [max(map(metrics.horizontalAdvance, column)) + 22 for column in words]
        titles = ["Round", *(column.name for column in columns)]
        wanted = [max(own, metrics.horizontalAdvance(title) + 26) for own, title in zip(least, titles, strict=True)]
        room = self.viewport().width()
        if sum(wanted) > room >= sum(least):
            share = (room - sum(least)) / max(1, sum(wanted) - sum(least))
            wanted = [int(own + (wish - own) * share) for own, wish in zip(least, wanted, strict=True)]
        spare = max(0, room - sum(wanted)) // len(wanted)
        for index, width in enumerate(wanted):
            self.horizontalHeader().resizeSection(index, width + spare)


class HistoryBoard(QWidget):
    """Lines above, the table below; where it is part of another board and there is little room, the lines alone."""

    def __init__(self, parent: QWidget | None = None, *, part: bool = False) -> None:
        super().__init__(parent)
        self._plot = TotalsPlot()
        self._table = RoundsTable()
        self._part = part
        self.setMinimumSize(240, 96 if part else 200)
        body = column(self, spacing=8)
        body.addWidget(self._plot, 2)
        body.addWidget(self._table, 3)

    def set_state(self, state: BoardState) -> None:
        """Show a state."""
        self._plot.set_state(state)
        self._plot.setVisible(bool(state.rounds is not None and state.rounds.totals()))
        self._table.set_rounds(state.rounds or Rounds((), ()))
        self.setAccessibleName("Board")
        self.setAccessibleDescription(state.describe())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Show the table where it can hold some rows."""
        super().resizeEvent(event)
        self._table.setVisible(not self._part or self.height() >= ROOM_FOR_ROWS)


class BoardWithRounds(QWidget):
    """A picture of the round that is played, and beneath it the rounds before where the System tells them.

    ``shares`` say how the height is shared; below ``room`` pixels the picture has it all.
    """

    def __init__(
        self, picture: StatePicture, shares: tuple[int, int], room: int, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._picture = picture
        self._rounds = HistoryBoard(part=True)
        self._room = room
        self._told = False
        self.setMinimumSize(240, 200)
        body = column(self, spacing=12)
        body.addWidget(picture, shares[0])
        body.addWidget(self._rounds, shares[1])

    def set_state(self, state: BoardState) -> None:
        """Show a state."""
        self._picture.set_state(state)
        self._told = state.rounds is not None
        self._fit()
        if state.rounds is not None:
            self._rounds.set_state(state)
        self.setAccessibleName("Board")
        self.setAccessibleDescription(state.describe())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Leave the rounds out where there is no room for them."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        self._rounds.setVisible(self._told and self.height() >= self._room)
