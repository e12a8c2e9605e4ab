"""Boards of the replay: renderers by kind. A grid is painted; anything unknown shows as bytes and fields."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QPlainTextEdit, QSizePolicy, QStackedLayout, QWidget

from widgets.basics import column
from widgets.board_state import BoardState, LegendEntry, board_state, body_order
from widgets.cards import KeyValuePanel, KeyValueRow, KeyValueState
from widgets.fonts import scaled
from widgets.theme import current_tokens, follow
from widgets.tokens import Tokens, mix

__all__ = ["BoardState", "BoardView", "GridBoard", "LegendEntry", "board_state", "register"]

_DIRECTIONS = {"up": (0, -1), "right": (1, 0), "down": (0, 1), "left": (-1, 0)}
_ROLE_SERIES = {"wall": 6, "stone": 3, "player": 0, "opponent": 1}


class GridBoard(QWidget):
    """A board of cells: roles empty, head, body and apple have looks of their own, others are coloured squares."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = BoardState(kind="grid")
        self._order: dict[int, float] = {}
        self._entries: dict[int, LegendEntry] = {}
        self.setMinimumSize(180, 180)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        follow(self)

    def set_state(self, state: BoardState) -> None:
        """Show a position."""
        self._state = state
        self._entries = {entry.code: entry for entry in state.legend}
        self._order = body_order(state)
        self.setAccessibleName("Board")
        self.setAccessibleDescription(state.describe())
        self.update()

    def on_theme(self, _tokens: Tokens) -> None:
        """Repaint in the new colours."""
        self.update()

    def sizeHint(self) -> QSize:
        """A board one can read from an arm's length."""
        return QSize(440, 440)

    def cell_rect(self, x: int, y: int) -> QRectF:
        """Where a cell lies; edges fall on device pixels, so the grid is crisp at any size."""
        left, top, side = self._frame()
        return QRectF(left + x * side, top + y * side, side, side)

    def _frame(self) -> tuple[float, float, float]:
        ratio = self.devicePixelRatioF()
        margin = 22
        columns, rows = max(1, self._state.width), max(1, self._state.height)
        room = min((self.width() - margin - 6) / columns, (self.height() - margin - 6) / rows)
        side = max(1, int(room * ratio)) / ratio
        left = margin + (self.width() - margin - 6 - side * columns) / 2
        top = margin + (self.height() - margin - 6 - side * rows) / 2
        return round(left * ratio) / ratio, round(top * ratio) / ratio, side

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint ground, coordinates, cells, and the frame."""
        if not self._state.width:
            return
        t = current_tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        left, top, side = self._frame()
        area = QRectF(left, top, side * self._state.width, side * self._state.height)
        self._paint_ground(painter, area, side, t)
        self._paint_coordinates(painter, area, side, t)
        # Bodies first and from the tail, so that the head and its neighbours lie on top.
        cells = sorted(range(len(self._state.cells)), key=lambda at: -self._order.get(at, -1.0))
        for at in cells:
            entry = self._entries.get(self._state.cells[at])
            if entry is not None and entry.role != "empty":
                self._paint_cell(painter, at, entry, t)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(t.error if self._state.dead else t.border_strong), 2 if self._state.dead else 1))
        painter.drawRoundedRect(area.adjusted(-2, -2, 2, 2), 4, 4)

    def _paint_ground(self, painter: QPainter, area: QRectF, side: float, t: Tokens) -> None:
        painter.fillRect(area, QColor(t.sunken))
        painter.setPen(Qt.PenStyle.NoPen)
        gap = 0.5 if side < 12 else 1
        painter.setBrush(QColor(t.surface))
        radius = min(4.0, side * 0.12)
        for y in range(self._state.height):
            for x in range(self._state.width):
                cell = QRectF(area.left() + x * side, area.top() + y * side, side, side)
                painter.drawRoundedRect(cell.adjusted(gap, gap, -gap, -gap), radius, radius)

    def _paint_coordinates(self, painter: QPainter, area: QRectF, side: float, t: Tokens) -> None:
        if side < 12:
            return
        painter.setFont(scaled(self.font(), -2))
        painter.setPen(QColor(t.faint))
        every = 1 if side >= 18 else 2
        for x in range(0, self._state.width, every):
            box = QRectF(area.left() + x * side, area.top() - 20, side, 16)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), str(x))
        for y in range(0, self._state.height, every):
            box = QRectF(area.left() - 26, area.top() + y * side, 18, side)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight), str(y))

    def _paint_cell(self, painter: QPainter, at: int, entry: LegendEntry, t: Tokens) -> None:
        rect = self.cell_rect(at % self._state.width, at // self._state.width)
        if entry.role == "body":
            self._paint_body(painter, rect, entry, self._order.get(at, 0.5), t)
        elif entry.role == "head":
            self._paint_head(painter, rect, t)
        elif entry.role == "apple":
            _paint_apple(painter, rect, t)
        else:
            index = _ROLE_SERIES.get(entry.role, entry.code)
            colour = QColor(t.series[index % len(t.series)])
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour)
            inset = rect.width() * 0.14
            painter.drawRoundedRect(rect.adjusted(inset, inset, -inset, -inset), inset, inset)
            painter.setPen(QColor(t.surface))
            painter.drawText(rect, int(Qt.AlignmentFlag.AlignCenter), entry.glyph)

    def _body_colour(self, rank: float, t: Tokens) -> QColor:
        return QColor(mix(t.faint if self._state.dead else t.accent, t.surface, 0.12 + 0.5 * rank))

    def _paint_body(self, painter: QPainter, rect: QRectF, entry: LegendEntry, rank: float, t: Tokens) -> None:
        right, down = _DIRECTIONS.get(entry.next, (0, 0))
        width = rect.width() * (0.70 - 0.18 * rank)
        colour = self._body_colour(rank, t)
        pen = QPen(colour, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        centre = rect.center()
        painter.drawLine(centre, QPointF(centre.x() + right * rect.width(), centre.y() + down * rect.height()))

    def _facing(self) -> tuple[int, int]:
        word = next((text for name, text in self._state.fields if name == "direction"), "")
        return _DIRECTIONS.get(word, (1, 0))

    def _paint_head(self, painter: QPainter, rect: QRectF, t: Tokens) -> None:
        side = rect.width()
        inset = side * 0.10
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(t.muted if self._state.dead else t.accent))
        painter.drawRoundedRect(rect.adjusted(inset, inset, -inset, -inset), side * 0.32, side * 0.32)
        right, down = self._facing()
        ahead = QPointF(rect.center().x() + right * side * 0.14, rect.center().y() + down * side * 0.14)
        for sign in (-1, 1):
            eye = QPointF(ahead.x() + sign * down * side * 0.17, ahead.y() + sign * right * side * 0.17)
            if self._state.dead:
                painter.setPen(QPen(QColor(t.surface), max(1.0, side * 0.05)))
                reach = side * 0.07
                painter.drawLine(eye + QPointF(-reach, -reach), eye + QPointF(reach, reach))
                painter.drawLine(eye + QPointF(-reach, reach), eye + QPointF(reach, -reach))
                continue
            painter.setBrush(QColor("#ffffff" if not t.is_dark else t.on_accent))
            painter.drawEllipse(eye, side * 0.09, side * 0.09)
            painter.setBrush(QColor("#171c26" if not t.is_dark else "#ffffff"))
            painter.drawEllipse(eye + QPointF(right * side * 0.03, down * side * 0.03), side * 0.045, side * 0.045)


def _paint_apple(painter: QPainter, rect: QRectF, t: Tokens) -> None:
    side, centre = rect.width(), rect.center() + QPointF(0, rect.height() * 0.05)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(t.error))
    painter.drawEllipse(centre, side * 0.28, side * 0.28)
    painter.setBrush(QColor(255, 255, 255, 90))
    painter.drawEllipse(centre + QPointF(-side * 0.09, -side * 0.09), side * 0.07, side * 0.07)
    painter.setPen(QPen(QColor(t.ok), max(1.5, side * 0.08), Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    painter.drawLine(centre + QPointF(0, -side * 0.26), centre + QPointF(side * 0.12, -side * 0.38))


class BytesBoard(QWidget):
    """The fallback: fields in words and a hex dump of the state."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._fields = KeyValuePanel()
        self._dump = QPlainTextEdit()
        self._dump.setProperty("mono", True)
        self._dump.setReadOnly(True)
        self._dump.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self._dump.setAccessibleName("State bytes")
        self._dump.setTabChangesFocus(True)
        body = column(self, spacing=12)
        body.addWidget(self._fields)
        body.addWidget(self._dump, 1)

    def set_state(self, state: BoardState) -> None:
        """Show a state."""
        self._fields.set_state(KeyValueState(tuple(KeyValueRow(name, text) for name, text in state.fields)))
        self._dump.setPlainText(hex_dump(state.raw))
        self.setAccessibleDescription(state.describe())


