"""The console's table: sorted and filtered in Python, selection that survives updates, links, copy and CSV."""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QItemSelection, QItemSelectionModel, QMetaMethod, QModelIndex, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QGuiApplication, QKeyEvent, QKeySequence, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QMenu, QStackedLayout, QTableView, QWidget

from widgets.panels import EmptyPanel, EmptyPanelState
from widgets.table_delegate import CellDelegate
from widgets.table_model import Column, TableModel
from widgets.theme import follow
from widgets.tokens import Tokens

ROW_HEIGHT = 34
LEAST_STRETCHED = 112
AT_ONCE = 6000  # rows that a filter looks at in one go
__all__ = ["Column", "DataTable", "TableState"]


@dataclass(frozen=True)
class TableState:
    """Rows of raw values in column order, their stable keys, and what to say when there are none."""

    rows: tuple[Sequence[Any], ...] = ()
    keys: tuple[Hashable, ...] = ()
    empty: EmptyPanelState | None = None


class _View(QTableView):
    """The view: reports clicks on links, copies rows, and never measures rows."""

    linkClicked = Signal(str)
    checkClicked = Signal(QModelIndex)
    copyRequested = Signal()
    stretched: tuple[int, ...] = ()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Share the room among the stretching columns, but keep them readable: rather scroll sideways."""
        super().resizeEvent(event)
        header = self.horizontalHeader()
        fixed = sum(header.sectionSize(i) for i in range(header.count()) if i not in self.stretched)
        tight = self.viewport().width() - fixed < LEAST_STRETCHED * len(self.stretched)
        mode = QHeaderView.ResizeMode.Interactive if tight else QHeaderView.ResizeMode.Stretch
        for index in self.stretched:
            turned = header.sectionResizeMode(index) != mode
            if turned:
                header.setSectionResizeMode(index, mode)
            if tight and (turned or header.sectionSize(index) < LEAST_STRETCHED):
                header.resizeSection(index, LEAST_STRETCHED)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """A click on a link cell is a link."""
        super().mouseReleaseEvent(event)
        index = self.indexAt(event.position().toPoint())
        target = self.target(index)
        if target and event.button() == Qt.MouseButton.LeftButton and not event.modifiers():
            self.linkClicked.emit(target)
        if self._checks(index) and event.button() == Qt.MouseButton.LeftButton:
            self.checkClicked.emit(index)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Links show a hand."""
        super().mouseMoveEvent(event)
        hand = bool(self.target(self.indexAt(event.position().toPoint())))
        self.viewport().setCursor(Qt.CursorShape.PointingHandCursor if hand else Qt.CursorShape.ArrowCursor)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy copies raw rows; Enter follows the link of a cell, or activates its row (platforms differ in that)."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copyRequested.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            target = self.target(self.currentIndex())
            if target and self.currentIndex().column():
                self.linkClicked.emit(target)
            else:
                self.activated.emit(self.currentIndex())
        elif event.key() == Qt.Key.Key_Space and (index := self._check_of(self.currentIndex())) is not None:
            self.checkClicked.emit(index)
        else:
            super().keyPressEvent(event)

    def _checks(self, index: QModelIndex) -> bool:
        model = self.model()
        return index.isValid() and isinstance(model, TableModel) and model.columns[index.column()].kind == "check"

    def _check_of(self, index: QModelIndex) -> QModelIndex | None:
        """The first check box in a row."""
        cells = (index.siblingAtColumn(column) for column in range(self.model().columnCount()))
        return next((cell for cell in cells if self._checks(cell)), None)

    def target(self, index: QModelIndex) -> str:
        model = self.model()
        if not index.isValid() or not isinstance(model, TableModel):
            return ""
        link, value = model.columns[index.column()].link, model.value_at(index)
        return link(value) if link is not None and value is not None else ""


