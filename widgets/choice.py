"""A combo box whose text ends in dots where it does not fit; the tooltip then has all of it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from PySide6.QtCore import QAbstractListModel, QEvent, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox, QStylePainter, QToolTip, QWidget

FRAME = 12  # what the style sheet pads the text by, on both sides together


class Choice(QComboBox):
    """Qt would cut the text off within a letter."""

    def shown_text(self) -> str:
        """The current text as far as it fits."""
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        box = self.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, self
        )
        room = box.width() - FRAME - (self.iconSize().width() + 4 if not option.currentIcon.isNull() else 0)
        return self.fontMetrics().elidedText(self.currentText(), Qt.TextElideMode.ElideRight, max(0, room))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the box as ever, with the text as it fits."""
        painter = QStylePainter(self)
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        option.currentText = self.shown_text()
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)

    def event(self, event: QEvent) -> bool:
        """Say all of a text that is cut, unless there is a tooltip of its own."""
        if event.type() == QEvent.Type.ToolTip and not self.toolTip() and self.shown_text() != self.currentText():
            QToolTip.showText(event.globalPos(), self.currentText(), self)  # type: ignore[attr-defined]
            return True
        return super().event(event)


class LongChoice(Choice):
    """A choice among thousands, newest first: each is asked for its text when that is seen, none is copied."""

    def __init__(
        self, text: Callable[[Any], str], key: Callable[[Any], Hashable], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._key = key
        self._items = _Items(text, key, self)
        self.setModel(self._items)

    def set_items(self, items: Sequence[Any], chosen: Hashable) -> None:
        """Offer ``items``, and show the one of a key; the first where there is no such."""
        self._items.show(items)
        at = next((at for at, item in enumerate(items) if self._key(item) == chosen), 0 if items else -1)
        if at != self.currentIndex():
            self.setCurrentIndex(at)


class _Items(QAbstractListModel):
    def __init__(self, text: Callable[[Any], str], key: Callable[[Any], Hashable], parent: QWidget) -> None:
        super().__init__(parent)
        self._text = text
        self._key = key
        self._shown: Sequence[Any] = ()

    def rowCount(self, _parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:  # noqa: B008
        return len(self._shown)

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return self._text(self._shown[index.row()])
        return self._key(self._shown[index.row()]) if role == Qt.ItemDataRole.UserRole else None

    def show(self, items: Sequence[Any]) -> None:
        """Show ``items``; those that came before the ones that are there go in without a list that is open closing."""
        more = len(items) - len(self._shown)
        if more >= 0 and all(
            new is old or self._key(new) == self._key(old) for new, old in zip(items[more:], self._shown, strict=True)
        ):
            if more:
                self.beginInsertRows(QModelIndex(), 0, more - 1)
            self._shown = items
            if more:
                self.endInsertRows()
        else:
            self.beginResetModel()
            self._shown = items
            self.endResetModel()
