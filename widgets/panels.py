"""Panels that speak: actions, banners across a page, and what an empty place says."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QToolButton, QWidget

from widgets.access import Role, announce
from widgets.basics import IconLabel, add, button, clear, column, label, row, tool_button
from widgets.theme import current_tokens, follow
from widgets.tokens import Tokens, mix

LEAST_FOR_ICON = 190  # the height at which icon, title, a line and a button have room


@dataclass(frozen=True)
class Action:
    """A button that a panel offers: its key comes back in the signal."""

    key: str
    label: str
    icon: str = ""
    primary: bool = False
    enabled: bool = True


@dataclass(frozen=True)
class BannerState:
    """A message across a page: kind info, ok, warn or error; what, why and what next."""

    kind: str
    title: str
    text: str = ""
    next_step: str = ""
    actions: tuple[Action, ...] = ()
    closable: bool = True


class Banner(QFrame):
    """A banner with actions and a close button; hidden without a state."""

    SPOKEN_AS = Role.AlertMessage

    actionTriggered = Signal(str)
    closed = Signal()

    def __init__(self, state: BannerState | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("banner")
        self._state: BannerState | None = None
        self._icon = IconLabel("info", "info", 20)
        self._title = label("", "strong", wrap=True)
        self._text = label("", "", wrap=True, selectable=True)
        self._next = label("", "muted", wrap=True, selectable=True)
        self._actions = row(spacing=8)
        self._close: QToolButton = tool_button("close", "Dismiss")
        self._close.clicked.connect(self._dismiss)
        words = column(spacing=2)
        for item in (self._title, self._text, self._next):
            add(words, item)
        outer = QHBoxLayout(self)
        outer.setContentsMargins(16, 12, 12, 12)
        outer.setSpacing(12)
        outer.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        outer.addLayout(words, 1)
        outer.addLayout(self._actions)
        outer.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)
        follow(self)
        self.set_state(state)

    def set_state(self, state: BannerState | None) -> None:
        """Show a message, or hide on None."""
        self._state = state
        self.setVisible(state is not None)
        if state is None:
            self.setAccessibleName("")
            return
        self._icon.set_icon(state.kind, state.kind)
        self._title.setText(state.title)
        for widget, text in ((self._text, state.text), (self._next, state.next_step)):
            widget.setText(text)
            widget.setVisible(bool(text))
        self._close.setVisible(state.closable)
        clear(self._actions)
        for action in state.actions:
            made = button(action.label, action.icon, "primary" if action.primary else "secondary")
            made.setEnabled(action.enabled)
            made.clicked.connect(lambda _=False, key=action.key: self.actionTriggered.emit(key))
            self._actions.addWidget(made)
        words = f"{state.kind}: {state.title}. {state.text} {state.next_step}".strip()
        if words != self.accessibleName():
            self.setAccessibleName(words)
            announce(self, words, urgent=state.kind in ("warn", "error"))
        self.on_theme(current_tokens())

    def on_theme(self, tokens: Tokens) -> None:
        """Take the kind's soft background and an edge of its colour."""
        colour, soft = tokens.kind(self._state.kind if self._state else "info")
        edge = mix(colour, soft, 0.55)
        self.setStyleSheet(
            f"QFrame#banner {{ background: {soft}; border: 1px solid {edge}; border-radius: {tokens.radius}px; }}"
        )

    def _dismiss(self) -> None:
        self.set_state(None)
        self.closed.emit()


@dataclass(frozen=True)
class EmptyPanelState:
    """What to say where there is nothing yet, and what to do about it."""

    icon: str
    title: str
    text: str = ""
    actions: tuple[Action, ...] = ()


class EmptyPanel(QWidget):
    """An icon, a sentence and a button in the middle of an empty place."""

    actionTriggered = Signal(str)

    def __init__(self, state: EmptyPanelState | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: EmptyPanelState | None = None
        self._icon = IconLabel("info", "faint", 40)
        self._title = label("", "heading")
        self._text = label("", "muted", wrap=True)
        self._text.setMaximumWidth(440)
        self._actions = row(spacing=8)
        for text in (self._title, self._text):
            text.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        body = column(self, margins=24, spacing=8)
        body.addStretch(1)
        body.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignHCenter)
        body.addWidget(self._title)
        body.addWidget(row_of(self._text))
        body.addSpacing(8)
        body.addLayout(row(None, self._actions, None))
        body.addStretch(1)
        if state is not None:
            self.set_state(state)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Do without the icon where it would push the words together."""
        super().resizeEvent(event)
        self._icon.setVisible(self.height() >= LEAST_FOR_ICON)

    def set_state(self, state: EmptyPanelState) -> None:
        """Show a state; the same again costs nothing, and its buttons keep the keyboard."""
        if state == self._shown:
            return
        self._shown = state
        self._icon.set_icon(state.icon, "faint")
        self._title.setText(state.title)
        self._text.setText(state.text)
        self._text.setVisible(bool(state.text))
        clear(self._actions)
        for action in state.actions:
            made = button(action.label, action.icon, "primary" if action.primary else "secondary")
            made.setEnabled(action.enabled)
            made.clicked.connect(lambda _=False, key=action.key: self.actionTriggered.emit(key))
            self._actions.addWidget(made)
        self.setAccessibleName(f"{state.title}. {state.text}")


def row_of(widget: QWidget) -> QWidget:
    """A widget centred in a row of its own."""
    holder = QWidget()
    layout = QHBoxLayout(holder)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addStretch(1)
    layout.addWidget(widget, 100)
    layout.addStretch(1)
    return holder
