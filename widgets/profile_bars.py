"""Strategies as bars: a block a player, its likeliest actions first where there are many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets.access import Role
from widgets.fonts import scaled
from widgets.theme import current_tokens, follow
from widgets.tokens import Tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

LINE, GAP, COLUMN = 22, 14, 190
MOST = 12  # actions listed; the rest is summed up
PLAYED = 1e-9  # what is less likely counts as not played


@dataclass(frozen=True, eq=False)
class PlayerBars:
    """One player: its strategy (m,), the names of its actions, a line about it (its payoff, say)."""

    name: str
    shares: NDArray[Any]
    labels: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, eq=False)
class ProfileBarsState:
    """The players of a profile."""

    players: tuple[PlayerBars, ...] = ()
    most: int = MOST


@dataclass(frozen=True)
class _Row:
    name: str
    share: float
    rest: bool = False


class ProfileBars(QWidget):
    """Blocks beside each other while there is room, then below."""

    SPOKEN_AS = Role.Chart

    def __init__(self, state: ProfileBarsState | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = ProfileBarsState()
        self._rows: list[list[_Row]] = []
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        follow(self)
        self.set_state(state or ProfileBarsState())

    def set_state(self, state: ProfileBarsState) -> None:
        """Show strategies."""
        self._state = state
        self._rows = [_rows(player, state.most) for player in state.players]
        words = "; ".join(
            f"{player.name}: " + ", ".join(f"{row.name} {row.share:.3f}" for row in rows if row.share > PLAYED)
            for player, rows in zip(state.players, self._rows, strict=True)
        )
        self.setAccessibleName("Strategies")
        self.setAccessibleDescription(words)
        self.setFixedHeight(self._needed(max(self.width(), COLUMN)))
        self.update()

    def sizeHint(self) -> QSize:
        """A column wide, as high as its rows."""
        return QSize(COLUMN, self._needed(max(self.width(), COLUMN)))

    def minimumSizeHint(self) -> QSize:
        """One column."""
        return QSize(COLUMN - 40, 40)

    def resizeEvent(self, event: Any) -> None:
        """Be as high as the blocks at this width."""
        super().resizeEvent(event)
        self.setFixedHeight(self._needed(self.width()))

    def on_theme(self, _tokens: Tokens) -> None:
        """Repaint in the new colours."""
        self.update()

    def _across(self, width: int) -> int:
        return max(1, min(len(self._rows), width // COLUMN))

    def _needed(self, width: int) -> int:
        across = self._across(width)
        bands = [self._rows[at : at + across] for at in range(0, len(self._rows), across)]
        return sum(max(len(rows) for rows in band) * LINE + 44 + GAP for band in bands) or 40

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the blocks."""
        painter, tokens = QPainter(self), current_tokens()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        across = self._across(self.width())
        width, top = self.width() / across, 0.0
        for first in range(0, len(self._rows), across):
            band = self._rows[first : first + across]
            for at, rows in enumerate(band):
                place = QRectF(at * width, top, width - (20 if at + 1 < across else 0), len(rows) * LINE + 44)
                self._block(painter, place, self._state.players[first + at], rows, first + at, tokens)
            top += max(len(rows) for rows in band) * LINE + 44 + GAP

    def _block(
        self, painter: QPainter, place: QRectF, player: PlayerBars, rows: list[_Row], at: int, t: Tokens
    ) -> None:
        head = QRectF(place.left(), place.top(), place.width(), 20)
        painter.setFont(scaled(self.font(), 0, QFont.Weight.DemiBold))
        painter.setPen(QColor(t.text))
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(head, int(Qt.AlignmentFlag.AlignLeft | middle), player.name)
        named = painter.fontMetrics().horizontalAdvance(player.name) + 12
        painter.setFont(scaled(self.font(), -0.75))
        painter.setPen(QColor(t.muted))
        aside = head.adjusted(named, 0, 0, 0)
        said = painter.fontMetrics().elidedText(player.note, Qt.TextElideMode.ElideRight, int(aside.width()))
        painter.drawText(aside, int(Qt.AlignmentFlag.AlignRight | middle), said)
        shares = player.shares
        support = int((shares > PLAYED).sum())
        played = f"{support:,} of {len(shares):,} actions played"
        painter.drawText(head.translated(0, 18), int(Qt.AlignmentFlag.AlignLeft | middle), played)
        names = min(110.0, place.width() * 0.4)
        number = float(painter.fontMetrics().horizontalAdvance("0.0000 "))
        # Of many actions each is little: then the likeliest one has the longest bar, and the number tells the rest.
        whole = 1.0 if not rows[-1].rest else max((row.share for row in rows if not row.rest), default=1.0) or 1.0
        for line, row in enumerate(rows):
            y = place.top() + 42 + line * LINE
            left = QRectF(place.left(), y, names - 8, LINE)
            painter.setPen(QColor(t.muted if row.rest or row.share <= PLAYED else t.text))
            text = painter.fontMetrics().elidedText(row.name, Qt.TextElideMode.ElideRight, int(left.width()))
            painter.drawText(left, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), text)
            track = QRectF(place.left() + names, y + LINE / 2 - 4, max(20.0, place.width() - names - number - 8), 8)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(t.sunken))
            painter.drawRoundedRect(track, 4, 4)
            if row.share > PLAYED and not row.rest:
                painter.setBrush(QColor(t.series[at % len(t.series)]))
                painter.drawRoundedRect(
                    QRectF(track.left(), track.top(), max(4.0, track.width() * min(1.0, row.share / whole)), 8), 4, 4
                )
            painter.setPen(QColor(t.text))
            value = QRectF(track.right() + 4, y, place.right() - track.right() - 4, LINE)
            painter.drawText(
                value, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), f"{row.share:.4f}"
            )


def _rows(player: PlayerBars, most: int) -> list[_Row]:
    import numpy as np

    shares = player.shares
    labels = player.labels or tuple(str(at) for at in range(1, len(shares) + 1))
    if len(shares) <= most:
        return [_Row(labels[at], float(share)) for at, share in enumerate(shares)]
    first = np.argsort(-shares, kind="stable")[: most - 1]
    rest = max(0.0, float(shares.sum() - shares[first].sum()))
    rows = [_Row(labels[int(at)], float(shares[at])) for at in first]
    return [*rows, _Row(f"{len(shares) - len(first):,} others", rest, rest=True)]
