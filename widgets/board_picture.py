"""What every painted board shares: it keeps a state, tells it in words, and repaints in a new theme."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets.access import Role
from widgets.board_state import BoardState
from widgets.theme import follow
from widgets.tokens import Tokens


class StatePicture(QWidget):
    """A painted state. ``name`` is what a screen reader calls it, ``least`` and ``best`` are sizes."""

    SPOKEN_AS = Role.Graphic

    def __init__(self, name: str, least: QSize, best: QSize, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = BoardState()
        self._name = name
        self._best = best
        self.setMinimumSize(least)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        follow(self)

    def set_state(self, state: BoardState) -> None:
        """Show a state."""
        self._state = state
        self.setAccessibleName(self._name)
        self.setAccessibleDescription(state.describe())
        self.update()

    def sizeHint(self) -> QSize:
        """The size at which it reads best."""
        return self._best

    def on_theme(self, _tokens: Tokens) -> None:
        """Repaint in the new colours."""
        self.update()