class DataTable(QWidget):
    """A table of plain rows."""

    selectionChanged = Signal(tuple)
    activated = Signal(object)
    linkActivated = Signal(str)
    emptyAction = Signal(str)
    csvRequested = Signal()
    checkToggled = Signal(object, bool)  # a row's key, and what its box is to become

    def __init__(self, columns: Sequence[Column], parent: QWidget | None = None, *, name: str = "Table") -> None:
        super().__init__(parent)
        self._model = TableModel(columns)
        self._model.setParent(self)
        self._selected: tuple[Hashable, ...] = ()
        self._current: Hashable | None = None
        self._restoring = False
        self._scroll = 0
        self._fit: tuple[int, int] | None = None
        self._wanted = ""
        self._reading = QTimer(self)
        self._reading.timeout.connect(self._read_on)
        self._view = self._make_view(name)
        self._empty = EmptyPanel()
        self._empty.actionTriggered.connect(self.emptyAction)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._view)
        self._stack.addWidget(self._empty)
        self.setFocusProxy(self._view)
        self._model.modelAboutToBeReset.connect(self._before_reset)
        self._model.modelReset.connect(self._after_reset)
        self._default = self.layout_state()
        follow(self)

    def _make_view(self, name: str) -> _View:
        view = _View()
        view.setModel(self._model)
        view.setItemDelegate(CellDelegate(view))
        view.setAccessibleName(name)
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        view.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        view.setShowGrid(False)
        view.setWordWrap(False)
        view.setMouseTracking(True)
        view.setTabKeyNavigation(False)
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.customContextMenuRequested.connect(lambda at: self._menu().popup(view.viewport().mapToGlobal(at)))
        rows = view.verticalHeader()
        rows.setVisible(False)
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setDefaultSectionSize(ROW_HEIGHT)
        self._set_up_header(view)
        view.selectionModel().selectionChanged.connect(self._on_selection)
        view.activated.connect(self._on_activated)
        view.linkClicked.connect(self.linkActivated)
        view.checkClicked.connect(self._on_check)
        view.copyRequested.connect(self.copy_selection)
        return view

    def _set_up_header(self, view: _View) -> None:
        header = view.horizontalHeader()
        header.setHighlightSections(False)
        header.setTextElideMode(Qt.TextElideMode.ElideRight)
        header.setSectionsClickable(True)
        header.setSortIndicatorShown(True)
        header.setSortIndicatorClearable(True)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        header.sortIndicatorChanged.connect(self._model.sort)
        header.setMinimumSectionSize(56)
        header.setSectionsMovable(False)
        for index, column in enumerate(self._model.columns):
            if column.width:
                header.resizeSection(index, column.width)
            else:
                header.setSectionResizeMode(index, QHeaderView.ResizeMode.Stretch)
        view.stretched = tuple(i for i, column in enumerate(self._model.columns) if not column.width)

    def set_state(self, state: TableState) -> None:
        """Show rows; selection, current row and scroll position stay with their keys."""
        self._model.set_rows(state.rows, state.keys)
        if state.empty is not None:
            self._empty.set_state(state.empty)
        blank = state.empty is not None and not state.rows
        self._stack.setCurrentIndex(1 if blank else 0)
        # The keyboard cannot be handed to a view that is hidden: Tab would stop here for good.
        self.setFocusProxy(None if blank else self._view)
        self._apply_fit()

    def set_filter(self, text: str) -> None:
        """Show only the rows that contain all words; of very many rows some moments later."""
        if text and self._model.texts_wanting() > AT_ONCE:
            self._wanted = text
            self._reading.start()
        else:
            self._reading.stop()
            self._model.set_filter(text)

    def _read_on(self) -> None:
        """Look at some more rows for the filter, then use it: all of 50,000 at once would hold the window up."""
        if not self._model.write_some_texts():
            self._reading.stop()
            self._model.set_filter(self._wanted)

    def sort_by(self, column: int, *, descending: bool = False) -> None:
        """Sort by a column; -1 is the given order."""
        order = Qt.SortOrder.DescendingOrder if descending else Qt.SortOrder.AscendingOrder
        self._view.horizontalHeader().setSortIndicator(column, order)

    def selected_keys(self) -> tuple[Hashable, ...]:
        """The keys of the selected rows, in shown order."""
        return self._selected

    def select(self, keys: Sequence[Hashable]) -> None:
        """Select rows by key and bring the first into sight."""
        rows = self._model.rows_of(keys)
        selection = QItemSelection()
        for row in rows:
            index = self._model.index(row, 0)
            selection.select(index, index)
        flags = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
        self._view.selectionModel().select(selection, flags)
        if rows:
            self._view.selectionModel().setCurrentIndex(
                self._model.index(rows[0], 0), QItemSelectionModel.SelectionFlag.NoUpdate
            )
            self._view.scrollTo(self._model.index(rows[0], 0))

    def row_count(self) -> int:
        """Rows shown."""
        return self._model.rowCount()

    def visible_rows(self) -> list[Sequence[Any]]:
        """Raw values of the shown rows, in shown order."""
        return [self._model.raw(row) for row in range(self._model.rowCount())]

    def to_csv(self) -> str:
        """CSV of the shown rows, raw and in full precision."""
        return self._model.to_csv()

    def copy_selection(self) -> None:
        """Copy the selected rows as tab-separated raw values."""
        rows = self._model.rows_of(self._selected)
        wide = len(self._model.columns)
        lines = ["\t".join("" if v is None else str(v) for v in self._model.raw(row)[:wide]) for row in rows]
        if lines:
            QGuiApplication.clipboard().setText("\n".join(lines))

    def layout_state(self) -> str:
        """Column widths and sort order as text, for the settings."""
        header = self._view.horizontalHeader()
        widths = [header.sectionSize(i) for i in range(header.count())]
        return json.dumps({"widths": widths, "sort": self._model.sort_column, "descending": self._model.descending})

    def restore_layout(self, text: str) -> None:
        """Take ``layout_state`` back; anything unreadable or of another shape is ignored."""
        try:
            saved = json.loads(text)
            widths, column, descending = saved["widths"], int(saved["sort"]), bool(saved["descending"])
        except (ValueError, KeyError, TypeError):
            return
        header = self._view.horizontalHeader()
        if len(widths) != header.count() or not all(isinstance(w, int) and 20 <= w <= 5000 for w in widths):
            return
        for index, width in enumerate(widths):
            if index not in self._view.stretched:
                header.resizeSection(index, width)
        self.sort_by(column, descending=descending)

    def reset_layout(self) -> None:
        """Take the columns back as they were at first, in the given order."""
        self.restore_layout(self._default)

    def fit_height(self, least: int = 2, most: int = 10) -> None:
        """Be as high as the rows need, between two numbers of rows, now and after every update."""
        if self._fit is None:
            self._view.horizontalScrollBar().rangeChanged.connect(lambda low, high: self._apply_fit())
        self._fit = (least, most)
        self._apply_fit()

    def _apply_fit(self) -> None:
        if self._fit is not None:
            least, most = self._fit
            rows = max(least, min(most, self._model.rowCount()))
            # Room for an empty panel's icon, words and button, when there is one to show.
            bar = self._view.horizontalScrollBar()
            below = bar.sizeHint().height() if bar.maximum() > 0 else 0
            needed = self._view.horizontalHeader().sizeHint().height() + rows * ROW_HEIGHT + 4 + below
            self.setFixedHeight(max(needed, 200) if self._stack.currentIndex() == 1 else needed)

    def view(self) -> QTableView:
        """The Qt view, for tests and for pages that need its header."""
        return self._view

    def on_theme(self, _tokens: Tokens) -> None:
        """Repaint in the new colours."""
        self._view.viewport().update()

    def _menu(self) -> QMenu:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for text, slot in (
            ("Copy rows", self.copy_selection),
            ("Copy table as CSV", self._copy_csv),
            ("Save table as CSV…", self.csvRequested.emit),
        ):
            action = QAction(text, menu)
            action.triggered.connect(slot)
            menu.addAction(action)
        titles = menu.addMenu("Sort by")  # what a click on a title does, for the keyboard
        for at, column in enumerate(self._model.columns):
            if column.title:
                action = titles.addAction(column.title.replace("&", "&&"))
                action.triggered.connect(lambda _=False, at=at: self._sort_again(at))
        return menu

    def _sort_again(self, column: int) -> None:
        """Sort by a column; once more turns the order."""
        turned = self._model.sort_column == column and not self._model.descending
        self.sort_by(column, descending=turned)

    def _copy_csv(self) -> None:
        QGuiApplication.clipboard().setText(self.to_csv())

    def _on_selection(self) -> None:
        if self._restoring:
            return
        rows = sorted(index.row() for index in self._view.selectionModel().selectedRows())
        self._selected = tuple(self._model.key_at(row) for row in rows)
        self.selectionChanged.emit(self._selected)

    def _on_activated(self, index: QModelIndex) -> None:
        """Say which row; where nobody listens, the link of its cell is what is meant."""
        if self.isSignalConnected(QMetaMethod.fromSignal(self.activated)):
            self.activated.emit(self._model.key_at(index.row()))
        elif target := self._view.target(index):
            self.linkActivated.emit(target)

    def _on_check(self, index: QModelIndex) -> None:
        self.checkToggled.emit(self._model.key_at(index.row()), not self._model.value_at(index))

    def _before_reset(self) -> None:
        self._restoring = True
        current = self._view.currentIndex()
        self._current = self._model.key_at(current.row()) if current.isValid() else None
        self._scroll = self._view.verticalScrollBar().value()

    def _after_reset(self) -> None:
        model = self._view.selectionModel()
        selection, rows = QItemSelection(), self._model.rows_of(self._selected)
        for row in rows:
            selection.select(self._model.index(row, 0), self._model.index(row, 0))
        model.select(
            selection, QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
        )
        if self._current is not None and (at := self._model.rows_of([self._current])):
            model.setCurrentIndex(self._model.index(at[0], 0), QItemSelectionModel.SelectionFlag.NoUpdate)
        if self._scroll:
            self._view.doItemsLayout()  # now, not when it is painted: the scroll bar needs its range back
            self._view.verticalScrollBar().setValue(self._scroll)
        self._restoring = False
        kept = tuple(self._model.key_at(row) for row in rows)
        if kept != self._selected:
            self._selected = kept
            self.selectionChanged.emit(kept)
