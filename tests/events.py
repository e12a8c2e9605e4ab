"""What a widget is told by Qt, counted: how often it is painted, resized, laid out."""

from __future__ import annotations

from collections import Counter

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QWidget


class Events(QObject):
    """Counts the events of one widget by their type, as long as the widget lives."""

    def __init__(self, watched: QWidget) -> None:
        super().__init__(watched)
        self.count: Counter[QEvent.Type] = Counter()
        watched.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """Count, and let it pass."""
        self.count[event.type()] += 1
        return False
