"""The table's model: rows of raw values, sorted and filtered in Python, 100,000 rows in about ten milliseconds."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from operator import is_
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt

Index = QModelIndex | QPersistentModelIndex
PIECE = 1500  # rows whose texts are written down at a time where there are many: some milliseconds
NEW_ROWS = 5000  # rows among which those of before are looked for
FEW_ROWS = 64  # up to so many rows it is looked up which cells changed
MANY_SPANS = 12  # so many of them are told one by one
_ALIGN = {
    "left": Qt.AlignmentFlag.AlignLeft,
    "right": Qt.AlignmentFlag.AlignRight,
    "center": Qt.AlignmentFlag.AlignHCenter,
}


@dataclass(frozen=True)
class Column:
    """How one column looks; the rows hold raw values, ``format`` turns one into the text shown.

    A ``check`` column holds booleans; a click or the space key asks for the other value. ``tone`` gives a value the
    colour of a status kind ("": the usual ink); the text has to say the same. ``exact`` is what the tooltip says of a
    value that is shown rounded.
    """

    title: str
    align: str = "left"
    kind: str = "text"
    format: Callable[[Any], str] | None = None
    width: int = 0
    maximum: float | None = None
    pill: Callable[[Any], str] | None = None
    link: Callable[[Any], str] | None = None
    tooltip: str = ""
    key: Callable[[Any], Any] | None = None
    tone: Callable[[Any], str] | None = None
    exact: Callable[[Any], str] | None = None

    def text(self, value: Any) -> str:
        """What is shown for a value."""
        if value is None:
            return "—"
        if self.kind == "check":
            return "yes" if value else "no"
        return self.format(value) if self.format else str(value)


class TableModel(QAbstractTableModel):
    """Rows, their keys, and the order in which they show."""

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__()
        self.columns = tuple(columns)
        self._rows: tuple[Sequence[Any], ...] = ()
        self._keys: tuple[Hashable, ...] = ()
        self._order: list[int] = []
        self._needle = ""
        self._haystack: list[str] = []  # the texts of the rows, as far as they are written down
        self._sort_keys: dict[int, tuple[list[Any], bool]] = {}
        self.sort_column, self.descending = -1, False

    def set_rows(self, rows: Sequence[Sequence[Any]], keys: Sequence[Hashable] = ()) -> None:
        """Replace the rows; ``keys`` identify them across updates (default: their numbers)."""
        rows = tuple(rows)
        new_keys = tuple(keys) if keys else tuple(range(len(rows)))
        if len(new_keys) != len(rows):
            raise ValueError(f"{len(rows)} rows but {len(new_keys)} keys")
        # Where nobody holds on to a row (it is selected, say), other rows may take the places of those before.
        if len(rows) == len(self._rows) and (new_keys == self._keys or not self.persistentIndexList()):
            self._keys = new_keys
            self._update_in_place(rows)
            return
        self.beginResetModel()
        self._haystack = self._kept_texts(rows)
        self._rows, self._keys, self._sort_keys = rows, new_keys, {}
        self._order = self._arranged()
        self.endResetModel()

    def _update_in_place(self, rows: tuple[Sequence[Any], ...]) -> None:
        if rows == self._rows:
            return
        self._haystack = self._kept_texts(rows)
        before, self._rows, self._sort_keys = self._rows, rows, {}
        order = self._arranged()
        if order == self._order:
            for first, last in self._changes(before):
                self.dataChanged.emit(first, last)
            return
        self.beginResetModel()
        self._order = order
        self.endResetModel()

    def _changes(self, before: Sequence[Sequence[Any]]) -> list[tuple[QModelIndex, QModelIndex]]:
        """Return the corners of what differs from the rows before: what stays is not painted again."""
        order, wide, spans = self._order, len(self.columns), []
        everything = [(self.index(0, 0), self.index(len(order) - 1, wide - 1))]
        if len(order) > FEW_ROWS:
            return everything
        for shown, at in enumerate(order):
            old, new = before[at], self._rows[at]
            if differ := [column for column in range(wide) if old[column] != new[column]]:
                spans.append((self.index(shown, differ[0]), self.index(shown, differ[-1])))
        return spans if len(spans) <= MANY_SPANS else everything

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column's raw values; missing values come last either way. Column -1 is the given order."""
        self.sort_column, self.descending = column, order == Qt.SortOrder.DescendingOrder
        self._rearrange()

    def set_filter(self, needle: str) -> None:
        """Keep the rows in which a shown text contains the words."""
        if needle.casefold() != self._needle:
            self._needle = needle.casefold()
            self._rearrange()

    def _rearrange(self) -> None:
        self.beginResetModel()
        self._order = self._arranged()
        self.endResetModel()

    def _arranged(self) -> list[int]:
        order = list(range(len(self._rows)))
        if self._needle:
            hay = self._texts()
            for word in self._needle.split():
                order = [i for i in order if word in hay[i]]
        if 0 <= self.sort_column < len(self.columns):
            order = self._sorted(order)
        return order

    def _sorted(self, order: list[int]) -> list[int]:
        keys, gaps = self._column_keys(self.sort_column)
        have = [i for i in order if keys[i] is not None] if gaps else order
        missing = [i for i in order if keys[i] is None] if gaps else []
        try:
            ranked = sorted(have, key=keys.__getitem__, reverse=self.descending)
        except TypeError:  # a column of mixed types sorts by its text
            ranked = sorted(have, key=[str(key) for key in keys].__getitem__, reverse=self.descending)
        return ranked + missing

    def _column_keys(self, column: int) -> tuple[list[Any], bool]:
        """The sort keys of a column and whether some are missing; kept until the rows change."""
        if column not in self._sort_keys:
            values = [row[column] for row in self._rows]
            if (key := self.columns[column].key) is not None:
                values = [None if value is None else key(value) for value in values]
            self._sort_keys[column] = values, any(value is None for value in values)
        return self._sort_keys[column]

    def _texts(self) -> list[str]:
        """The texts of all rows, for the filter."""
        self._write_texts(len(self._rows))
        return self._haystack

    def _write_texts(self, upto: int) -> None:
        """Write the texts of the rows down that are not yet, below ``upto``."""
        pairs = [(c.text, i) for i, c in enumerate(self.columns)]
        more = self._rows[len(self._haystack) : upto]
        self._haystack += ["\x1f".join([t(row[i]) for t, i in pairs]).casefold() for row in more]

    def _kept_texts(self, rows: tuple[Sequence[Any], ...]) -> list[str]:
        """The texts that hold for other rows too: of those that are the same objects behind some new ones."""
        known, old = len(self._haystack), self._rows
        if known < len(old) or not old or not rows:
            return []
        fresh = next((at for at, row in enumerate(rows[:NEW_ROWS]) if row is old[0]), None)
        if fresh is None or not all(map(is_, rows[fresh:], old)):
            return []
        pairs = [(c.text, i) for i, c in enumerate(self.columns)]
        texts = ["\x1f".join([t(row[i]) for t, i in pairs]).casefold() for row in rows[:fresh]]
        return texts + self._haystack[: len(rows) - fresh]

    def texts_wanting(self) -> int:
        """How many rows have no text yet that a filter could look at."""
        return len(self._rows) - len(self._haystack)

    def write_some_texts(self) -> bool:
        """Write down a part of what a filter looks at; False when nothing is left to do."""
        self._write_texts(len(self._haystack) + PIECE)
        return self.texts_wanting() > 0

    def rowCount(self, parent: Index | None = None) -> int:
        """Rows shown."""
        return 0 if parent is not None and parent.isValid() else len(self._order)

    def columnCount(self, parent: Index | None = None) -> int:
        """Columns."""
        return 0 if parent is not None and parent.isValid() else len(self.columns)

    def total(self) -> int:
        """Rows before the filter."""
        return len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Shown text, alignment or tooltip of a cell."""
        if not index.isValid():
            return None
        column = self.columns[index.column()]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _ALIGN[column.align] | Qt.AlignmentFlag.AlignVCenter
        value = self._rows[self._order[index.row()]][index.column()]
        if role == Qt.ItemDataRole.DisplayRole or role == Qt.ItemDataRole.AccessibleTextRole:
            return column.text(value)
        if role == Qt.ItemDataRole.ToolTipRole:
            if column.exact is not None and value is not None:
                return column.exact(value)
            return str(value) if column.kind == "hash" and value else column.text(value)
        return None

    def value_at(self, index: Index) -> Any:
        """The raw value of a cell. Not a role of ``data``: a QVariant holds 64 bits, and wei take more."""
        return self._rows[self._order[index.row()]][index.column()] if index.isValid() else None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Titles and their alignment."""
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(self.columns):
            return None
        column = self.columns[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.title
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _ALIGN[column.align] | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.ToolTipRole:
            return column.tooltip or column.title or None
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return column.title or column.tooltip or None
        return None

    def key_at(self, row: int) -> Hashable:
        """The key of a shown row."""
        return self._keys[self._order[row]]

    def rows_of(self, keys: Sequence[Hashable]) -> list[int]:
        """Where keys show now; hidden ones are left out."""
        if len(keys) > 8:
            wanted = set(keys)
            return [row for row, at in enumerate(self._order) if self._keys[at] in wanted]
        found = []
        for key in keys:  # two searches in C beat one loop in Python
            with contextlib.suppress(ValueError):
                found.append(self._order.index(self._keys.index(key)))
        return sorted(found)

    def raw(self, row: int) -> Sequence[Any]:
        """The raw values of a shown row."""
        return self._rows[self._order[row]]

    def to_csv(self, rows: Sequence[int] | None = None) -> str:
        """CSV of the raw values (full precision) of the shown rows, with a header line."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([column.title for column in self.columns])
        for row in range(len(self._order)) if rows is None else rows:
            writer.writerow(["" if value is None else value for value in self.raw(row)[: len(self.columns)]])
        return out.getvalue()
