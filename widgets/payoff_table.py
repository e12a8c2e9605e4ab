"""A table of payoffs: each cell holds a number a player; it can be edited, and shows what is played."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFont, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLineEdit,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from widgets.basics import column, label
from widgets.fonts import scaled
from widgets.theme import current_tokens, follow
from widgets.tokens import Tokens, mix

Index = QModelIndex | QPersistentModelIndex
ROW, CELL, NAME = 38, 84, 132


@dataclass(frozen=True)
class PayoffTableState:
    """Rows and columns are two players' actions; ``cells[row][column]`` is a number a player.

    ``row_shares`` and ``column_shares`` are how likely each action is played, ``best`` says which numbers of a cell are
    best responses, ``equilibria`` are the cells that are equilibria in pure strategies.
    """

    row_title: str = ""
    column_title: str = ""
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    cells: tuple[tuple[tuple[float, ...], ...], ...] = ()
    row_shares: tuple[float, ...] = ()
    column_shares: tuple[float, ...] = ()
    best: frozenset[tuple[int, int, int]] = frozenset()  # row, column, number
    equilibria: frozenset[tuple[int, int]] = frozenset()
    editable: bool = True
    numbers: tuple[str, ...] = ()  # what the numbers of a cell are, for who reads them out

    def text(self, row: int, column: int) -> str:
        """A cell's numbers, as they are typed: ``3, -1``."""
        return ", ".join(number_text(value) for value in self.cells[row][column])


def number_text(value: float) -> str:
    """A payoff, without the zeros that say nothing, in full precision."""
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e15 else repr(float(value))


def short_number(value: float) -> str:
    """A payoff as short as it can be shown."""
    return f"{value:.4g}"


def read_numbers(text: str, count: int) -> tuple[tuple[float, ...], str]:
    """Read a cell; returns the numbers, or none and why they cannot be used. A fraction may be typed: 1/3."""
    parts = [part for part in text.replace(";", ",").replace(" ", ",").split(",") if part]
    if len(parts) != count:
        return (), f"{count} number{'s' if count != 1 else ''} needed, as in {', '.join(['1'] * count)}"
    found = []
    for part in parts:
        top, _, bottom = part.partition("/")
        try:
            value = float(top) / float(bottom) if bottom else float(top)
        except (ValueError, ZeroDivisionError):
            return (), f"{part!r} is not a number"
        if not math.isfinite(value):
            return (), f"{part!r} is not finite"
        found.append(value)
    return tuple(found), ""


class _Model(QAbstractTableModel):
    """The state as Qt's model."""

    edited = Signal(int, int, tuple)
    refused = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.state = PayoffTableState()

    def show(self, state: PayoffTableState) -> None:
        """Take a state; the shape decides whether the view keeps its place."""
        same = (state.rows, state.columns) == (self.state.rows, self.state.columns)
        if not same:
            self.beginResetModel()
        self.state = state
        if not same:
            self.endResetModel()
        elif state.rows:
            last = self.index(len(state.rows) - 1, len(state.columns) - 1)
            self.dataChanged.emit(self.index(0, 0), last)
            self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(state.columns) - 1)
            self.headerDataChanged.emit(Qt.Orientation.Vertical, 0, len(state.rows) - 1)

    def rowCount(self, parent: Index | None = None) -> int:
        """The row player's actions."""
        return 0 if parent is not None and parent.isValid() else len(self.state.rows)

    def columnCount(self, parent: Index | None = None) -> int:
        """The column player's actions."""
        return 0 if parent is not None and parent.isValid() else len(self.state.columns)

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Cells can be edited where the game is small."""
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return flags | Qt.ItemFlag.ItemIsEditable if self.state.editable else flags

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Texts of a cell."""
        if not index.isValid():
            return None
        row, column_ = index.row(), index.column()
        if role == Qt.ItemDataRole.EditRole:
            return self.state.text(row, column_)
        if role == Qt.ItemDataRole.DisplayRole:
            return ", ".join(short_number(value) for value in self.state.cells[row][column_])
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            return self._words(row, column_)
        return None

    def _words(self, row: int, column_: int) -> str:
        state = self.state
        names = state.numbers or tuple(f"number {i + 1}" for i in range(len(state.cells[row][column_])))
        parts = [f"{name}: {number_text(v)}" for name, v in zip(names, state.cells[row][column_], strict=False)]
        parts += [f"a best response of {name}" for k, name in enumerate(names) if (row, column_, k) in state.best]
        if (row, column_) in state.equilibria:
            parts.append("an equilibrium in pure strategies")
        return f"{state.rows[row]} against {state.columns[column_]}: " + "; ".join(parts)

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Read what was typed; what cannot be read is refused with its reason, and the cell stays."""
        if role != Qt.ItemDataRole.EditRole or str(value) == self.state.text(index.row(), index.column()):
            return False
        numbers, why = read_numbers(str(value), len(self.state.cells[index.row()][index.column()]))
        where = f"{self.state.rows[index.row()]} against {self.state.columns[index.column()]}"
        self.refused.emit(f"{where}: {why}." if why else "")
        if why:
            return False
        self.edited.emit(index.row(), index.column(), numbers)
        return True

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """An action's name and how likely it is played."""
        across = orientation == Qt.Orientation.Horizontal
        names = self.state.columns if across else self.state.rows
        shares = self.state.column_shares if across else self.state.row_shares
        if not 0 <= section < len(names):
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return names[section] if not shares else f"{names[section]}\n{shares[section]:.3f}"
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignCenter
        return None


