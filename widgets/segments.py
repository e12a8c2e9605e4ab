"""A switch between a few views: all choices in sight, one of them chosen."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QFrame, QPushButton, QSizePolicy, QWidget

from widgets.access import Role
from widgets.basics import ICON, row
from widgets.icons import icon


class SegmentSwitch(QFrame):
    """Buttons in one frame; the arrow keys move the choice. ``layout_state`` keeps it for the next start."""

    SPOKEN_AS = Role.Grouping

    chosen = Signal(str)

    def __init__(self, choices: Sequence[tuple[str, str, str]], parent: QWidget | None = None, *, name: str) -> None:
        """``choices`` are key, text and icon."""
        super().__init__(parent)
        self.setProperty("card", "switch")
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._buttons: dict[str, QPushButton] = {}
        self._icons: dict[str, str] = {}
        self._group = QButtonGroup(self)
        self._current = ""
        across = row(spacing=2)
        across.setContentsMargins(2, 2, 2, 2)
        for key, text, icon_name in choices:
            made = QPushButton(text)
            made.setCheckable(True)
            made.setProperty("variant", "segment")
            made.setAccessibleName(f"{name}: {text}")
            made.setIconSize(QSize(ICON))
            made.setCursor(Qt.CursorShape.PointingHandCursor)
            made.toggled.connect(lambda on, k=key: self._take(k) if on else None)
            self._group.addButton(made)
            self._buttons[key], self._icons[key] = made, icon_name
            across.addWidget(made)
        self.setLayout(across)
        self.choose(choices[0][0])

    def current(self) -> str:
        """The key of the chosen one."""
        return self._current

    def choose(self, key: str) -> None:
        """Choose another; an unknown key is ignored."""
        if key in self._buttons:
            self._buttons[key].setChecked(True)

    def button(self, key: str) -> QPushButton:
        """The button of a choice."""
        return self._buttons[key]

    def layout_state(self) -> str:
        """The choice as text."""
        return self._current

    def restore_layout(self, text: str) -> None:
        """Take ``layout_state`` back."""
        self.choose(text)

    def _take(self, key: str) -> None:
        if key == self._current:
            return
        self._current = key
        for other, made in self._buttons.items():
            if self._icons[other]:
                made.setIcon(icon(self._icons[other], "accent" if other == key else "muted"))
        self.chosen.emit(key)
