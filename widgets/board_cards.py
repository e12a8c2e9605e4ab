"""Card games: the hands on the table, what was done in this hand, the pot and the other fields."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from widgets.board_history import BoardWithRounds
from widgets.board_parts import Hand
from widgets.board_picture import StatePicture
from widgets.board_seats import paint_mark, seat_colour
from widgets.fonts import scaled
from widgets.theme import current_tokens
from widgets.tokens import Tokens, mix

_MIDDLE = int(Qt.AlignmentFlag.AlignCenter)
_CHIP = 26.0


class CardsTable(StatePicture):
    """The hands beside each other; beneath them the actions in their order, then the fields."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Cards", QSize(240, 200), QSize(440, 400), parent)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint from below: the chips take what they need, the hands get the rest."""
        t = current_tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        actions = self._state.actions or ()
        fields = [f"{name}  {text}" for name, text in self._state.fields]
        low = self._flow(painter, fields, 0, t, paint=False)
        bottom = self.height() - low - (12 if fields else 0)
        self._flow(painter, fields, bottom + 12, t, paint=True)
        words = ["so far:", *actions] if actions else ["nobody has acted yet"]
        middle = self._flow(painter, words, 0, t, paint=False, arrows=True)
        table = QRectF(0, 0, self.width(), max(80.0, bottom - middle - 10))
        self._paint_hands(painter, table, t)
        self._flow(painter, words, table.bottom() + 10, t, paint=True, arrows=True)

    def _paint_hands(self, painter: QPainter, table: QRectF, t: Tokens) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(mix(t.ok, t.sunken, 0.8)))
        painter.drawRoundedRect(table, t.radius, t.radius)
        hands = self._state.hands
        for place, hand in enumerate(hands):
            width = table.width() / len(hands)
            self._paint_hand(painter, QRectF(table.left() + place * width, table.top(), width, table.height()), hand, t)

    def _paint_hand(self, painter: QPainter, area: QRectF, hand: Hand, t: Tokens) -> None:
        count, gap = len(hand.cards), 10.0
        high = min(area.height() - 58, 190.0, (area.width() - 24 - gap * (count - 1)) / count / 0.7)
        wide = high * 0.7
        left = area.center().x() - (wide * count + gap * (count - 1)) / 2
        top = area.top() + (area.height() - high - 30) / 2
        for at, card in enumerate(hand.cards):
            _paint_card(painter, QRectF(left + at * (wide + gap), top, wide, high), card, hand.seat, t)
        painter.setFont(scaled(self.font(), 0, self.font().Weight.DemiBold))
        name = painter.fontMetrics().elidedText(
            self._state.seat_name(hand.seat), Qt.TextElideMode.ElideRight, int(area.width() - 44)
        )
        width = painter.fontMetrics().horizontalAdvance(name)
        start = area.center().x() - (width + 18) / 2
        paint_mark(painter, QPointF(start + 6, top + high + 20), 5.5, hand.seat, t)
        painter.setPen(QColor(t.text))
        box = QRectF(start + 18, top + high + 10, width + 4, 20)
        painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), name)

    def _flow(
        self, painter: QPainter, texts: list[str], top: float, t: Tokens, *, paint: bool, arrows: bool = False
    ) -> float:
        """Lay chips out in lines, and paint them; returns the height that they take."""
        painter.setFont(self.font())
        gap, x, y = 18.0 if arrows else 8.0, 0.0, top
        for number, text in enumerate(texts):
            width = min(painter.fontMetrics().horizontalAdvance(text) + 22.0, float(self.width()))
            if x > 0 and x + width > self.width():
                x, y = 0.0, y + _CHIP + 6
            if paint:
                title = arrows and number == 0
                _paint_chip(painter, QRectF(x, y, width, _CHIP), text, t, framed=not title)
                if arrows and 0 < number < len(texts) - 1:
                    painter.setPen(QColor(t.faint))
                    painter.drawText(QRectF(x + width, y, gap, _CHIP), _MIDDLE, "→")
            x += width + gap
        return y + _CHIP - top if texts else 0.0


def _paint_chip(painter: QPainter, box: QRectF, text: str, t: Tokens, *, framed: bool) -> None:
    if framed:
        painter.setPen(QPen(QColor(t.border_strong), 1))
        painter.setBrush(QColor(t.raised))
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
    painter.setPen(QColor(t.text if framed else t.muted))
    shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(box.width() - 12))
    painter.drawText(box, _MIDDLE, shown)


def _paint_card(painter: QPainter, box: QRectF, card: str, seat: int, t: Tokens) -> None:
    """Paint a card's face, or its back when it lies face down."""
    if box.height() < 12:
        return
    painter.setPen(QPen(QColor("#2a303b" if not t.is_dark else "#0b0e13"), 1))
    painter.setBrush(QColor("#fdfdfb" if card else mix(seat_colour(seat, t).name(), "#ffffff", 0.15)))
    painter.drawRoundedRect(box, box.width() * 0.09, box.width() * 0.09)
    ink = QColor("#1c212b")
    font = scaled(painter.font(), 0, painter.font().Weight.Bold)
    if not card:
        inner = box.adjusted(box.width() * 0.1, box.width() * 0.1, -box.width() * 0.1, -box.width() * 0.1)
        painter.setPen(QPen(QColor(255, 255, 255, 150), 1.5))
        painter.setBrush(Qt.BrushStyle.BDiagPattern)
        painter.drawRoundedRect(inner, 3, 3)
        return
    # Longer names must fit too.
    font.setPixelSize(max(8, int(min(box.height() * 0.42, 1.5 * box.width() / max(1, len(card)) * 0.75))))
    painter.setFont(font)
    painter.setPen(ink)
    painter.drawText(box, _MIDDLE, card)
    if len(card) <= 2:
        font.setPixelSize(max(7, int(box.height() * 0.13)))
        painter.setFont(font)
        inset = box.width() * 0.09
        corner = box.adjusted(inset, inset * 0.8, -inset, -inset * 0.8)
        painter.drawText(corner, int(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft), card)
        painter.drawText(corner, int(Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignRight), card)


class CardsBoard(BoardWithRounds):
    """The table, and the rounds before where the System tells them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(CardsTable(), (3, 2), 360, parent)
