"""Boards of the replay: renderers by kind. What no renderer knows shows as fields and bytes."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QStackedLayout, QWidget

from widgets.board_bars import BarsBoard
from widgets.board_bytes import BytesBoard, hex_dump
from widgets.board_cards import CardsBoard
from widgets.board_grid import GridBoard
from widgets.board_history import HistoryBoard
from widgets.board_state import BoardState, LegendEntry, board_state

__all__ = [
    "BarsBoard",
    "BoardState",
    "BoardView",
    "BytesBoard",
    "CardsBoard",
    "GridBoard",
    "HistoryBoard",
    "LegendEntry",
    "board_state",
    "hex_dump",
    "register",
]

Factory = Callable[[], QWidget]
_renderers: dict[str, Factory] = {
    "grid": GridBoard,
    "history": HistoryBoard,
    "cards": CardsBoard,
    "bars": BarsBoard,
}


def register(kind: str, factory: Factory) -> None:
    """Make boards of a kind with a factory; its widgets take ``set_state(BoardState)``."""
    _renderers[kind] = factory


class BoardView(QWidget):
    """Shows any System's state: picks the renderer by kind and keeps it for the next states."""

    def __init__(self, state: BoardState | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = BoardState()
        self._made: dict[str, QWidget] = {}
        self._stack = QStackedLayout(self)
        self.set_state(state or BoardState())

    def set_state(self, state: BoardState) -> None:
        """Show a state."""
        self._state = state
        kind = state.kind if state.kind in _renderers else "bytes"
        if kind not in self._made:
            self._made[kind] = _renderers.get(kind, BytesBoard)()
            self._stack.addWidget(self._made[kind])
        renderer = self._made[kind]
        renderer.set_state(state)  # type: ignore[attr-defined]
        self._stack.setCurrentWidget(renderer)
        self.setAccessibleName("Board")
        self.setAccessibleDescription(state.describe())

    def describe(self) -> str:
        """The state in words."""
        return self._state.describe()
