"""A line that names signs: each is painted as in the picture that it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QPointF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets.access import Role
from widgets.fonts import scaled
from widgets.theme import current_tokens, follow
from widgets.tokens import Tokens

Sign = Callable[[QPainter, QPointF, Tokens], None]
LINE, GAP, ROOM = 18, 14, 18


class SignLegend(QWidget):
    """Signs with a word each; it takes a second line where one is too short."""

    SPOKEN_AS = Role.StaticText

    def __init__(self, entries: Sequence[tuple[str, Sign]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entries = tuple(entries)
        self._font = scaled(self.font(), -1)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setFont(self._font)
        self.setAccessibleName("Legend: " + ", ".join(text for text, _ in entries))
        follow(self)

    def on_theme(self, _tokens: Tokens) -> None:
        """Repaint in the new colours."""
        self.update()

    def hasHeightForWidth(self) -> bool:
        """The narrower, the taller."""
        return True

    def heightForWidth(self, width: int) -> int:
        """As many lines as the entries need."""
        return LINE * (1 + max((line for line, _ in self._places(width)), default=0))

    def sizeHint(self) -> QSize:
        """All in one line."""
        wide = sum(self.fontMetrics().horizontalAdvance(text) + ROOM + GAP for text, _ in self._entries)
        return QSize(wide, LINE)

    def minimumSizeHint(self) -> QSize:
        """A few of them."""
        return QSize(120, LINE)

    def _places(self, width: int) -> list[tuple[int, float]]:
        made, line, x = [], 0, 0.0
        for text, _ in self._entries:
            wide = self.fontMetrics().horizontalAdvance(text) + ROOM
            if x and x + wide > width:
                line, x = line + 1, 0.0
            made.append((line, x))
            x += wide + GAP
        return made

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint signs and words."""
        t, painter = current_tokens(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for (text, sign), (line, x) in zip(self._entries, self._places(self.width()), strict=True):
            middle = line * LINE + LINE / 2
            painter.save()
            sign(painter, QPointF(x + 7, middle), t)
            painter.restore()
            painter.setPen(QColor(t.muted))
            box = self.rect().adjusted(round(x + ROOM), line * LINE, 0, 0)
            box.setHeight(LINE)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), text)
