"""Small shared pieces: labels by role, buttons, cards, rows, page scaffold. Spacing is 4, 8, 12, 16, 24."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QFont, QFontMetrics, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from widgets.icons import icon
from widgets.theme import follow
from widgets.tokens import Tokens

ICON = QSize(20, 16)  # wider than the glyph, which sets it apart from the words


def set_property(widget: QWidget, name: str, value: object) -> None:
    """Set a dynamic property and let the style sheet look again, only when it changed."""
    if widget.property(name) != value:
        widget.setProperty(name, value)
        widget.style().unpolish(widget)
        widget.style().polish(widget)
        widget.update()


def label(text: str = "", role: str = "", *, wrap: bool = False, selectable: bool = False) -> QLabel:
    """A label in a typographic role: display title heading strong muted small caption mono mono-muted error."""
    made = QLabel(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    if role:
        made.setProperty("role", role)
    made.setWordWrap(wrap)
    if wrap:
        made.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    if selectable:
        made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return made


def button(text: str, icon_name: str = "", variant: str = "secondary", *, tooltip: str = "") -> QPushButton:
    """A push button: primary, secondary, ghost, danger or link."""
    made = QPushButton(text)
    made.setProperty("variant", variant)
    made.setAccessibleName(text)
    made.setCursor(Qt.CursorShape.PointingHandCursor)
    made.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
    if icon_name:
        colour = {"primary": "on_accent", "danger": "error", "link": "accent"}.get(variant, "muted")
        made.setIcon(icon(icon_name, colour))
        made.setIconSize(ICON)
    if tooltip:
        made.setToolTip(tooltip)
    return made


def tool_button(
    icon_name: str, name: str, *, checkable: bool = False, size: int = 16, compact: bool = False
) -> QToolButton:
    """An icon-only button; its name is the tooltip and what a screen reader says."""
    made = QToolButton()
    made.setIcon(icon(icon_name, "muted", "accent"))
    made.setIconSize(QSize(size, size))
    made.setToolTip(name)
    made.setAccessibleName(name)
    made.setCheckable(checkable)
    made.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    if compact:
        made.setProperty("variant", "compact")
    return made


class ElidedLabel(QLabel):
    """One line with dots where it does not fit; the tooltip has all of it."""

    def __init__(
        self,
        role: str = "",
        parent: QWidget | None = None,
        mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
    ) -> None:
        super().__init__(parent)
        self._mode = mode
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("role", role)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def setText(self, text: str) -> None:
        """Show a text."""
        super().setText(text)
        self.setToolTip(text.strip())

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint as much as fits."""
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        shown = self.fontMetrics().elidedText(self.text(), self._mode, self.contentsRect().width())
        painter.drawText(self.contentsRect(), int(self.alignment() | Qt.AlignmentFlag.AlignVCenter), shown)


