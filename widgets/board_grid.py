"""Boards of cells: snakes and apples, chess pieces on squares, stones in holes, anything else as coloured squares."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets.access import Role
from widgets.board_parts import piece_of
from widgets.board_seats import paint_stone
from widgets.board_snake import facing, paint_apple, paint_body, paint_head
from widgets.board_state import BoardState, LegendEntry, body_order
from widgets.chess_pieces import paint_piece, squares
from widgets.fonts import scaled
from widgets.theme import current_tokens, follow
from widgets.tokens import Tokens, mix

_ROLE_SERIES = {"wall": 6, "stone": 3, "player": 0, "opponent": 1}
_STONES = {"first": 0, "second": 1}
_FAR, _NEAR = 22, 6  # margins with and without coordinates


class GridBoard(QWidget):
    """A board of cells; what a cell holds is drawn by the role that the legend gives it."""

    SPOKEN_AS = Role.Graphic

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

    def _margins(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom: room for coordinates where there are some."""
        named = self._state.coordinates
        if named:
            return (_FAR if named == "chess" else _NEAR, _NEAR, _NEAR, _FAR)
        return (_FAR, _FAR, _NEAR, _NEAR)

    def _frame(self) -> tuple[float, float, float]:
        ratio = self.devicePixelRatioF()
        before, above, after, below = self._margins()
        columns, rows = max(1, self._state.width), max(1, self._state.height)
        wide, high = self.width() - before - after, self.height() - above - below
        side = max(1, int(min(wide / columns, high / rows) * ratio)) / ratio
        left = before + (wide - side * columns) / 2
        top = above + (high - side * rows) / 2
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
        self._paint_highlights(painter, t)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(t.error if self._state.dead else t.border_strong), 2 if self._state.dead else 1))
        painter.drawRoundedRect(area.adjusted(-2, -2, 2, 2), 4, 4)

    def _paint_ground(self, painter: QPainter, area: QRectF, side: float, t: Tokens) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        plain = not self._state.checkered
        holes = plain and any(entry.role in _STONES for entry in self._state.legend)
        painter.fillRect(area, QColor(mix(t.accent, t.sunken, 0.62 if t.is_dark else 0.72) if holes else t.sunken))
        painter.setBrush(QColor(t.surface))
        gap = 0.5 if side < 12 else 1
        radius = side * 0.43 if holes else min(4.0, side * 0.12)
        inset = side * 0.07 if holes else gap
        light, dark = (QColor(name) for name in squares(t))
        for y in range(self._state.height):
            for x in range(self._state.width):
                cell = QRectF(area.left() + x * side, area.top() + y * side, side, side)
                if plain:
                    painter.drawRoundedRect(cell.adjusted(inset, inset, -inset, -inset), radius, radius)
                else:
                    painter.fillRect(cell, dark if (x + y) % 2 else light)

    def _paint_coordinates(self, painter: QPainter, area: QRectF, side: float, t: Tokens) -> None:
        if side < 12:
            return
        named, height = self._state.coordinates, self._state.height
        painter.setFont(scaled(self.font(), -2 if not named else -1))
        painter.setPen(QColor(t.muted if named else t.faint))
        every = 1 if side >= 18 else 2
        above = area.top() - 20 if not named else area.bottom() + 4
        for x in range(0, self._state.width, every):
            text = {"chess": chr(ord("a") + x % 26), "columns": str(x + 1)}.get(named, str(x))
            painter.drawText(QRectF(area.left() + x * side, above, side, 16), int(Qt.AlignmentFlag.AlignCenter), text)
        if named not in ("", "chess"):
            return
        for y in range(0, height, every):
            box = QRectF(area.left() - 26, area.top() + y * side, 18, side)
            text = str(height - y) if named else str(y)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight), text)

    def _paint_cell(self, painter: QPainter, at: int, entry: LegendEntry, t: Tokens) -> None:
        rect = self.cell_rect(at % self._state.width, at // self._state.width)
        piece = piece_of(entry.glyph) if entry.role in ("white", "black") else ""
        if entry.role == "body":
            paint_body(painter, rect, entry.next, self._order.get(at, 0.5), t, dead=self._state.dead)
        elif entry.role == "head":
            paint_head(painter, rect, facing(self._state), t, dead=self._state.dead)
        elif entry.role == "apple":
            paint_apple(painter, rect, t)
        elif entry.role in _STONES:
            paint_stone(painter, rect, _STONES[entry.role], t)
        elif piece:
            reach = rect.width() * 0.03
            paint_piece(painter, rect.adjusted(-reach, -reach, reach, reach), piece, entry.role)
        else:
            self._paint_token(painter, rect, entry, t)

    def _paint_token(self, painter: QPainter, rect: QRectF, entry: LegendEntry, t: Tokens) -> None:
        index = _ROLE_SERIES.get(entry.role, entry.code)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(t.series[index % len(t.series)]))
        inset = rect.width() * 0.14
        painter.drawRoundedRect(rect.adjusted(inset, inset, -inset, -inset), inset, inset)
        painter.setFont(scaled(self.font(), max(-3.0, min(8.0, rect.width() * 0.35 - self.font().pointSizeF()))))
        painter.setPen(QColor(t.surface))
        painter.drawText(rect, int(Qt.AlignmentFlag.AlignCenter), entry.glyph)

    def _paint_highlights(self, painter: QPainter, t: Tokens) -> None:
        """Frame marked cells: what was left is dashed, what is in danger is red with a corner, the rest is solid."""
        for at, name in self._state.highlights:
            rect = self.cell_rect(at % self._state.width, at // self._state.width)
            danger, left = "check" in name.lower(), name.lower().startswith("from")
            ink = "#c8102e" if danger else "#e08a00" if not t.is_dark else "#ffb53d"
            width = max(2.0, rect.width() * 0.055)
            pen = QPen(QColor(ink), width, Qt.PenStyle.DotLine if left else Qt.PenStyle.SolidLine)
            pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
            painter.setPen(pen)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            round_cell = not self._state.checkered and any(e.role in _STONES for e in self._state.legend)
            inset = width / 2 + (rect.width() * 0.05 if round_cell else 0)
            frame = rect.adjusted(inset, inset, -inset, -inset)
            if round_cell:
                painter.drawEllipse(frame)
                continue
            painter.drawRect(frame)
            if danger:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(QColor(ink))
                corner, reach = rect.topRight(), rect.width() * 0.28
                painter.drawPolygon(QPolygonF([corner, corner + QPointF(-reach, 0), corner + QPointF(0, reach)]))
