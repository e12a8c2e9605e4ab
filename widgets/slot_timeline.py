"""Slots of a chain in a line: proposed, missed, orphaned, finalised, each with a shape and a colour of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPen, QPolygonF, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets.fonts import scaled
from widgets.scroll_picture import ScrollPicture
from widgets.tokens import Tokens

UNKNOWN, PROPOSED, MISSED, ORPHANED, FINALISED = range(5)
STATES = ("not reached", "proposed", "missed", "orphaned", "finalised")
KINDS = ("neutral", "info", "warn", "error", "ok")
UPDATE, FAULT = 1, 2  # bits of a slot's flags
CELLS = (4.0, 6.0, 9.0, 14.0, 20.0, 28.0)  # pixels a slot
SHAPED = 9.0  # from here on there is room for shapes
EDGE, HEIGHT = 12.0, 86
TOP, MIDDLE, NUMBERS = 3.0, 38.0, 54.0


@dataclass(frozen=True, eq=False)
class SlotTimelineState:
    """``states`` and ``flags`` hold a byte a slot. ``describe`` gives a slot's tooltip; asked only where one looks."""

    states: bytes = b""
    flags: bytes = b""
    epoch: int = 8
    total: int = 0
    selected: int | None = None
    describe: Callable[[int], str] | None = None


