"""A text that changes many times a second: its height is fixed, so that nothing around it is laid out anew."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QTextLayout, QTextOption
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets.access import Role
from widgets.theme import current_tokens, follow
from widgets.tokens import Tokens


class SteadyText(QWidget):
    """At most so many lines; the tooltip has the whole where the last one is cut. ``tone`` is a role of the tokens."""

    SPOKEN_AS = Role.StaticText

    def __init__(self, name: str, *, lines: int = 2, tone: str = "text", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text, self._lines, self._tone = "", lines, tone
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(name)
        follow(self)

    def on_theme(self, _tokens: Tokens) -> None:
        """Repaint in the new colours."""
        self.update()

    def setText(self, text: str) -> None:
        """Show a text."""
        if text != self._text:
            self._text = text
            self.setAccessibleDescription(text)
            self.setToolTip(text)
            self.update()

    def text(self) -> str:
        """What is shown."""
        return self._text

    def sizeHint(self) -> QSize:
        """As high as its lines."""
        return QSize(240, self._lines * self.fontMetrics().lineSpacing() + 2)

    def minimumSizeHint(self) -> QSize:
        """As high as its lines."""
        return QSize(80, self.sizeHint().height())

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the lines, the last one with dots where there is more."""
        painter = QPainter(self)
        painter.setPen(QColor(current_tokens().colour(self._tone)))
        painter.setFont(self.font())
        lines = self._broken()
        height = self.fontMetrics().lineSpacing()
        top = 0.0 if len(lines) > 1 or self._tone == "muted" else (self.height() - height) / 2
        for at, line in enumerate(lines):
            box = QRectF(0, top + at * height, self.width(), height)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), line)
        painter.end()

    def _broken(self) -> list[str]:
        """Return the lines as they fit."""
        layout = QTextLayout(self._text, self.font())
        layout.setTextOption(QTextOption())
        layout.beginLayout()
        lines: list[str] = []
        while len(lines) < self._lines:
            line = layout.createLine()
            if not line.isValid():
                break
            line.setLineWidth(max(1, self.width()))
            start, size = line.textStart(), line.textLength()
            rest = self._text[start:]
            last = len(lines) == self._lines - 1 and size < len(rest)
            metrics = self.fontMetrics()
            lines.append(
                metrics.elidedText(rest, Qt.TextElideMode.ElideRight, self.width()) if last else rest[:size].rstrip()
            )
        layout.endLayout()
        return lines