def hex_dump(raw: bytes) -> str:
    """Sixteen bytes a line: offset, hex in two groups of eight, and the printable characters."""
    lines = []
    for at in range(0, len(raw), 16):
        part = raw[at : at + 16]
        left, right = part[:8].hex(" "), part[8:].hex(" ")
        shown = "".join(chr(b) if 32 <= b < 127 else "·" for b in part)
        lines.append(f"{at:06x}  {left:<23}  {right:<23}  {shown}")
    return "\n".join(lines) or "no bytes"


Factory = Callable[[], QWidget]
_renderers: dict[str, Factory] = {"grid": GridBoard}


def register(kind: str, factory: Factory) -> None:
    """Make boards of a kind with a factory; its widgets take ``set_state(BoardState)``."""
    _renderers[kind] = factory


class BoardView(QWidget):
    """Shows any System's state: picks the renderer by kind and keeps it for the next states."""

    def __init__(self, state: BoardState | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = BoardState()
        self._made: dict[str, QWidget] = {}
        self._stack = QStackedLayout(self)
        self.set_state(state or BoardState())

    def set_state(self, state: BoardState) -> None:
        """Show a state."""
        self._state = state
        kind = state.kind if state.kind in _renderers else "bytes"
        if kind not in self._made:
            self._made[kind] = _renderers.get(kind, BytesBoard)()
            self._stack.addWidget(self._made[kind])
        renderer = self._made[kind]
        renderer.set_state(state)  # type: ignore[attr-defined]
        self._stack.setCurrentWidget(renderer)
        self.setAccessibleName("Board")
        self.setAccessibleDescription(state.describe())

    def describe(self) -> str:
        """The state in words."""
        return self._state.describe()