class SlotTimeline(ScrollPicture):
    """Arrows choose a slot, Page Up and Down an epoch, + and - zoom; at the newest slot it follows the chain."""

    slotSelected = Signal(int)

    def __init__(self, state: SlotTimelineState | None = None, parent: QWidget | None = None) -> None:
        self._state = SlotTimelineState()
        self._cell = 20.0
        super().__init__("Slot timeline", parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.set_state(state or SlotTimelineState())

    def sizeHint(self) -> QSize:
        """One line."""
        return QSize(640, HEIGHT)

    def minimumSizeHint(self) -> QSize:
        """One line."""
        return QSize(200, HEIGHT)

    def set_state(self, state: SlotTimelineState) -> None:
        """Show slots; the place stays, or follows the newest slot where that was in sight."""
        before, self._state = self._state, state
        self._range(follow_end=len(state.states) >= len(before.states))
        if state.selected != before.selected and state.selected is not None:
            self._reveal(state.selected)
        self.setAccessibleDescription(self._words())
        self.viewport().update()

    def state(self) -> SlotTimelineState:
        """What is shown."""
        return self._state

    def x_of(self, slot: int) -> float:
        """Where the middle of a slot is in the viewport."""
        return EDGE + (slot + 0.5) * self._cell - self.horizontalScrollBar().value()

    def slot_at(self, at: QPointF) -> int | None:
        """The slot under a point."""
        slot = int((at.x() - EDGE + self.horizontalScrollBar().value()) // self._cell)
        return slot if 0 <= slot < len(self._state.states) else None

    def zoom(self, by: int) -> None:
        """Change the width of a slot by steps; what is in the middle stays there."""
        bar, page = self.horizontalScrollBar(), self.viewport().width()
        place = CELLS.index(self._cell)
        middle = (bar.value() + page / 2 - EDGE) / self._cell
        self._cell = CELLS[max(0, min(len(CELLS) - 1, place + by))]
        self._range(follow_end=False)
        bar.setValue(round(middle * self._cell + EDGE - page / 2))
        self.viewport().update()

    def words_at(self, at: QPointF) -> str:
        """A slot in words."""
        slot = self.slot_at(at)
        return "" if slot is None else self._describe(slot)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit the scroll bar."""
        super().resizeEvent(event)
        self._range(follow_end=True)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose a slot."""
        slot = self.slot_at(event.position())
        if slot is not None and event.button() == Qt.MouseButton.LeftButton:
            self._choose(slot)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll along the line; with Ctrl zoom."""
        delta = event.angleDelta().y() or event.angleDelta().x()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom(1 if delta > 0 else -1)
        else:
            bar = self.horizontalScrollBar()
            bar.setValue(bar.value() - delta // 2)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Choose, zoom."""
        key, last = event.key(), len(self._state.states) - 1
        chosen = self._state.selected
        steps = {
            Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_PageUp: -self._state.epoch,
            Qt.Key.Key_PageDown: self._state.epoch, Qt.Key.Key_Home: -last - 1, Qt.Key.Key_End: last + 1,
        }  # fmt: skip
        if key in steps and last >= 0:
            start = last if chosen is None else chosen
            self._choose(max(0, min(last, start + steps[key])))
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus):
            self.zoom(-1 if key == Qt.Key.Key_Minus else 1)
        else:
            super().keyPressEvent(event)

    def paint(self, painter: QPainter, place: QRectF, tokens: Tokens) -> None:
        """Paint the slots in sight."""
        state = self._state
        painter.setClipRect(place.adjusted(2, 1, -2, -1))
        painter.setFont(scaled(self.font(), -1.25))
        if not state.states:
            painter.setPen(QColor(tokens.muted))
            painter.drawText(place, int(Qt.AlignmentFlag.AlignCenter), "No slots yet: run a chain")
            return
        offset = self.horizontalScrollBar().value() - EDGE
        first = max(0, int(offset // self._cell))
        last = min(len(state.states) - 1, int((offset + place.width()) // self._cell) + 1)
        self._paint_epochs(painter, place, first, last, tokens)
        painter.setPen(QPen(QColor(tokens.border_strong), 1))
        painter.drawLine(QPointF(self.x_of(first), MIDDLE), QPointF(self.x_of(last), MIDDLE))
        for slot in range(first, last + 1):
            self._paint_slot(painter, slot, tokens)
        if state.selected is not None and first <= state.selected <= last:
            painter.setPen(QPen(QColor(tokens.accent), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            wide = max(self._cell, 10.0)
            painter.drawRoundedRect(QRectF(self.x_of(state.selected) - wide / 2, MIDDLE - 17, wide, 49), 4, 4)

    # Inside

    def _choose(self, slot: int) -> None:
        """Show the choice at once: two keys may come before the next state does."""
        self.set_state(replace(self._state, selected=slot))
        self.slotSelected.emit(slot)

    def _paint_epochs(self, painter: QPainter, place: QRectF, first: int, last: int, t: Tokens) -> None:
        epoch, metrics = max(1, self._state.epoch), painter.fontMetrics()
        wide = epoch * self._cell
        every = 1
        while every * wide < metrics.horizontalAdvance("epoch 88,888") + 12:
            every *= 2
        for number in range(first // epoch, last // epoch + 1):
            left = EDGE + number * wide - self.horizontalScrollBar().value()
            painter.setPen(QPen(QColor(t.grid if number % every else t.border_strong), 1))
            painter.drawLine(QPointF(left, TOP + 2), QPointF(left, place.height() - 4))
            if number % every == 0:
                painter.setPen(QColor(t.muted))
                painter.drawText(QPointF(left + 4, TOP + metrics.ascent()), f"epoch {number:,}")
        step = next(s for s in (1, 2, 4, 8, 16, 32, 64, 128, 256, 1 << 20) if s * self._cell >= 34)
        painter.setPen(QColor(t.faint))
        for slot in range(first - first % step, last + 1, step):
            box = QRectF(self.x_of(slot) - 30, NUMBERS, 60, 16)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), f"{slot:,}")

    def _paint_slot(self, painter: QPainter, slot: int, t: Tokens) -> None:
        code = self._state.states[slot]
        flags = self._state.flags[slot] if slot < len(self._state.flags) else 0
        at = QPointF(self.x_of(slot), MIDDLE)
        paint_slot(painter, at, code, min(self._cell, 20.0), t)
        if flags & UPDATE:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(t.accent))
            top = MIDDLE - 15
            wing = max(1.5, min(4.0, self._cell / 4))
            corners = [QPointF(at.x() - wing, top), QPointF(at.x() + wing, top), QPointF(at.x(), top + 5)]
            painter.drawPolygon(QPolygonF(corners))
        if flags & FAULT:
            painter.setPen(QPen(QColor(t.error), 2))
            painter.drawLine(QPointF(at.x(), MIDDLE + 12), QPointF(at.x(), MIDDLE + 17))

    def _describe(self, slot: int) -> str:
        if self._state.describe is not None:
            return self._state.describe(slot)
        return f"Slot {slot}: {STATES[self._state.states[slot]]}"

    def _words(self) -> str:
        states = self._state.states
        parts = [f"{states.count(code)} {STATES[code]}" for code in range(1, 5) if code in states]
        words = f"{len(states)} slots" + (f": {', '.join(parts)}" if parts else "")
        chosen = self._state.selected
        return words if chosen is None or chosen >= len(states) else f"{words}. {self._describe(chosen)}"

    def _range(self, *, follow_end: bool) -> None:
        whole = len(self._state.states) * self._cell + 2 * EDGE
        self.span(self.horizontalScrollBar(), whole, self.viewport().width(), follow_end=follow_end)

    def _reveal(self, slot: int) -> None:
        left = EDGE + slot * self._cell
        self.reveal(self.horizontalScrollBar(), left - EDGE, left + self._cell + EDGE, self.viewport().width())


def paint_slot(painter: QPainter, at: QPointF, code: int, room: float, t: Tokens) -> None:
    """Paint a slot's sign: ring, cross, diamond or filled square; where there is no room, ticks of other heights."""
    colour = t.kind(KINDS[code])[0]
    if room < SHAPED:
        low, high = {PROPOSED: (0, 7), MISSED: (-2, 2), ORPHANED: (-7, 0), FINALISED: (-7, 7)}.get(code, (0, 1))
        painter.fillRect(QRectF(at.x() - room / 2 + 0.5, at.y() - high, room - 1, high - low), QColor(colour))
        return
    r = min(6.0, room / 2 - 1.5)
    painter.setPen(QPen(QColor(colour), 1.75))
    if code == PROPOSED:
        painter.setBrush(QColor(t.info_soft))
        painter.drawEllipse(at, r, r)
    elif code == MISSED:
        r -= 1
        painter.drawLine(at + QPointF(-r, -r), at + QPointF(r, r))
        painter.drawLine(at + QPointF(-r, r), at + QPointF(r, -r))
    elif code == ORPHANED:
        painter.setBrush(QColor(t.error_soft))
        painter.drawPolygon(QPolygonF([at + QPointF(x, y) for x, y in ((-r, 0), (0, -r), (r, 0), (0, r))]))
    elif code == FINALISED:
        painter.setBrush(QColor(colour))
        painter.drawRoundedRect(QRectF(at.x() - r, at.y() - r, 2 * r, 2 * r), 2, 2)
    else:
        painter.setPen(QPen(QColor(t.faint), 1))
        painter.setBrush(QColor(t.surface))
        painter.drawEllipse(at, 1.5, 1.5)
