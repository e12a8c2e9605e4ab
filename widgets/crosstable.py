"""The crosstable of a league: who did what against whom, one cell a pairing, as won, drawn and lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPen, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from widgets.basics import column
from widgets.fonts import scaled
from widgets.theme import current_tokens, follow
from widgets.tokens import Tokens

Index = QModelIndex | QPersistentModelIndex
ROW, CELL, NAME, SUM = 34, 56, 150, 76


@dataclass(frozen=True)
class CrossCell:
    """Won, drawn and lost of the row's player against the column's."""

    won: int = 0
    drawn: int = 0
    lost: int = 0

    @property
    def played(self) -> int:
        """How many there were."""
        return self.won + self.drawn + self.lost

    @property
    def text(self) -> str:
        """Won, drawn, lost: the figures, which a colour only repeats."""
        return f"{self.won}-{self.drawn}-{self.lost}"

    @property
    def kind(self) -> str:
        """The status kind of the balance."""
        return "ok" if self.won > self.lost else "error" if self.won < self.lost else "neutral"


@dataclass(frozen=True)
class CrossTableState:
    """Players in the order of the table, and the cells by (row, column); a missing one was not played."""

    names: tuple[str, ...] = ()
    cells: Mapping[tuple[int, int], CrossCell] = field(default_factory=dict)

    def total(self, row: int) -> CrossCell:
        """All results of a player."""
        mine = [cell for (own, _), cell in self.cells.items() if own == row]
        return CrossCell(sum(c.won for c in mine), sum(c.drawn for c in mine), sum(c.lost for c in mine))

    @property
    def matches(self) -> int:
        """How many matches the table holds: each stands in two cells."""
        return sum(cell.played for cell in self.cells.values()) // 2


class _Model(QAbstractTableModel):
    """Rows are players; columns are their opponents by number, then the sum."""

    def __init__(self) -> None:
        super().__init__()
        self.state = CrossTableState()
        self.totals: tuple[CrossCell, ...] = ()

    def show(self, state: CrossTableState) -> None:
        if len(state.names) == len(self.state.names):
            self._take(state)
            if state.names:
                last = self.index(self.rowCount() - 1, self.columnCount() - 1)
                self.dataChanged.emit(self.index(0, 0), last)
                self.headerDataChanged.emit(Qt.Orientation.Vertical, 0, self.rowCount() - 1)
            return
        self.beginResetModel()
        self._take(state)
        self.endResetModel()

    def _take(self, state: CrossTableState) -> None:
        self.state = state
        self.totals = tuple(state.total(row) for row in range(len(state.names)))

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.state.names)

    def columnCount(self, parent: Index | None = None) -> int:
        size = self.rowCount(parent)
        return size + 1 if size else 0

    def cell(self, index: Index) -> CrossCell | None:
        if index.column() == self.rowCount():
            return self.totals[index.row()]
        return self.state.cells.get((index.row(), index.column()))

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        cell = self.cell(index)
        if role == Qt.ItemDataRole.DisplayRole:
            return cell.text if cell is not None else ""
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            return self._words(index, cell)
        return None

    def _words(self, index: Index, cell: CrossCell | None) -> str:
        name = self.state.names[index.row()]
        if index.column() == index.row():
            return name
        if cell is None:
            return f"{name} has not met {self.state.names[index.column()]}"
        other = "all" if index.column() == self.rowCount() else self.state.names[index.column()]
        return f"{name} against {other}: won {cell.won}, drawn {cell.drawn}, lost {cell.lost}"

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        across = orientation == Qt.Orientation.Horizontal
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignHCenter if across else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return None
        last = across and section == self.rowCount()
        name = "All" if last else self.state.names[section]
        if last or role == Qt.ItemDataRole.ToolTipRole:
            return "All opponents" if last and role == Qt.ItemDataRole.ToolTipRole else name
        return str(section + 1) if across else f"{section + 1}  {name}"


class _Delegate(QStyledItemDelegate):
    """Paints a cell: the figures on a tint of their balance, the diagonal dark."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint one cell."""
        t, model = current_tokens(), index.model()
        assert isinstance(model, _Model)
        rect, cell = QRectF(option.rect), model.cell(index)
        painter.save()
        colour, soft = t.kind(cell.kind) if cell is not None and cell.played else (t.faint, t.surface)
        if index.column() == index.row():
            soft = t.sunken
        total = index.column() == model.rowCount()
        painter.fillRect(rect, QColor(t.surface if total else soft))
        painter.setPen(QPen(QColor(t.border), 1))
        painter.drawLine(rect.bottomLeft(), rect.bottomRight())
        painter.drawLine(rect.topRight(), rect.bottomRight())
        if cell is not None:
            painter.setFont(scaled(option.font, 0, option.font.Weight.DemiBold) if total else option.font)
            painter.setPen(QColor(t.text if total else colour))
            painter.drawText(rect, int(Qt.AlignmentFlag.AlignCenter), cell.text)
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(QColor(t.accent), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(rect.adjusted(1, 1, -2, -2))
        painter.restore()


class _View(QTableView):
    """The grid; a click or Enter opens a pairing."""

    opened = Signal(int, int)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """A click opens the pairing."""
        super().mouseReleaseEvent(event)
        if event.button() == Qt.MouseButton.LeftButton:
            self._open(self.indexAt(event.position().toPoint()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """A pairing shows a hand."""
        super().mouseMoveEvent(event)
        hand = self._leads(self.indexAt(event.position().toPoint()))
        self.viewport().setCursor(Qt.CursorShape.PointingHandCursor if hand else Qt.CursorShape.ArrowCursor)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter opens the pairing."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._open(self.currentIndex())
        else:
            super().keyPressEvent(event)

    def _leads(self, index: QModelIndex) -> bool:
        model = self.model()
        return index.isValid() and isinstance(model, _Model) and (index.row(), index.column()) in model.state.cells

    def _open(self, index: QModelIndex) -> None:
        if self._leads(index):
            self.opened.emit(index.row(), index.column())


class CrossTable(QWidget):
    """Who did what against whom. ``pairActivated`` carries the places of a row and a column."""

    pairActivated = Signal(int, int)

    def __init__(self, state: CrossTableState | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = _Model()
        self._model.setParent(self)
        self._view = self._make_view()
        column(self).addWidget(self._view)
        self.setFocusProxy(self._view)
        follow(self)
        self.set_state(state or CrossTableState())

    def set_state(self, state: CrossTableState) -> None:
        """Show results; the widget is as high as its players need, up to sixteen."""
        self._model.show(state)
        for section in range(len(state.names) + 1):
            self._view.setColumnWidth(section, SUM if section == len(state.names) else CELL)
        self._fit()

    def needed(self) -> int:
        """The width that shows all players."""
        size = len(self._model.state.names)
        return NAME + size * CELL + SUM + 4

    def state(self) -> CrossTableState:
        """What is shown."""
        return self._model.state

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Leave room for a scroll bar only where there is one."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        bar = self._view.horizontalScrollBar().sizeHint().height() if self.width() < self.needed() else 0
        self._view.setFixedHeight(ROW * (min(len(self._model.state.names), 16) + 1) + 4 + bar)

    def view(self) -> QTableView:
        """The Qt view."""
        return self._view

    def on_theme(self, _tokens: Tokens) -> None:
        """Repaint in the new colours."""
        self._view.viewport().update()

    def _make_view(self) -> _View:
        view = _View()
        view.setModel(self._model)
        view.setItemDelegate(_Delegate(view))
        view.setAccessibleName("Crosstable: won, drawn and lost by pairing")
        view.setShowGrid(False)
        view.setMouseTracking(True)
        view.setTabKeyNavigation(False)
        view.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        view.setCornerButtonEnabled(False)
        rows, columns = view.verticalHeader(), view.horizontalHeader()
        rows.setDefaultSectionSize(ROW)
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setFixedWidth(NAME)
        rows.setHighlightSections(False)
        columns.setHighlightSections(False)
        columns.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        columns.setFixedHeight(ROW)
        view.opened.connect(self.pairActivated)
        return view