class _Delegate(QStyledItemDelegate):
    """Paints a cell: shaded by how often it is played, best responses underlined, equilibria framed."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint one cell."""
        model = index.model()
        assert isinstance(model, _Model)
        state, t = model.state, current_tokens()
        row, column_ = index.row(), index.column()
        rect = QRectF(option.rect)
        share = 0.0
        if state.row_shares and state.column_shares:
            share = math.sqrt(max(0.0, state.row_shares[row] * state.column_shares[column_]))
        painter.save()
        painter.fillRect(rect, QColor(mix(t.surface, t.accent, 0.34 * min(1.0, share))))
        if option.state & QStyle.StateFlag.State_Selected:
            painter.setPen(QPen(QColor(t.accent), 2))
            painter.drawRect(rect.adjusted(1, 1, -2, -2))
        if (row, column_) in state.equilibria:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(QColor(t.ok), 2))
            painter.drawRoundedRect(rect.adjusted(4, 4, -5, -5), 5, 5)
        painter.setFont(option.font)
        self._numbers(painter, rect, state, row, column_, t)
        painter.restore()

    def _numbers(
        self, painter: QPainter, rect: QRectF, state: PayoffTableState, row: int, column_: int, t: Tokens
    ) -> None:
        values = state.cells[row][column_]
        texts = [short_number(value) for value in values]
        metrics = painter.fontMetrics()
        gap = metrics.horizontalAdvance(", ")
        width = sum(metrics.horizontalAdvance(text) for text in texts) + gap * (len(texts) - 1)
        if width > rect.width() - 12:
            painter.setPen(QColor(t.text))
            whole = metrics.elidedText(", ".join(texts), Qt.TextElideMode.ElideRight, int(rect.width()) - 12)
            painter.drawText(rect, int(Qt.AlignmentFlag.AlignCenter), whole)
            return
        left, base = rect.center().x() - width / 2, rect.center().y() + metrics.ascent() / 2 - 1
        for at, text in enumerate(texts):
            ink = QColor(t.series[at % len(t.series)] if len(texts) > 1 else t.text)
            painter.setPen(ink)
            painter.drawText(int(left), int(base), text)
            advance = metrics.horizontalAdvance(text)
            if (row, column_, at) in state.best:
                painter.fillRect(QRectF(left, base + 3, advance, 1.5), ink)
            left += advance
            if at + 1 < len(texts):
                painter.setPen(QColor(t.muted))
                painter.drawText(int(left), int(base), ",")
            left += gap

    def createEditor(self, parent: QWidget, _option: QStyleOptionViewItem, index: Index) -> QWidget:
        """A line that fits the cell."""
        made = QLineEdit(parent)
        made.setAccessibleName(str(index.data(Qt.ItemDataRole.AccessibleTextRole)))
        made.setAlignment(Qt.AlignmentFlag.AlignCenter)
        made.setStyleSheet("padding: 0 2px; min-height: 0; border-radius: 0;")
        return made

    def setModelData(self, editor: QWidget, model: Any, index: Index) -> None:
        """Hand over the text."""
        model.setData(index, editor.text(), Qt.ItemDataRole.EditRole)  # type: ignore[attr-defined]


