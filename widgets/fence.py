"""A fence around what changes often: what lies outside is laid out anew only where other room is needed."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget


class Fence(QWidget):
    """Holds one widget of a column, as large as itself: it is as wide as its place.

    In Qt every text that changes has all layouts up to the window done again, even where each thing then stands as it
    stood. A widget without a layout of its own is told first, and need not pass it on.
    """

    def __init__(self, inner: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._inner = inner
        inner.setParent(self)
        self.setSizePolicy(inner.sizePolicy())
        self._needs: tuple[QSize, QSize] | None = None
        self._widest = 0

    def event(self, event: QEvent) -> bool:
        """Pass on that other room is needed, and nothing else."""
        if event.type() == QEvent.Type.LayoutRequest:
            needs = (self.sizeHint(), self.minimumSizeHint())
            if needs != self._needs:
                self._needs = needs
                self.updateGeometry()
            return True
        return super().event(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Give all room to the inside."""
        super().resizeEvent(event)
        self._inner.setGeometry(self.rect())

    def sizeHint(self) -> QSize:
        """What the inside asks for; of a text that is wrapped, its height at this width."""
        return self._asked(self._inner.sizeHint())

    def minimumSizeHint(self) -> QSize:
        """What the inside asks for at least."""
        return self._asked(self._inner.minimumSizeHint())

    def hasHeightForWidth(self) -> bool:
        """As the inside."""
        return not self._inner.isHidden() and self._inner.hasHeightForWidth()

    def heightForWidth(self, width: int) -> int:
        """As the inside."""
        return max(self._inner.minimumHeight(), self._inner.heightForWidth(width))

    def _asked(self, size: QSize) -> QSize:
        if self._inner.isHidden():
            return QSize(0, 0)
        if self._inner.hasHeightForWidth():
            size = QSize(0, self.heightForWidth(self.width()))
        else:  # with every word the widths change: the most that was needed is kept
            self._widest = max(self._widest, self._inner.minimumSizeHint().width())
            size = QSize(self._widest, size.height())
        return size.expandedTo(self._inner.minimumSize())
