"""Who voted what in which round: a row a round, a column a validator, up to thousands, by shape and colour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPen, QPolygonF, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from widgets.fonts import scaled
from widgets.scroll_picture import ScrollPicture
from widgets.tokens import Tokens

if TYPE_CHECKING:  # numpy takes a tenth of a second: not before the first paint
    from numpy.typing import NDArray

VOTES = {"a": "accepts", "r": "rejects", "-": "no ACK", "f": "forged", "s": "slashed"}
KINDS = {"a": "ok", "r": "warn", "f": "error", "s": "error"}
CELLS = (1.0, 2.0, 4.0, 7.0, 11.0, 16.0, 22.0)  # pixels a validator
SHAPED = 11.0  # from here on there is room for shapes
ROW, HEAD, EDGE = 24.0, 22.0, 8.0


@dataclass(frozen=True)
class VoteRow:
    """A round: a letter a validator, and the count; ``ok`` is whether the quorum was reached, None while it is open."""

    key: int
    title: str
    votes: str
    note: str = ""
    ok: bool | None = None


@dataclass(frozen=True, eq=False)
class VoteMatrixState:
    """Rows from the newest; ``selected`` are a row's key and a column, -1 for the row as a whole."""

    rows: tuple[VoteRow, ...] = ()
    columns: int = 0
    selected: tuple[int, int] | None = None
    describe: Callable[[int, int], str] | None = None  # a row's key and a column
    empty: str = "No votes yet"