class PayoffTable(QWidget):
    """The table with its titles; ``cellEdited(row, column, numbers)`` asks, the next state answers."""

    cellEdited = Signal(int, int, tuple)

    def __init__(
        self, state: PayoffTableState | None = None, parent: QWidget | None = None, *, name: str = "Payoffs"
    ) -> None:
        super().__init__(parent)
        self._name = name
        self._model = _Model(self)
        self._title = label("", "small")
        self._why = label("", "error", wrap=True)
        self._view = QTableView()
        self._view.setModel(self._model)
        self._view.setItemDelegate(_Delegate(self._view))
        self._view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self._view.setTabKeyNavigation(False)
        self._view.setCornerButtonEnabled(False)
        triggers = QAbstractItemView.EditTrigger
        self._view.setEditTriggers(triggers.DoubleClicked | triggers.AnyKeyPressed | triggers.EditKeyPressed)
        for header, size in ((self._view.horizontalHeader(), CELL), (self._view.verticalHeader(), ROW)):
            header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
            header.setDefaultSectionSize(size)
            header.setHighlightSections(False)
        self._view.verticalHeader().setMinimumWidth(72)
        body = column(self, spacing=4)
        body.addWidget(self._title)
        body.addWidget(self._view)
        body.addWidget(self._why)
        self._model.edited.connect(self.cellEdited)
        self._model.refused.connect(self._refuse)
        self._why.hide()
        self.setFocusProxy(self._view)
        follow(self)
        self.set_state(state or PayoffTableState())

    def set_state(self, state: PayoffTableState) -> None:
        """Show payoffs."""
        widest = max((len(self._cell_text(row)) for row in state.cells), default=4)
        metrics = self._view.fontMetrics()
        self._model.show(state)
        cell = max(CELL, min(220, metrics.averageCharWidth() * widest + 28))
        self._view.horizontalHeader().setDefaultSectionSize(cell)
        tall = 48 if state.column_shares else 34
        self._view.horizontalHeader().setFixedHeight(tall)
        self._view.verticalHeader().setDefaultSectionSize(48 if state.row_shares else ROW)
        self._title.setText(f"Rows: {state.row_title}.  Columns: {state.column_title}." if state.row_title else "")
        self._title.setVisible(bool(state.row_title))
        self._view.setAccessibleName(f"{self._name}: {len(state.rows)} rows, {len(state.columns)} columns")
        self._fit(cell)

    def view(self) -> QTableView:
        """The Qt view, for tests and for pages that edit a cell."""
        return self._view

    def state(self) -> PayoffTableState:
        """What is shown."""
        return self._model.state

    def on_theme(self, _tokens: Tokens) -> None:
        """Repaint in the new colours."""
        self._view.setFont(scaled(self.font(), 0, QFont.Weight.Normal))
        self._view.viewport().update()

    @staticmethod
    def _cell_text(row: tuple[tuple[float, ...], ...]) -> str:
        return max((", ".join(short_number(v) for v in cell) for cell in row), key=len, default="")

    def _fit(self, cell: int) -> None:
        state = self._model.state
        rows, columns = len(state.rows), len(state.columns)
        header = self._view.horizontalHeader().height()
        height = header + rows * self._view.verticalHeader().defaultSectionSize() + 4
        wide = self._view.verticalHeader().sizeHint().width() + columns * cell + 4
        self._view.setMaximumWidth(max(wide, 200))
        bar = self._view.horizontalScrollBar().sizeHint().height() if wide > self.width() > 50 else 0
        self._view.setFixedHeight(min(height, 480) + bar)

    def resizeEvent(self, event: Any) -> None:
        """Make room for a scroll bar where the columns do not fit."""
        super().resizeEvent(event)
        self._fit(self._view.horizontalHeader().defaultSectionSize())

    def _refuse(self, why: str) -> None:
        self._why.setText(why)
        self._why.setVisible(bool(why))
