"""Editable bytes: hex digits in a grid, in named parts, with the changed ones marked."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets.access import Role
from widgets.fonts import mono_font, scaled
from widgets.theme import current_tokens, follow
from widgets.tokens import Tokens

PER_ROW = 16
WIDE_GAP, SMALL_GAP = 9.0, 4.0


class ByteGrid(QWidget):
    """Sixteen bytes a row. Arrows move, hex digits write, Delete flips the lowest bit."""

    SPOKEN_AS = Role.EditableText

    byteEdited = Signal(int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bytes = b""
        self._parts: tuple[tuple[str, int, int], ...] = ()
        self._edited: frozenset[int] = frozenset()
        self._at, self._low_nibble = 0, False
        self._gap = WIDE_GAP
        self.setFont(mono_font())
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        follow(self)

    def set_state(self, data: bytes, parts: tuple[tuple[str, int, int], ...], edited: tuple[int, ...]) -> None:
        """Show bytes; parts are (name, start, length), ``edited`` the offsets that differ from the original."""
        self._bytes, self._parts, self._edited = data, parts, frozenset(edited)
        self._at = max(0, min(self._at, len(data) - 1))
        self._name()
        self.updateGeometry()
        self.update()

    def on_theme(self, _tokens: Tokens) -> None:
        """Repaint in the new colours."""
        self.update()

    def sizeHint(self) -> QSize:
        """All rows."""
        rows = max(1, -(-len(self._bytes) // PER_ROW))
        return QSize(round(self._left() + PER_ROW * self._cell() + 16), rows * self._row_height() + 8)

    def minimumSizeHint(self) -> QSize:
        """The same: bytes are never squeezed."""
        return self.sizeHint()

    def set_compact(self, compact: bool) -> None:
        """Bring the bytes closer together where there is little room."""
        gap = SMALL_GAP if compact else WIDE_GAP
        if gap != self._gap:
            self._gap = gap
            self.updateGeometry()
            self.update()

    def offset(self) -> int:
        """The byte under the cursor."""
        return self._at

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Move the cursor."""
        column = int((event.position().x() - self._left()) // self._cell())
        line = int((event.position().y() - 4) // self._row_height())
        at = line * PER_ROW + column
        if 0 <= column < PER_ROW and 0 <= at < len(self._bytes):
            self._move(at)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move and write."""
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Up: -PER_ROW, Qt.Key.Key_Down: PER_ROW}
        step, digit = steps.get(Qt.Key(event.key())), event.text().lower()
        if step is not None:
            self._move(max(0, min(len(self._bytes) - 1, self._at + step)))
        elif event.key() in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self._move(0 if event.key() == Qt.Key.Key_Home else max(0, len(self._bytes) - 1))
        elif event.key() == Qt.Key.Key_Delete and self._bytes:
            self.byteEdited.emit(self._at, self._bytes[self._at] ^ 1)
        elif len(digit) == 1 and digit in "0123456789abcdef" and self._bytes and not self._blocked(event):
            self._write(int(digit, 16))
        else:
            super().keyPressEvent(event)

    def _blocked(self, event: QKeyEvent) -> bool:
        return bool(event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier))

    def _write(self, digit: int) -> None:
        old = self._bytes[self._at]
        new = (old & 0xF0) | digit if self._low_nibble else (old & 0x0F) | digit << 4
        at, self._low_nibble = self._at, not self._low_nibble
        if not self._low_nibble:
            self._at = min(len(self._bytes) - 1, at + 1)
        self.update()
        if new != old:
            self.byteEdited.emit(at, new)

    def _move(self, at: int) -> None:
        self._at, self._low_nibble = at, False
        self._name()
        self.update()

    def spoken_value(self) -> str:
        """The byte under the cursor."""
        return self.accessibleDescription()

    def _name(self) -> None:
        part = next((name for name, start, length in self._parts if start <= self._at < start + length), "")
        value = f"{self._bytes[self._at]:02x}" if self._bytes else "none"
        self.setAccessibleName("Leaf bytes")
        self.setAccessibleDescription(f"Byte {self._at} of {len(self._bytes)}, {part}: {value}")

    def _cell(self) -> float:
        return self.fontMetrics().horizontalAdvance("0") * 2 + self._gap

    def _left(self) -> float:
        return self.fontMetrics().horizontalAdvance("0") * (4 if self._gap == WIDE_GAP else 2) + 8.0

    def _row_height(self) -> int:
        return self.fontMetrics().height() + 20

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint offsets, parts and bytes."""
        t = current_tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_parts(painter, t)
        painter.setFont(self.font())
        for at, value in enumerate(self._bytes):
            box = self._box(at)
            if at % PER_ROW == 0:
                painter.setPen(QColor(t.faint))
                gutter = QRectF(0, box.top(), self._left() - 8, box.height())
                painter.drawText(gutter, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), f"{at:x}")
            edited = at in self._edited
            if edited:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(QColor(t.error_soft))
                painter.drawRoundedRect(box, 3, 3)
            painter.setPen(QColor(t.error if edited else t.text))
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), f"{value:02x}")
            if edited:  # an underline too, so that colour is not all there is
                painter.drawLine(box.bottomLeft() + QPointF(3, -2), box.bottomRight() + QPointF(-3, -2))
            if at == self._at and self.hasFocus():
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.setPen(QPen(QColor(t.accent), 1.75))
                painter.drawRoundedRect(box, 3, 3)

    def _box(self, at: int) -> QRectF:
        line, column = divmod(at, PER_ROW)
        top = 4 + line * self._row_height() + 12
        return QRectF(self._left() + column * self._cell() + 1, top, self._cell() - 2, self._row_height() - 14)

    def _paint_parts(self, painter: QPainter, t: Tokens) -> None:
        painter.setFont(scaled(self.font(), -2))
        for number, (name, start, length) in enumerate(self._parts):
            colour = QColor(t.series[number % len(t.series)])
            for line in range(start // PER_ROW, (start + length - 1) // PER_ROW + 1):
                first = max(start, line * PER_ROW)
                last = min(start + length, (line + 1) * PER_ROW) - 1
                left, right = self._box(first), self._box(last)
                painter.setPen(QPen(colour, 2))
                y = left.top() - 1
                painter.drawLine(QPointF(left.left() + 1, y), QPointF(right.right() - 1, y))
                room = QRectF(left.left() + 1, y - 13, right.right() - left.left(), 12)
                if first == start and room.width() >= painter.fontMetrics().horizontalAdvance(name):
                    painter.drawText(room, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom), name)
