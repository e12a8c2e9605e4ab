"""A combo box whose text ends in dots where it does not fit; the tooltip then has all of it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox, QStylePainter, QToolTip

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
