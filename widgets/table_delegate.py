"""How a cell is painted: text, numbers, hashes, bars and pills, in the colours of the current theme."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from widgets.basics import elide_middle
from widgets.fonts import mono_font, scaled
from widgets.icons import paint_icon
from widgets.labels import paint_pill
from widgets.table_model import Column, Index, TableModel
from widgets.theme import current_tokens

PADDING = 12


class CellDelegate(QStyledItemDelegate):
    """Paints every kind of cell of the console's tables."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint one cell."""
        model = index.model()
        if not isinstance(model, TableModel):
            super().paint(painter, option, index)
            return
        t = current_tokens()
        painter.save()
        rect = QRectF(option.rect)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        if selected:
            painter.fillRect(rect, QColor(t.selection))
        elif option.state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, QColor(t.hover))
        painter.setPen(QPen(QColor(t.border), 1))
        painter.drawLine(rect.bottomLeft(), rect.bottomRight())
        column = model.columns[index.column()]
        inner = rect.adjusted(PADDING, 0, -PADDING, -1)
        painter.setFont(option.font)
        self._content(painter, inner, column, model.value_at(index), t.text)
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(QColor(t.accent), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(rect.adjusted(0.5, 0.5, -0.5, -1.5))
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Wide enough for the text; rows have one height."""
        text = str(index.data(Qt.ItemDataRole.DisplayRole) or "")
        return QSize(option.fontMetrics.horizontalAdvance(text) + 2 * PADDING + 28, 34)

    def _content(self, painter: QPainter, inner: QRectF, column: Column, value: Any, ink: str) -> None:
        text = column.text(value)
        t = current_tokens()
        if value is None:
            _text(painter, inner, "—", column.align, t.faint)
        elif column.kind == "pill":
            if not text:
                return
            kind = column.pill(value) if column.pill else "neutral"
            painter.setFont(scaled(painter.font(), -0.75, painter.font().Weight.DemiBold))
            width = min(inner.width(), painter.fontMetrics().horizontalAdvance(text) + 36)
            paint_pill(painter, QRectF(inner.left(), inner.center().y() - 11, width, 22), text, kind)
        elif column.kind == "check":
            self._check(painter, inner, bool(value))
        elif column.kind == "bar":
            self._bar(painter, inner, column, value, text)
        elif column.kind == "hash":
            painter.setFont(mono_font())
            room, width = inner.width(), painter.fontMetrics().horizontalAdvance
            shown = next((form for form in (text, elide_middle(text)) if width(form) <= room), elide_middle(text, 6, 4))
            _text(painter, inner, shown, column.align, t.accent if column.link else ink)
        elif column.kind == "link":
            _text(painter, inner, text, column.align, t.accent)
        else:
            tone = column.tone(value) if column.tone is not None else ""
            _text(painter, inner, text, column.align, t.kind(tone)[0] if tone else ink)

    def _check(self, painter: QPainter, inner: QRectF, checked: bool) -> None:
        t = current_tokens()
        box = QRectF(inner.left(), inner.center().y() - 8, 16, 16).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(t.accent if checked else t.border_strong), 1))
        painter.setBrush(QColor(t.accent if checked else t.surface))
        painter.drawRoundedRect(box, 4, 4)
        if checked:
            paint_icon(painter, box.adjusted(1.5, 1.5, -1.5, -1.5), "check", t.on_accent)

    def _bar(self, painter: QPainter, inner: QRectF, column: Column, value: float, text: str) -> None:
        t = current_tokens()
        text_width = max(56.0, painter.fontMetrics().horizontalAdvance(text) + 4.0)
        track = QRectF(inner.left(), inner.center().y() - 3, max(8.0, inner.width() - text_width - 8), 6)
        share = min(1.0, max(0.0, float(value) / column.maximum)) if column.maximum else 0.0
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(t.sunken))
        painter.drawRoundedRect(track, 3, 3)
        if share > 0:
            painter.setBrush(QColor(t.accent))
            painter.drawRoundedRect(QRectF(track.left(), track.top(), max(6.0, track.width() * share), 6), 3, 3)
        _text(painter, inner, text, "right", t.text)


def _text(painter: QPainter, inner: QRectF, text: str, align: str, colour: str) -> None:
    flag = {"right": Qt.AlignmentFlag.AlignRight, "center": Qt.AlignmentFlag.AlignHCenter}.get(
        align, Qt.AlignmentFlag.AlignLeft
    )
    painter.setPen(QColor(colour))
    shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(inner.width()) + 1)
    painter.drawText(inner, int(flag | Qt.AlignmentFlag.AlignVCenter), shown)