class VoteMatrix(ScrollPicture):
    """Arrows move the choice, + and - zoom, 0 fits; a click chooses a cell."""

    cellSelected = Signal(int, int)

    def __init__(self, state: VoteMatrixState | None = None, parent: QWidget | None = None) -> None:
        self._state = VoteMatrixState()
        self._cell = 16.0
        self._fitted = True
        self._table: NDArray[Any] | None = None
        super().__init__("ACK matrix: rounds by validators", parent)
        self.set_state(state or VoteMatrixState())

    def on_theme(self, tokens: Tokens) -> None:
        """Colour anew."""
        self._table = None
        super().on_theme(tokens)

    def set_state(self, state: VoteMatrixState) -> None:
        """Show rounds."""
        before, self._state = self._state, state
        if state.columns != before.columns:
            self._fitted = True
        self._range()
        if state.selected is not None and state.selected != before.selected:
            self._show_selected()
        self.setAccessibleDescription(self._words())
        self.viewport().update()

    def state(self) -> VoteMatrixState:
        """What is shown."""
        return self._state

    @property
    def cell(self) -> float:
        """The width of a validator in pixels."""
        return self._cell

    def zoom(self, by: int) -> None:
        """Change the width of a validator by steps; what is in the middle stays there."""
        bar, room = self.horizontalScrollBar(), self._room()
        middle = (bar.value() + room / 2) / self._cell
        self._fitted = False
        self._cell = CELLS[max(0, min(len(CELLS) - 1, CELLS.index(self._cell) + by))]
        self._range()
        bar.setValue(round(middle * self._cell - room / 2))
        self.viewport().update()

    def fit(self) -> None:
        """Take the widest cells with which all validators are in sight."""
        self._fitted = True
        self._range()
        self.viewport().update()

    def cell_at(self, at: QPointF) -> tuple[int, int] | None:
        """The row's key and the column under a point; column -1 is the row's title."""
        row = int((at.y() - HEAD + self.verticalScrollBar().value()) // ROW)
        if at.y() < HEAD or not 0 <= row < len(self._state.rows):
            return None
        if at.x() < self._names():
            return self._state.rows[row].key, -1
        column = int((at.x() - self._names() + self.horizontalScrollBar().value()) // self._cell)
        return (self._state.rows[row].key, column) if 0 <= column < len(self._state.rows[row].votes) else None

    def words_at(self, at: QPointF) -> str:
        """A vote in words."""
        found = self.cell_at(at)
        return "" if found is None else self._describe(*found)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit."""
        super().resizeEvent(event)
        self._range()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose a cell."""
        found = self.cell_at(event.position())
        if found is not None and event.button() == Qt.MouseButton.LeftButton:
            self._choose(*found)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll; with Ctrl zoom."""
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom(1 if event.angleDelta().y() > 0 else -1)
            event.accept()
        else:
            super().wheelEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the choice, zoom, fit."""
        key, state = event.key(), self._state
        moves = {
            Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1), Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0),
            Qt.Key.Key_PageUp: (-8, 0), Qt.Key.Key_PageDown: (8, 0), Qt.Key.Key_Home: (0, -state.columns),
            Qt.Key.Key_End: (0, state.columns),
        }  # fmt: skip
        if key in moves and state.rows:
            keys = [row.key for row in state.rows]
            chosen = state.selected if state.selected is not None and state.selected[0] in keys else (keys[0], -1)
            row = max(0, min(len(keys) - 1, keys.index(chosen[0]) + moves[key][0]))
            column = max(-1, min(len(state.rows[row].votes) - 1, chosen[1] + moves[key][1]))
            self._choose(keys[row], column)
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus):
            self.zoom(-1 if key == Qt.Key.Key_Minus else 1)
        elif key == Qt.Key.Key_0:
            self.fit()
        else:
            super().keyPressEvent(event)

    def paint(self, painter: QPainter, place: QRectF, tokens: Tokens) -> None:
        """Paint the rows in sight."""
        state = self._state
        painter.setFont(scaled(self.font(), -1))
        if not state.rows:
            painter.setPen(QColor(tokens.muted))
            painter.drawText(place, int(Qt.AlignmentFlag.AlignCenter), state.empty)
            return
        painter.setClipRect(place.adjusted(2, 2, -2, -2))
        self._paint_columns(painter, place, tokens)
        offset = self.verticalScrollBar().value()
        first = int(offset // ROW)
        last = min(len(state.rows), int((offset + place.height() - HEAD) // ROW) + 2)
        for at in range(first, last):
            top = HEAD + at * ROW - offset
            painter.setClipRect(QRectF(2, HEAD, place.width() - 4, place.height() - HEAD - 2))
            self._paint_title(painter, state.rows[at], top, tokens)
            painter.setClipRect(QRectF(self._names(), HEAD, place.width() - self._names() - 2, place.height() - HEAD))
            self._paint_row(painter, place, state.rows[at], top, tokens)

    # Inside

    def _choose(self, row: int, column: int) -> None:
        """Show the choice at once: two keys may come before the next state does."""
        self.set_state(replace(self._state, selected=(row, column)))
        self.cellSelected.emit(row, column)

    def _names(self) -> float:
        wide = max(self.viewport().width(), 1)
        return min(190.0, wide * 0.42)

    def _room(self) -> float:
        return max(20.0, self.viewport().width() - self._names() - EDGE)

    def _paint_columns(self, painter: QPainter, place: QRectF, t: Tokens) -> None:
        metrics = painter.fontMetrics()
        need = metrics.horizontalAdvance(f"{max(0, self._state.columns - 1):,}") + 8
        step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1 << 20) if s * self._cell >= need)
        offset = self.horizontalScrollBar().value()
        painter.setPen(QColor(t.faint))
        painter.drawText(QRectF(EDGE, 2, self._names() - EDGE, HEAD), int(Qt.AlignmentFlag.AlignVCenter), "validator")
        first = int(offset // self._cell)
        for column in range(first - first % step, self._state.columns, step):
            middle = self._names() + (column + 0.5) * self._cell - offset
            if middle > place.right():
                break
            if middle >= self._names():
                box = QRectF(middle - need, 2, 2 * need, HEAD)
                painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), f"{column:,}")

    def _paint_title(self, painter: QPainter, row: VoteRow, top: float, t: Tokens) -> None:
        chosen = self._state.selected is not None and self._state.selected[0] == row.key
        if chosen:
            painter.fillRect(QRectF(2, top, self.viewport().width() - 4, ROW), QColor(t.selection))
        box = QRectF(EDGE, top, self._names() - EDGE - 6, ROW)
        painter.setPen(QColor(t.text))
        painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), row.title)
        painter.setPen(QColor(t.muted if row.ok is None else t.ok if row.ok else t.error))
        painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight), row.note)

    def _paint_row(self, painter: QPainter, place: QRectF, row: VoteRow, top: float, t: Tokens) -> None:
        offset, left = self.horizontalScrollBar().value(), self._names()
        first = max(0, int(offset // self._cell))
        last = min(len(row.votes), int((offset + place.width() - left) // self._cell) + 1)
        if self._cell < SHAPED:
            strip = self._strip(row.votes[first:last], t)
            bed = QRectF(left + first * self._cell - offset, top + 3, (last - first) * self._cell, ROW - 6)
            if strip is not None:
                painter.drawImage(bed, strip)
        else:
            for column in range(first, last):
                middle = QPointF(left + (column + 0.5) * self._cell - offset, top + ROW / 2)
                paint_vote(painter, middle, row.votes[column], t)
        chosen = self._state.selected
        if chosen is not None and chosen[0] == row.key and chosen[1] >= 0:
            wide = max(self._cell, 6.0)
            x = left + (chosen[1] + 0.5) * self._cell - offset
            painter.setPen(QPen(QColor(t.accent), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(x - wide / 2, top + 1, wide, ROW - 2))

    def _strip(self, votes: str, t: Tokens) -> QImage | None:
        import numpy as np

        if not votes:
            return None
        if self._table is None:
            table = np.full(256, QColor(t.sunken).rgb(), dtype=np.uint32)
            for letter, kind in KINDS.items():
                table[ord(letter)] = QColor(t.kind(kind)[0]).rgb()
            table[ord("s")] = QColor(t.text).rgb()
            self._table = table
        codes = np.frombuffer(votes.encode("latin-1", "replace"), dtype=np.uint8)
        pixels = np.ascontiguousarray(self._table[codes]).reshape(1, -1)
        return QImage(pixels.data, len(codes), 1, 4 * len(codes), QImage.Format.Format_RGB32).copy()

    def _describe(self, key: int, column: int) -> str:
        if self._state.describe is not None:
            return self._state.describe(key, column)
        row = next(row for row in self._state.rows if row.key == key)
        return f"{row.title}: {row.note}" if column < 0 else f"Validator {column}: {VOTES.get(row.votes[column], '')}"

    def _words(self) -> str:
        rows = self._state.rows
        words = f"{len(rows)} rounds, {self._state.columns} validators"
        if rows:
            counts = ", ".join(f"{rows[0].votes.count(v)} {word}" for v, word in VOTES.items() if v in rows[0].votes)
            words += f". Newest: {rows[0].title}, {rows[0].note}: {counts}"
        chosen = self._state.selected
        if chosen is not None and any(row.key == chosen[0] for row in rows):
            words += f". {self._describe(*chosen)}"
        return words

    def _range(self) -> None:
        room = self._room()
        if self._fitted:
            fits = [cell for cell in CELLS if cell * max(1, self._state.columns) <= room]
            self._cell = fits[-1] if fits else CELLS[0]
        self.span(self.horizontalScrollBar(), self._state.columns * self._cell + EDGE, room + EDGE)
        self.span(self.verticalScrollBar(), HEAD + len(self._state.rows) * ROW + 4, self.viewport().height())

    def _show_selected(self) -> None:
        assert self._state.selected is not None
        key, column = self._state.selected
        rows = [at for at, row in enumerate(self._state.rows) if row.key == key]
        if rows:
            page = self.viewport().height() - HEAD
            self.reveal(self.verticalScrollBar(), rows[0] * ROW, (rows[0] + 1) * ROW + 4, page)
        if column >= 0:
            left = column * self._cell
            self.reveal(self.horizontalScrollBar(), left - EDGE, left + self._cell + EDGE, self._room())


def paint_vote(painter: QPainter, at: QPointF, vote: str, t: Tokens) -> None:
    """Paint a vote: a filled dot accepts, a cross rejects, a point is none, a triangle forged, a bolt is slashed."""
    colour = QColor(t.kind(KINDS.get(vote, "neutral"))[0])
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    if vote == "a":
        painter.drawEllipse(at, 4.5, 4.5)
    elif vote == "r":
        painter.setPen(QPen(colour, 2))
        painter.drawLine(at + QPointF(-3.5, -3.5), at + QPointF(3.5, 3.5))
        painter.drawLine(at + QPointF(-3.5, 3.5), at + QPointF(3.5, -3.5))
    elif vote == "f":
        painter.drawPolygon(QPolygonF([at + QPointF(x, y) for x, y in ((0, -5), (5, 4), (-5, 4))]))
    elif vote == "s":
        painter.setBrush(QColor(t.error_soft))
        painter.setPen(QPen(colour, 1.75))
        painter.drawRect(QRectF(at.x() - 4.5, at.y() - 4.5, 9, 9))
        painter.drawLine(at + QPointF(-4, 4), at + QPointF(4, -4))
    else:
        painter.setBrush(QColor(t.border_strong))
        painter.drawEllipse(at, 1.5, 1.5)
