"""Navigation: the sidebar with its pages, and the status strip that is always in sight."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from widgets.basics import IconLabel, clear, label, text_width, tool_button
from widgets.fonts import scaled
from widgets.icons import app_icon, paint_icon
from widgets.theme import current_tokens, follow
from widgets.tokens import Tokens

WIDE, NARROW = 208, 60


@dataclass(frozen=True)
class NavItem:
    """One page: key, title, icon, an optional badge and the shortcut shown in the tooltip."""

    key: str
    title: str
    icon: str
    badge: str = ""
    badge_kind: str = "neutral"
    shortcut: str = ""
    section: str = "main"


@dataclass(frozen=True)
class NavState:
    """The pages, which one is shown, and whether the bar is collapsed to icons."""

    items: tuple[NavItem, ...] = ()
    current: str = ""
    collapsed: bool = False


class NavButton(QAbstractButton):
    """One entry of the sidebar, painted: icon, title, badge, accent edge when current."""

    def __init__(self, item: NavItem, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._take(item, collapsed=False)

    def set_item(self, item: NavItem, *, collapsed: bool) -> None:
        """Take a new description; the same again costs nothing."""
        if (item, collapsed) != (self.item, self._collapsed):
            self._take(item, collapsed)

    def _take(self, item: NavItem, collapsed: bool) -> None:
        self.item, self._collapsed = item, collapsed
        self.setText(item.title)
        self.setAccessibleName(f"{item.title}, {item.badge}" if item.badge else item.title)
        tip = f"{item.title} ({item.shortcut})" if item.shortcut else item.title
        self.setToolTip(tip)
        self.update()

    def sizeHint(self) -> QSize:
        """A comfortable row."""
        return QSize(NARROW if self._collapsed else WIDE, 38)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Leave the arrows to the bar: a button alone would look for any neighbour on the screen."""
        if event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            event.ignore()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the entry."""
        t = current_tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(8, 1, -8, -1)
        painter.setPen(Qt.PenStyle.NoPen)
        if self.isChecked() or self.underMouse():
            painter.setBrush(QColor(t.selection if self.isChecked() else t.hover))
            painter.drawRoundedRect(box, t.control_radius, t.control_radius)
        ink = t.accent if self.isChecked() else t.muted
        left = box.center().x() - 9 if self._collapsed else box.left() + 12
        paint_icon(painter, QRectF(left, box.center().y() - 9, 18, 18), self.item.icon, ink)
        if not self._collapsed:
            weight = self.font().Weight.DemiBold if self.isChecked() else self.font().Weight.Medium
            painter.setFont(scaled(self.font(), 0, weight))
            painter.setPen(QColor(t.text if self.isChecked() else t.muted))
            text = box.adjusted(42, 0, -8, 0)
            painter.drawText(text, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), self.item.title)
        if self.item.badge:
            self._paint_badge(painter, box)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(t.accent), 2))
            painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), t.control_radius, t.control_radius)

    def _paint_badge(self, painter: QPainter, box: QRectF) -> None:
        colour, soft = current_tokens().kind(self.item.badge_kind)
        painter.setPen(Qt.PenStyle.NoPen)
        if self._collapsed:
            painter.setBrush(QColor(colour))
            painter.drawEllipse(QRectF(box.center().x() + 5, box.center().y() - 12, 8, 8))
            return
        painter.setFont(scaled(self.font(), -1.25, self.font().Weight.DemiBold))
        width = max(20, painter.fontMetrics().horizontalAdvance(self.item.badge) + 12)
        badge = QRectF(box.right() - 8 - width, box.center().y() - 9, width, 18)
        painter.setBrush(QColor(soft))
        painter.drawRoundedRect(badge, 9, 9)
        painter.setPen(QColor(colour))
        painter.drawText(badge, int(Qt.AlignmentFlag.AlignCenter), self.item.badge)


class NavBar(QFrame):
    """The sidebar: arrows move between entries, Enter or Space opens, the lower button collapses it to icons."""

    navigated = Signal(str)
    collapseToggled = Signal(bool)

    def __init__(self, state: NavState | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("nav")
        self.setAccessibleName("Navigation")
        self._state = NavState()
        self._buttons: dict[str, NavButton] = {}
        self._logo = IconLabel()
        self._logo.setFixedSize(28, 28)
        self._name = label("Nashboard", "heading")
        head = QHBoxLayout()
        head.setContentsMargins(16, 4, 12, 12)
        head.setSpacing(10)
        head.addWidget(self._logo)
        head.addWidget(self._name)
        head.addStretch(1)
        self._main, self._bottom = QVBoxLayout(), QVBoxLayout()
        for part in (self._main, self._bottom):
            part.setSpacing(2)
        self._fold = tool_button("collapse", "Collapse the sidebar", size=18)
        self._fold.clicked.connect(self._toggle)
        foot = QHBoxLayout()
        foot.setContentsMargins(15, 4, 12, 0)
        foot.addWidget(self._fold)
        foot.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 12, 0, 8)
        outer.setSpacing(2)
        outer.addLayout(head)
        outer.addLayout(self._main)
        outer.addStretch(1)
        outer.addLayout(self._bottom)
        outer.addLayout(foot)
        follow(self)
        self.set_state(state or NavState())

    def set_state(self, state: NavState) -> None:
        """Show the pages; buttons live as long as their keys do."""
        if tuple(i.key for i in state.items) != tuple(i.key for i in self._state.items):
            self._rebuild(state.items)
        self._state = state
        for item in state.items:
            made = self._buttons[item.key]
            made.set_item(item, collapsed=state.collapsed)
            made.setChecked(item.key == state.current)
        self._name.setVisible(not state.collapsed)
        self._fold.setAccessibleName("Expand the sidebar" if state.collapsed else "Collapse the sidebar")
        self._fold.setToolTip(self._fold.accessibleName())
        self.setFixedWidth(NARROW if state.collapsed else WIDE)

    def on_theme(self, tokens: Tokens) -> None:
        """Repaint in the new colours."""
        self.setStyleSheet(
            f"QFrame#nav {{ background: {tokens.sidebar}; border: none; border-right: 1px solid {tokens.border}; }}"
        )
        self._logo.setPixmap(app_icon().pixmap(QSize(28, 28), self.devicePixelRatioF()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Up and Down move the focus between entries."""
        step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(event.key()))
        buttons = list(self._buttons.values())
        focused = next((i for i, b in enumerate(buttons) if b.hasFocus()), None)
        if step is None or focused is None:
            super().keyPressEvent(event)
            return
        buttons[(focused + step) % len(buttons)].setFocus(Qt.FocusReason.TabFocusReason)

    def _rebuild(self, items: tuple[NavItem, ...]) -> None:
        clear(self._main)
        clear(self._bottom)
        self._buttons = {}
        for item in items:
            made = NavButton(item)
            made.clicked.connect(lambda _=False, key=item.key: self._choose(key))
            (self._bottom if item.section == "bottom" else self._main).addWidget(made)
            self._buttons[item.key] = made

    def _choose(self, key: str) -> None:
        # The button follows the state, not the click: the app may refuse to leave a page.
        for name, made in self._buttons.items():
            made.setChecked(name == self._state.current)
        self.navigated.emit(key)

    def _toggle(self) -> None:
        self.collapseToggled.emit(not self._state.collapsed)