class IconLabel(QLabel):
    """A label that shows one icon, sharp at any scaling, and follows the theme."""

    def __init__(self, name: str = "", colour: str = "muted", side: int = 16, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name, self._colour, self._side = name, colour, side
        self.setFixedSize(side, side)
        follow(self)

    def set_icon(self, name: str, colour: str = "muted") -> None:
        """Show another icon, or another colour of it."""
        if (name, colour) != (self._name, self._colour):
            self._name, self._colour = name, colour
            self._render()

    def on_theme(self, _tokens: Tokens) -> None:
        """Repaint in the new colours."""
        self._render()

    def _render(self) -> None:
        if self._name:
            self.setPixmap(
                icon(self._name, self._colour).pixmap(QSize(self._side, self._side), self.devicePixelRatioF())
            )
        else:
            self.clear()


class Card(QFrame):
    """A surface with a hairline border; ``body`` is its vertical layout."""

    def __init__(
        self, parent: QWidget | None = None, *, sunken: bool = False, margins: int = 16, spacing: int = 12
    ) -> None:
        super().__init__(parent)
        self.setProperty("card", "sunken" if sunken else "true")
        self.body = column(self, margins=margins, spacing=spacing)

    def add(self, item: QWidget | QLayout, stretch: int = 0) -> None:
        """Append a widget or a layout."""
        add(self.body, item, stretch)


class Turning(QWidget):
    """Parts side by side or beneath each other, as ``_turn`` finds that there is room."""

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Turn when the room changes."""
        super().resizeEvent(event)
        self._turn()

    def event(self, event: QEvent) -> bool:
        """Turn when a part needs other room."""
        if event.type() == QEvent.Type.LayoutRequest:
            self._turn()
        return super().event(event)

    def _turn(self) -> None:
        raise NotImplementedError


class Pair(Turning):
    """Two widgets side by side where there is room for both, one beneath the other where there is not."""

    def __init__(self, first: QWidget, second: QWidget, *, spacing: int = 16, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._parts, self._gap = (first, second), spacing
        self._box = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._box.setContentsMargins(0, 0, 0, 0)
        self._box.setSpacing(spacing)
        # Without this the layout would hold the widget at the width of both, and it could never turn.
        self._box.setSizeConstraint(QLayout.SizeConstraint.SetNoConstraint)
        self._box.addWidget(first, 0, Qt.AlignmentFlag.AlignTop)
        self._box.addWidget(second, 1, Qt.AlignmentFlag.AlignTop)

    def minimumSizeHint(self) -> QSize:
        """As wide as the wider one, as high as the layout of the moment."""
        wide = max(part.minimumSizeHint().width() for part in self._parts)
        return QSize(wide, self._box.minimumSize().height())

    def _turn(self) -> None:
        needed = sum(part.minimumSizeHint().width() for part in self._parts) + self._gap
        across = self.width() >= needed
        wanted = QBoxLayout.Direction.LeftToRight if across else QBoxLayout.Direction.TopToBottom
        if wanted != self._box.direction():
            self._box.setDirection(wanted)
            self._box.setSpacing(self._gap if across else 12)
            self._box.setAlignment(self._parts[1], Qt.AlignmentFlag.AlignTop if across else Qt.AlignmentFlag(0))
            self.updateGeometry()


class Page(QScrollArea):
    """A scrolling page with a comfortable margin; ``body`` is its vertical layout."""

    def __init__(self, parent: QWidget | None = None, *, margins: int = 24, spacing: int = 16) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.viewport().setAutoFillBackground(False)
        content = QWidget()
        content.setProperty("page", True)
        content.setAutoFillBackground(False)
        self.body = column(content, margins=margins, spacing=spacing)
        self.setWidget(content)

    def add(self, item: QWidget | QLayout, stretch: int = 0) -> None:
        """Append a widget or a layout."""
        add(self.body, item, stretch)


def column(parent: QWidget | None = None, *, margins: int = 0, spacing: int = 8) -> QVBoxLayout:
    """A vertical layout with the console's spacing."""
    made = QVBoxLayout(parent)  # type: ignore[call-overload]
    made.setContentsMargins(margins, margins, margins, margins)
    made.setSpacing(spacing)
    return made


def row(*items: QWidget | QLayout | int | None, spacing: int = 8) -> QHBoxLayout:
    """A horizontal layout of widgets and layouts; None is a stretch, a number is a gap."""
    made = QHBoxLayout()
    made.setContentsMargins(0, 0, 0, 0)
    made.setSpacing(spacing)
    for item in items:
        if item is None:
            made.addStretch(1)
        elif isinstance(item, int):
            made.addSpacing(item)
        else:
            add(made, item)
    return made


def add(layout: QBoxLayout, item: QWidget | QLayout, stretch: int = 0) -> None:
    """Append a widget or a layout to a box layout."""
    if isinstance(item, QWidget):
        layout.addWidget(item, stretch)
    else:
        layout.addLayout(item, stretch)


def across(*items: QWidget | QLayout | int | None, spacing: int = 8) -> QWidget:
    """A ``row`` as a widget of its own."""
    holder = QWidget()
    holder.setLayout(row(*items, spacing=spacing))
    return holder


def line() -> QFrame:
    """A horizontal hairline."""
    made = QFrame()
    made.setProperty("line", True)
    made.setFixedHeight(1)
    return made


def clear(layout: QLayout) -> None:
    """Empty a layout and delete what was in it."""
    while layout.count():
        item = layout.takeAt(0)
        widget, inner = item.widget(), item.layout()
        if widget is not None:
            widget.hide()
            widget.deleteLater()
        elif inner is not None:
            clear(inner)
            inner.deleteLater()


def elide_middle(text: str, head: int = 8, tail: int = 6) -> str:
    """``0x12345678…abcdef``: the ends of a hash, which is what people compare."""
    prefix = 2 if text.startswith("0x") else 0
    if len(text) <= prefix + head + tail + 1:
        return text
    return f"{text[: prefix + head]}…{text[-tail:]}"


def text_width(font: QFont, text: str) -> int:
    """Width of a text in logical pixels."""
    return QFontMetrics(font).horizontalAdvance(text)
