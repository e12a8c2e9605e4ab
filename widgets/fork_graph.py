"""Blocks and their parents over the slots: branches, what is justified and finalised, and who holds which head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPainterPath, QPen, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from widgets.curve_plot import series_colour
from widgets.fonts import scaled
from widgets.fork_layout import ForkBlock, ForkLayout
from widgets.scroll_picture import ScrollPicture
from widgets.slot_timeline import FINALISED, ORPHANED, PROPOSED, paint_slot
from widgets.tokens import Tokens, mix

CODES = {"proposed": PROPOSED, "orphaned": ORPHANED, "finalised": FINALISED}
STEP, LANE, TOP, EDGE = 30.0, 36.0, 46.0, 22.0
FLAG = 17.0  # a head's flag


@dataclass(frozen=True)
class ForkHead:
    """Who holds a block for the head: the words on its flag; ``group`` is the side of a partition."""

    text: str
    root: str
    group: int = 0


@dataclass(frozen=True, eq=False)
class ForkGraphState:
    """The layout grows by itself; ``main`` is the head that most follow."""

    layout: ForkLayout = field(default_factory=ForkLayout)
    heads: tuple[ForkHead, ...] = ()
    main: str = ""
    justified: str = ""
    finalized: str = ""
    selected: int | None = None
    describe: Callable[[ForkBlock], str] | None = None


class ForkGraph(ScrollPicture):
    """Arrows go from block to block; a click tells the block's slot."""

    slotSelected = Signal(int)

    def __init__(self, state: ForkGraphState | None = None, parent: QWidget | None = None) -> None:
        self._state = ForkGraphState()
        super().__init__("Fork graph", parent)
        self.set_state(state or ForkGraphState())

    def set_state(self, state: ForkGraphState) -> None:
        """Show blocks; at the newest one it follows the chain."""
        before, self._state = self._state, state
        self._range()
        if state.selected is not None and state.selected != before.selected:
            at = self._x(state.selected) + self.horizontalScrollBar().value()
            self.reveal(self.horizontalScrollBar(), at - 2 * STEP, at + 2 * STEP, self.viewport().width())
        self.setAccessibleDescription(self._words())
        self.viewport().update()

    def place_of(self, block: ForkBlock) -> QPointF:
        """Where a block is in the viewport."""
        return QPointF(self._x(block.slot), TOP + block.lane * LANE - self.verticalScrollBar().value())

    def block_at(self, at: QPointF) -> ForkBlock | None:
        """The block under a point."""
        slot = round((at.x() - EDGE + self.horizontalScrollBar().value()) / STEP)
        near = self._state.layout.between(slot - 1, slot + 1)
        found = [b for b in near if (self.place_of(b) - at).manhattanLength() <= 16]
        return found[0] if found else None

    def words_at(self, at: QPointF) -> str:
        """A block in words."""
        block = self.block_at(at)
        return "" if block is None else self._describe(block)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit the scroll bars."""
        super().resizeEvent(event)
        self._range()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose a block."""
        block = self.block_at(event.position())
        if block is not None and event.button() == Qt.MouseButton.LeftButton:
            self._choose(block.slot)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll along the slots; with Shift across the branches."""
        delta = event.angleDelta().y() or event.angleDelta().x()
        across = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        bar = self.verticalScrollBar() if across else self.horizontalScrollBar()
        bar.setValue(bar.value() - delta // 2)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go from slot to slot that has a block."""
        slots = sorted({block.slot for block in self._state.layout.blocks})
        key, chosen = event.key(), self._state.selected
        if not slots or key not in (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Home, Qt.Key.Key_End):
            super().keyPressEvent(event)
            return
        if key in (Qt.Key.Key_Home, Qt.Key.Key_End) or chosen is None:
            self._choose(slots[0 if key == Qt.Key.Key_Home else -1])
            return
        later = key == Qt.Key.Key_Right
        found = [slot for slot in slots if (slot > chosen if later else slot < chosen)]
        if found:
            self._choose(found[0] if later else found[-1])

    def paint(self, painter: QPainter, place: QRectF, tokens: Tokens) -> None:
        """Paint the blocks in sight."""
        state = self._state
        painter.setFont(scaled(self.font(), -1.25))
        if not state.layout.blocks:
            painter.setPen(QColor(tokens.muted))
            painter.drawText(place, int(Qt.AlignmentFlag.AlignCenter), "No blocks yet")
            return
        painter.setClipRect(place.adjusted(2, 2, -2, -2))
        left = self.horizontalScrollBar().value() - EDGE
        first, last = int(left // STEP) - 1, int((left + place.width()) // STEP) + 2
        seen = state.layout.between(first, last)
        main = state.layout.line(state.main, first)
        for block in seen:
            self._paint_edge(painter, block, block.root in main, tokens)
        for block in seen:
            paint_slot(painter, self.place_of(block), CODES.get(block.state, PROPOSED), 18.0, tokens)
        self._paint_marks(painter, seen, tokens)
        self._paint_heads(painter, place, tokens)
        self._paint_axis(painter, place, max(0, first), last, tokens)

    # Inside

    def _choose(self, slot: int) -> None:
        """Show the choice at once: two keys may come before the next state does."""
        self.set_state(replace(self._state, selected=slot))
        self.slotSelected.emit(slot)

    def _x(self, slot: int) -> float:
        return EDGE + slot * STEP - self.horizontalScrollBar().value()

    def _paint_edge(self, painter: QPainter, block: ForkBlock, main: bool, t: Tokens) -> None:
        parent = self._state.layout.of.get(block.parent)
        if parent is None:
            return
        start, end = self.place_of(parent), self.place_of(block)
        style = Qt.PenStyle.DashLine if block.state == "orphaned" else Qt.PenStyle.SolidLine
        painter.setPen(QPen(QColor(t.accent if main else t.border_strong), 2 if main else 1.25, style))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        path = QPainterPath(start)
        if start.y() == end.y():
            path.lineTo(end)
        else:
            bend = min(start.x() + STEP, end.x())
            path.cubicTo(QPointF(bend - 8, start.y()), QPointF(start.x() + 8, end.y()), QPointF(bend, end.y()))
            path.lineTo(end)
        painter.drawPath(path)

    def _paint_marks(self, painter: QPainter, seen: list[ForkBlock], t: Tokens) -> None:
        state = self._state
        for block in seen:
            at = self.place_of(block)
            letters = "F" if block.root == state.finalized else "J" if block.root == state.justified else ""
            if letters:
                painter.setPen(QColor(t.ok if letters == "F" else t.info))
                painter.drawText(QRectF(at.x() - 14, at.y() + 8, 28, 14), int(Qt.AlignmentFlag.AlignCenter), letters)
            if block.slot == state.selected:
                painter.setPen(QPen(QColor(t.accent), 2))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawEllipse(at, 10.5, 10.5)

    def _paint_heads(self, painter: QPainter, place: QRectF, t: Tokens) -> None:
        taken: list[QRectF] = []
        metrics = painter.fontMetrics()
        for head in self._state.heads:
            block = self._state.layout.of.get(head.root)
            if block is None:
                continue
            at = self.place_of(block)
            if not place.left() - STEP < at.x() < place.right() + STEP:
                continue
            wide = metrics.horizontalAdvance(head.text) + 14
            box = QRectF(min(at.x() - 8, place.right() - wide - 4), at.y() - 11 - FLAG, wide, FLAG)
            while any(box.intersects(other) for other in taken):
                box.moveLeft(box.left() - 6)
            taken.append(box)
            colour = series_colour(t, head.group)
            painter.setPen(QPen(QColor(colour), 1.25))
            painter.setBrush(QColor(mix(t.surface, colour, 0.16)))
            painter.drawRoundedRect(box, 4, 4)
            painter.drawLine(QPointF(at.x(), box.bottom()), QPointF(at.x(), at.y() - 7))
            painter.setPen(QColor(t.text))
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), head.text)

    def _paint_axis(self, painter: QPainter, place: QRectF, first: int, last: int, t: Tokens) -> None:
        painter.setPen(QColor(t.faint))
        for slot in range(first - first % 4, last + 1, 4):
            if slot >= 0:
                box = QRectF(self._x(slot) - 24, place.bottom() - 18, 48, 14)
                painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), f"{slot:,}")

    def _describe(self, block: ForkBlock) -> str:
        if self._state.describe is not None:
            return self._state.describe(block)
        return f"Slot {block.slot}, {block.root[:12]}, {block.state}"

    def _words(self) -> str:
        layout = self._state.layout
        orphaned = sum(block.state == "orphaned" for block in layout.blocks)
        words = f"{len(layout.blocks)} blocks in {layout.lanes} lanes, {orphaned} orphaned"
        for head in self._state.heads:
            block = layout.of.get(head.root)
            if block is not None:
                words += f"; {head.text}: slot {block.slot}"
        return words

    def _range(self) -> None:
        blocks = self._state.layout.blocks
        newest = blocks[-1].slot if blocks else 0
        room = self.viewport().size()
        wide = newest * STEP + 2 * EDGE + 40
        self.span(self.horizontalScrollBar(), wide, room.width(), follow_end=True)
        high = TOP + (self._state.layout.lanes - 1) * LANE + 40
        self.span(self.verticalScrollBar(), high, room.height())
