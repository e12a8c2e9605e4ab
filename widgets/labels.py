"""Labels that carry meaning: status pills, hashes, section headers."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QGuiApplication, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QLabel, QLayout, QSizePolicy, QWidget

from widgets.access import Role
from widgets.basics import Turning, column, elide_middle, label, row, tool_button
from widgets.fonts import mono_font, scaled
from widgets.icons import paint_icon
from widgets.theme import current_tokens, follow
from widgets.tokens import Tokens


@dataclass(frozen=True)
class PillState:
    """A status: one of neutral ok warn error info accent, and the word for it."""

    text: str = ""
    kind: str = "neutral"
    tooltip: str = ""
    icon: str = ""


class StatusPill(QWidget):
    """A rounded status label: icon, word and colour together."""

    SPOKEN_AS = Role.StaticText

    def __init__(self, state: PillState | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = PillState()
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setFont(scaled(self.font(), -0.75, self.font().Weight.DemiBold))
        follow(self)
        self.set_state(state or PillState())

    def set_state(self, state: PillState) -> None:
        """Show a state."""
        if state != self._state:
            self._state = state
            self.setToolTip(state.tooltip)
            self.setAccessibleName(state.text)
            self.updateGeometry()
            self.update()

    def on_theme(self, _tokens: Tokens) -> None:
        """Repaint in the new colours."""
        self.update()

    def sizeHint(self) -> QSize:
        """Icon, text and padding."""
        return QSize(self.fontMetrics().horizontalAdvance(self._state.text) + 34, 24)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the pill."""
        painter = QPainter(self)
        paint_pill(painter, QRectF(self.rect()), self._state.text, self._state.kind, self._state.icon)


def paint_pill(painter: QPainter, rect: QRectF, text: str, kind: str, icon_name: str = "") -> None:
    """Paint a pill into a rectangle with the painter's font; tables use it too."""
    colour, soft = current_tokens().kind(kind)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(soft))
    radius = rect.height() / 2
    painter.drawRoundedRect(rect, radius, radius)
    paint_icon(painter, QRectF(rect.left() + 8, rect.center().y() - 7, 14, 14), icon_name or kind, colour)
    painter.setPen(QColor(colour))
    inner = rect.adjusted(26, 0, -8, 0)
    shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(inner.width()) + 1)
    painter.drawText(inner, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), shown)


@dataclass(frozen=True)
class HashState:
    """A hash or an address in full, and the target of its link ("" is no link)."""

    value: str = ""
    link: str = ""
    head: int = 8
    tail: int = 6


class HashLabel(QWidget):
    """A hash, elided in the middle: a click follows its link or copies, the button copies, the tooltip is whole."""

    SPOKEN_AS = Role.Link

    linkActivated = Signal(str)
    copied = Signal(str)

    def __init__(self, state: HashState | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state: HashState = state or HashState()
        self._sheet = ""
        self._text = QLabel()
        self._text.setFont(mono_font())
        self._copy = tool_button("copy", "Copy", size=14, compact=True)
        self._copy.clicked.connect(self.copy)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self._text)
        layout.addWidget(self._copy)
        layout.addStretch(1)
        self._back = QTimer(self)
        self._back.setSingleShot(True)
        self._back.setInterval(1200)
        self._back.timeout.connect(self._restore)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        follow(self)
        self._take(self._state)

    def set_state(self, state: HashState) -> None:
        """Show a hash; the same again costs nothing."""
        if state != self._state:
            self._take(state)

    def _take(self, state: HashState) -> None:
        self._state = state
        self._text.setToolTip(state.value)
        self.setAccessibleName(f"Hash {state.value}" if state.value else "No hash")
        self._copy.setAccessibleName(f"Copy {state.value}")
        self._copy.setVisible(bool(state.value))
        pointing = Qt.CursorShape.PointingHandCursor if state.value else Qt.CursorShape.ArrowCursor
        self._text.setCursor(pointing)
        self._restore()
        self.on_theme(current_tokens())

    def value(self) -> str:
        """The whole hash."""
        return self._state.value

    def copy(self) -> None:
        """Copy the whole value to the clipboard and say so for a moment."""
        if self._state.value:
            QGuiApplication.clipboard().setText(self._state.value)
            self._text.setText("copied")
            self._back.start()
            self.copied.emit(self._state.value)

    def on_theme(self, tokens: Tokens) -> None:
        """Colour as a link when there is one."""
        colour = tokens.accent if self._state.link else tokens.text
        sheet = f'color: {colour}; font-family: "{mono_font().family()}";'
        if sheet != self._sheet:  # Qt would read the same again, and lay out what is around
            self._sheet = sheet
            self._text.setStyleSheet(sheet)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Follow the link, or copy."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._activate()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter follows, Ctrl+C copies."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self._activate()
        elif event.key() == Qt.Key.Key_C and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.copy()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the focus ring."""
        super().paintEvent(event)
        if self.hasFocus():
            painter = QPainter(self)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(QColor(current_tokens().accent), 1.5))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 4, 4)

    def _activate(self) -> None:
        if self._state.link:
            self.linkActivated.emit(self._state.link)
        else:
            self.copy()

    def _restore(self) -> None:
        self._text.setText(elide_middle(self._state.value, self._state.head, self._state.tail) or "—")


class PillHolder(QWidget):
    """A pill at the left of the space it is given."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.pill = StatusPill()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.pill)
        layout.addStretch(1)


class SectionHeader(Turning):
    """A heading with a muted line beneath and room for buttons at the right (``add_action``)."""

    def __init__(self, title: str, subtitle: str = "", parent: QWidget | None = None, *, page: bool = False) -> None:
        super().__init__(parent)
        self._title = label(title, "title" if page else "heading")
        self._subtitle = label(subtitle, "muted", wrap=True)
        self._subtitle.setHidden(True)  # shown only once it has a parent: before it would be a window of its own
        self._right = row(spacing=8)
        words = column(spacing=2)
        words.addWidget(self._title)
        words.addWidget(self._subtitle)
        self._words = words
        outer = self._outer = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(16)
        outer.setSizeConstraint(QLayout.SizeConstraint.SetNoConstraint)  # it could never turn
        outer.addLayout(words, 1)
        outer.addLayout(self._right)
        self._subtitle.setVisible(bool(subtitle))

    def set_text(self, title: str, subtitle: str = "") -> None:
        """Change the words."""
        self._title.setText(title)
        self._subtitle.setText(subtitle)
        self._subtitle.setVisible(bool(subtitle))

    def add_action(self, widget: QWidget) -> None:
        """Put a widget at the right, or beneath the words where it is too narrow for both."""
        self._right.addWidget(widget, 0, Qt.AlignmentFlag.AlignVCenter)

    def minimumSizeHint(self) -> QSize:
        """As wide as the wider part, as high as the layout of the moment."""
        wide = max(self._words.minimumSize().width(), self._right.minimumSize().width())
        return QSize(wide, self._outer.minimumSize().height())

    def _turn(self) -> None:
        buttons = self._right.sizeHint().width()
        beside = self.width() >= self._words.minimumSize().width() + 16 + buttons or not buttons
        wanted = QBoxLayout.Direction.LeftToRight if beside else QBoxLayout.Direction.TopToBottom
        if wanted != self._outer.direction():
            self._outer.setDirection(wanted)
            self._outer.setSpacing(16 if beside else 8)
            self._outer.setAlignment(self._right, Qt.AlignmentFlag(0) if beside else Qt.AlignmentFlag.AlignLeft)
            self.updateGeometry()