@dataclass(frozen=True)
class StripItem:
    """One thing to watch: its name, its state as text and kind, and where a click leads."""

    key: str
    label: str
    text: str
    kind: str = "neutral"
    tooltip: str = ""
    link: str = ""


@dataclass(frozen=True)
class StatusStripState:
    """What the strip shows, from left to right."""

    pills: tuple[StripItem, ...] = ()


class StripButton(QAbstractButton):
    """One entry of the strip: icon, name, state."""

    def __init__(self, item: StripItem, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFont(scaled(self.font(), -0.75))
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._needs = QSize()
        self._take(item)

    def set_item(self, item: StripItem) -> None:
        """Take a new state; the same again costs nothing."""
        if item != self.item:
            self._take(item)

    def _take(self, item: StripItem) -> None:
        self.item = item
        self.setAccessibleName(f"{item.label}: {item.text}")
        self.setToolTip(item.tooltip or self.accessibleName())
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if item.link else Qt.FocusPolicy.NoFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor if item.link else Qt.CursorShape.ArrowCursor)
        needs = self.sizeHint()
        if needs != self._needs:  # else the window would be laid out for a number that counts up
            self._needs = needs
            self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Icon, both texts and padding."""
        strong = scaled(self.font(), 0, self.font().Weight.DemiBold)
        width = self.fontMetrics().horizontalAdvance(self.item.label + "  ") + text_width(strong, self.item.text)
        return QSize(width + 46, 28)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the entry; trouble gets a soft background so that it is seen from afar."""
        t = current_tokens()
        colour, soft = t.kind(self.item.kind)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(0, 2, 0, -2)
        painter.setPen(QPen(QColor(t.accent), 2) if self.hasFocus() else Qt.PenStyle.NoPen)
        loud = self.item.kind in ("error", "warn")
        hover = self.underMouse() and self.item.link
        painter.setBrush(QColor(soft if loud else t.hover) if loud or hover else Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), t.control_radius, t.control_radius)
        paint_icon(painter, QRectF(box.left() + 10, box.center().y() - 7, 14, 14), self.item.kind, colour)
        text = box.adjusted(30, 0, -8, 0)
        flags = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
        painter.setPen(QColor(colour if loud else t.muted))
        painter.drawText(text, flags, self.item.label)
        left = painter.fontMetrics().horizontalAdvance(self.item.label + "  ")
        painter.setFont(scaled(self.font(), 0, self.font().Weight.DemiBold))
        painter.setPen(QColor(colour if loud else t.text))
        painter.drawText(text.adjusted(left, 0, 0, 0), flags, self.item.text)


class StatusStrip(QFrame):
    """The line of states at the window's edge."""

    linkActivated = Signal(str)

    def __init__(self, state: StatusStripState | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Status")
        self._buttons: dict[str, StripButton] = {}
        self._layout = QHBoxLayout(self)
        self._layout.setContentsMargins(0, 2, 0, 2)
        self._layout.setSpacing(4)
        follow(self)
        self.set_state(state or StatusStripState())

    def set_state(self, state: StatusStripState) -> None:
        """Show the states."""
        if tuple(self._buttons) != tuple(p.key for p in state.pills):
            clear(self._layout)
            self._buttons = {}
            for item in state.pills:
                made = StripButton(item)
                made.clicked.connect(lambda _=False, w=made: w.item.link and self.linkActivated.emit(w.item.link))
                self._layout.addWidget(made)
                self._buttons[item.key] = made
            self._layout.addStretch(1)
        for item in state.pills:
            self._buttons[item.key].set_item(item)

    def on_theme(self, _tokens: Tokens) -> None:
        """Repaint in the new colours."""
        self.update()
