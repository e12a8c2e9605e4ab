"""A log view for a million lines: a bounded deque, flushed at 30 Hz, painted by the row."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from PySide6.QtCore import QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QComboBox, QLineEdit, QWidget

from widgets.access import Role
from widgets.basics import column, label, row, tool_button
from widgets.fonts import mono_font
from widgets.icons import icon
from widgets.theme import current_tokens, follow
from widgets.tokens import Tokens

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_RANK = {name: rank for rank, name in enumerate(LEVELS)}
_MARK = {"DEBUG": "D", "INFO": "I", "WARNING": "W", "ERROR": "E", "CRITICAL": "C"}
FLUSH_MS = 33
SLICE_S = 0.008  # of a search at a time: then the window has its turn
STEP = 500  # lines between two looks at the clock
TEXT_AT = 32  # characters before the text: time, level and source


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line: seconds since the epoch, level name, where it comes from, text."""

    time: float
    level: str
    source: str
    text: str


def line_of(when: float, level: str, source: str, text: str) -> LogLine:
    """Return a line whose level is named in any case; a million lines share the few names and lone words there are."""
    return LogLine(when, sys.intern(level.upper()), sys.intern(source), text if " " in text else sys.intern(text))


class _Lines(QAbstractScrollArea):
    """Paints only the lines in sight; a line is an index into the list it is given."""

    SPOKEN_AS = Role.Terminal

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFont(mono_font())
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Log lines")
        self.setObjectName("log")
        self.shown: list[LogLine] = []
        self.needle = ""
        self.longest = 0  # characters of the longest line shown, for the scroll bar beneath
        self._from, self._to = -1, -1

    def line_height(self) -> int:
        """Height of a line in pixels."""
        return round(self.fontMetrics().height() + 4)

    def update_range(self, *, follow_end: bool) -> None:
        """Fit the scroll bar to the lines; go to the end when following."""
        bar = self.verticalScrollBar()
        page = max(1, self.viewport().height() // self.line_height())
        bar.setPageStep(page)
        bar.setSingleStep(1)
        bar.setRange(0, max(0, len(self.shown) - page))
        digit = self.fontMetrics().horizontalAdvance("0")
        across = self.horizontalScrollBar()
        across.setPageStep(self.viewport().width())
        across.setSingleStep(8 * digit)
        across.setRange(0, max(0, round((TEXT_AT + 2 + self.longest) * digit) - self.viewport().width()))
        if follow_end:
            bar.setValue(bar.maximum())
        self.viewport().update()

    def at_end(self) -> bool:
        """Whether the last line is in sight."""
        return self.verticalScrollBar().value() >= self.verticalScrollBar().maximum()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the end in sight when it was."""
        end = self.at_end()
        super().resizeEvent(event)
        self.update_range(follow_end=end)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Start a selection of lines."""
        self._from = self._to = self._line_at(event.position())
        self.viewport().update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Extend the selection."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._to = self._line_at(event.position())
            self.viewport().update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy, select all, Home and End."""
        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self.selected_text())
        elif event.matches(QKeySequence.StandardKey.SelectAll):
            self._from, self._to = 0, len(self.shown) - 1
            self.viewport().update()
        elif event.key() in (Qt.Key.Key_Home, Qt.Key.Key_End):
            bar = self.verticalScrollBar()
            bar.setValue(bar.minimum() if event.key() == Qt.Key.Key_Home else bar.maximum())
        else:
            super().keyPressEvent(event)

    def selected_text(self) -> str:
        """The selected lines, as text."""
        if self._from < 0:
            return ""
        low, high = sorted((self._from, self._to))
        return "\n".join(as_text(line) for line in self.shown[low : high + 1])

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the lines in sight."""
        t = current_tokens()
        painter = QPainter(self.viewport())
        painter.setFont(self.font())
        metrics, height = QFontMetricsF(self.font()), self.line_height()
        digit = metrics.horizontalAdvance("0")
        first = self.verticalScrollBar().value()
        low, high = sorted((self._from, self._to))
        painter.translate(-self.horizontalScrollBar().value(), 0)
        for slot, line in enumerate(islice(self.shown, first, first + self.viewport().height() // height + 2)):
            width = self.viewport().width() + self.horizontalScrollBar().value()
            box = QRectF(0, slot * height, width, height)
            if 0 <= low <= first + slot <= high:
                painter.fillRect(box, QColor(t.selection))
            self._paint_line(painter, box, line, digit, t)

    def _paint_line(self, painter: QPainter, box: QRectF, line: LogLine, digit: float, t: Tokens) -> None:
        base = box.top() + 2 + painter.fontMetrics().ascent()
        ink = {"WARNING": t.warn, "ERROR": t.error, "CRITICAL": t.error, "DEBUG": t.faint}.get(line.level, t.text)
        painter.setPen(QColor(t.faint))
        painter.drawText(QPointF(12, base), clock(line.time))
        painter.setPen(QColor(ink if line.level != "INFO" else t.info))
        painter.drawText(QPointF(12 + 13.5 * digit, base), _MARK.get(line.level, "?"))
        painter.setPen(QColor(t.muted))
        source = painter.fontMetrics().elidedText(line.source, Qt.TextElideMode.ElideLeft, int(14 * digit))
        painter.drawText(QPointF(12 + 16 * digit, base), source)
        left = 12 + (TEXT_AT - 1) * digit
        if self.needle:
            self._paint_hits(painter, box, line.text, left, t)
        painter.setPen(QColor(ink))
        painter.drawText(QPointF(left, base), line.text)

    def _paint_hits(self, painter: QPainter, box: QRectF, text: str, left: float, t: Tokens) -> None:
        folded, metrics, at = text.casefold(), painter.fontMetrics(), -1
        while (at := folded.find(self.needle, at + 1)) >= 0:
            start = left + metrics.horizontalAdvance(text[:at])
            width = metrics.horizontalAdvance(text[at : at + len(self.needle)])
            painter.fillRect(QRectF(start, box.top() + 1, width, box.height() - 2), QColor(t.warn_soft))

    def _line_at(self, at: QPointF) -> int:
        line = self.verticalScrollBar().value() + int(at.y()) // self.line_height()
        return max(0, min(line, len(self.shown) - 1))


class LogView(QWidget):
    """Search, level filter, follow or pause, and the lines."""

    exportRequested = Signal()

    def __init__(self, parent: QWidget | None = None, *, capacity: int = 1_000_000) -> None:
        super().__init__(parent)
        self._capacity = capacity
        self._all: deque[LogLine] = deque(maxlen=capacity)
        self._pending: deque[LogLine] = deque(maxlen=capacity)
        self._level = 0
        self._needle = ""
        self._search = QLineEdit()
        self._search.setPlaceholderText("Search the log")
        self._search.setAccessibleName("Search the log")
        self._search.setClearButtonEnabled(True)
        self._search.addAction(icon("search"), QLineEdit.ActionPosition.LeadingPosition)
        self._levels = QComboBox()
        self._levels.setAccessibleName("Least level shown")
        self._levels.addItems([name.capitalize() for name in LEVELS])
        self._count = label("", "small")
        self._pause = tool_button("pause", "Pause scrolling", checkable=True)
        self._clear = tool_button("trash", "Clear the view")
        self._export = tool_button("export", "Export the log")
        self._lines = _Lines()
        body = column(self, spacing=8)
        body.addLayout(row(self._search, self._levels, self._count, self._pause, self._clear, self._export))
        body.addWidget(self._lines, 1)
        self._timer = QTimer(self)
        self._timer.setInterval(FLUSH_MS)
        self._timer.timeout.connect(self.flush)
        self._delay = QTimer(self)
        self._delay.setSingleShot(True)
        self._delay.setInterval(120)
        self._delay.timeout.connect(self._refilter)
        self._left: Iterator[LogLine] | None = None  # what the search has not looked at yet
        self._searching = QTimer(self)
        self._searching.timeout.connect(self._search_on)
        self._connect()
        follow(self)

    def _connect(self) -> None:
        self._search.textChanged.connect(self._on_search)
        self._levels.currentIndexChanged.connect(self._on_level)
        self._clear.clicked.connect(self.clear)
        self._export.clicked.connect(self.exportRequested)
        self._pause.toggled.connect(self._on_pause)
        self._lines.verticalScrollBar().sliderPressed.connect(lambda: self._pause.setChecked(True))

    def append(self, lines: Iterable[LogLine]) -> None:
        """Add lines; they show at the next flush, at most 33 ms later."""
        self._pending.extend(lines)
        if self._pending and not self._timer.isActive():
            self._timer.start()

    def clear(self) -> None:
        """Forget all lines."""
        self._all.clear()
        self._pending.clear()
        self._lines.shown, self._lines.longest = [], 0
        self._end_search()
        self._refresh()

    @property
    def searching(self) -> bool:
        """Whether a search has lines left to look at."""
        return self._left is not None

    def set_filter(self, text: str) -> None:
        """Show only lines that contain the text: at once, but of very many some moments later."""
        self._search.setText(text)
        self._refilter()

    def set_level(self, name: str) -> None:
        """Show lines of this level and above."""
        self._levels.setCurrentIndex(_RANK[name])

    def text(self) -> str:
        """All shown lines."""
        while self.searching:
            self._search_on()
        self.flush()
        return "\n".join(as_text(line) for line in self._lines.shown)

    def line_count(self) -> int:
        """Lines kept, shown or not."""
        return len(self._all) + len(self._pending)

    def flush(self) -> None:
        """Show what arrived since the last flush."""
        if not self._pending:
            self._timer.stop()
            return
        if self.searching:
            return  # new lines belong after those that the search still looks at
        # Nobody can read more than this in a frame; the rest follows in the next ones, so no flush stalls the loop.
        fresh = [self._pending.popleft() for _ in range(min(len(self._pending), 20_000))]
        self._all.extend(fresh)
        shown = self._lines.shown
        new = [line for line in fresh if self._matches(line)]
        shown.extend(new)
        self._lines.longest = max(self._lines.longest, max((len(line.text) for line in new), default=0))
        if len(shown) > self._capacity * 1.1 + 1000:
            del shown[: len(shown) - self._capacity]
        self._refresh()

    def on_theme(self, _tokens: Tokens) -> None:
        """Repaint in the new colours."""
        self._lines.viewport().update()

    def _matches(self, line: LogLine) -> bool:
        if _RANK.get(line.level, 1) < self._level:
            return False
        return not self._needle or self._needle in line.text.casefold() or self._needle in line.source.casefold()

    def _on_search(self) -> None:
        self._delay.start()

    def _on_level(self, index: int) -> None:
        self._level = index
        self._refilter()

    def _on_pause(self, on: bool) -> None:
        name = "Follow the end" if on else "Pause scrolling"
        self._pause.setIcon(icon("down" if on else "pause", "muted", "accent"))
        self._pause.setToolTip(name)
        self._pause.setAccessibleName(name)
        self._refresh()

    def _refilter(self) -> None:
        self._delay.stop()
        self._needle = self._search.text().casefold().strip()
        self._lines.needle = self._needle
        self._lines.longest = 0
        self._lines.shown = []
        self._left = iter(tuple(self._all))
        self._searching.start()
        self._search_on()

    def _search_on(self) -> None:
        """Look at some more lines; a million at once would hold the window up for half a second."""
        if self._left is None:
            self._end_search()
            return
        until, shown, plain = time.perf_counter() + SLICE_S, self._lines.shown, self._level == 0 and not self._needle
        while piece := list(islice(self._left, STEP)):
            found = piece if plain else [line for line in piece if self._matches(line)]
            shown.extend(found)
            self._lines.longest = max(self._lines.longest, max((len(line.text) for line in found), default=0))
            if time.perf_counter() > until:
                break
        else:
            self._end_search()
        self._refresh()

    def _end_search(self) -> None:
        self._left = None
        self._searching.stop()

    def _refresh(self) -> None:
        shown, kept = len(self._lines.shown), len(self._all)
        self._count.setText(f"{shown:,} lines" if shown == kept else f"{shown:,} of {kept:,}")
        self._lines.update_range(follow_end=not self._pause.isChecked())


def clock(seconds: float) -> str:
    """``14:03:27.512`` in local time."""
    return time.strftime("%H:%M:%S", time.localtime(seconds)) + f".{int(seconds % 1 * 1000):03d}"


def as_text(line: LogLine) -> str:
    """One line as it is copied and exported."""
    stamp = time.strftime("%Y-%m-%d", time.localtime(line.time))
    return f"{stamp} {clock(line.time)} {line.level:<8} {line.source}: {line.text}"
