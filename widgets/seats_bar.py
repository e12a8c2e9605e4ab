"""Who plays: every seat with its mark, its name, the gas it used, and whose move is shown."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QSizePolicy, QWidget

from widgets.access import Role
from widgets.basics import clear
from widgets.board_seats import paint_mark, seat_colour
from widgets.fonts import scaled
from widgets.theme import current_tokens, follow
from widgets.tokens import Tokens


@dataclass(frozen=True)
class SeatInfo:
    """A seat: who sits there, a short word on its gas, a word on how it stands, and whether the move shown is its."""

    name: str
    note: str = ""
    status: str = ""
    moves: bool = False


class SeatPanel(QWidget):
    """One seat, painted: mark and name above, the note below."""

    SPOKEN_AS = Role.StaticText

    def __init__(self, seat: int, info: SeatInfo, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._seat, self._info = seat, info
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(110)
        follow(self)
        self.set_info(info)

    def set_info(self, info: SeatInfo) -> None:
        """Show another state of the seat."""
        self._info = info
        words = [f"Seat {self._seat}: {info.name}", info.note, info.status, "to move" if info.moves else ""]
        self.setAccessibleName(", ".join(word for word in words if word))
        self.setToolTip(self.accessibleName())
        self.update()

    def sizeHint(self) -> QSize:
        """Two lines."""
        return QSize(200, 48)

    def on_theme(self, _tokens: Tokens) -> None:
        """Repaint in the new colours."""
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the frame, thick in the seat's colour when it moves, and the words."""
        t, info = current_tokens(), self._info
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        colour = seat_colour(self._seat, t)
        painter.setPen(QPen(colour, 2) if info.moves else QPen(QColor(t.border), 1))
        painter.setBrush(QColor(t.surface if info.moves else t.sunken))
        painter.drawRoundedRect(box, t.control_radius, t.control_radius)
        paint_mark(painter, QRectF(11, 8, 14, 14).center(), 6, self._seat, t)
        painter.setFont(scaled(self.font(), -1, self.font().Weight.DemiBold))
        side = "to move" if info.moves else info.status
        painter.setPen(QColor(colour if info.moves else t.muted))
        right = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight)
        painter.drawText(QRectF(0, 6, self.width() - 12, 18), right, side)
        taken = painter.fontMetrics().horizontalAdvance(side) + 14 if side else 0
        left = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
        painter.setFont(scaled(self.font(), 0, self.font().Weight.DemiBold))
        painter.setPen(QColor(t.text))
        room = self.width() - 32 - 12 - taken
        name = painter.fontMetrics().elidedText(info.name, Qt.TextElideMode.ElideRight, int(room))
        painter.drawText(QRectF(32, 6, room, 18), left, name)
        painter.setFont(scaled(self.font(), -1))
        painter.setPen(QColor(t.muted))
        note = painter.fontMetrics().elidedText(info.note, Qt.TextElideMode.ElideRight, self.width() - 44)
        painter.drawText(QRectF(32, 24, self.width() - 40, 18), left, note)


class SeatsBar(QWidget):
    """All seats beside each other."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._box: QBoxLayout = QHBoxLayout(self)
        self._box.setContentsMargins(0, 0, 0, 0)
        self._box.setSpacing(8)
        self._panels: list[SeatPanel] = []
        self.setAccessibleName("Seats")

    def set_seats(self, seats: tuple[SeatInfo, ...]) -> None:
        """Show the seats; panels are kept while their number stays."""
        if len(seats) != len(self._panels):
            clear(self._box)
            self._panels = [SeatPanel(number, info) for number, info in enumerate(seats)]
            for panel in self._panels:
                self._box.addWidget(panel)
        for panel, info in zip(self._panels, seats, strict=True):
            panel.set_info(info)
