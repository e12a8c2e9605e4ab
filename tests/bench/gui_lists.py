"""A million lines of log, tables of 50,000 and 100,000 rows; beside QPlainTextEdit and QSortFilterProxyModel."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

LINES, PEER_LINES, BATCH = 1_000_000, 100_000, 20_000
ROWS = (50_000, 100_000)
STALL_MS = 100.0
TEXT = "worker {0} finished match {1} of the round: {2} steps, {3} gas, no illegal move"


def rows(note: Callable[[str], None], seconds: float, row: Callable[..., dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Give the rows."""
    from PySide6.QtWidgets import QApplication

    from widgets.theme import apply_theme

    app = QApplication.instance() or QApplication([])
    assert isinstance(app, QApplication)
    apply_theme(app, "light")
    small = seconds <= 1
    yield from _log(app, note, row, 3000 if small else LINES, 1000 if small else PEER_LINES)
    for size in (500,) if small else ROWS:
        note(f"a table of {size:,} rows")
        yield from _table(app, row, size)


def _log(
    app: Any, note: Callable[[str], None], row: Callable[..., dict[str, Any]], count: int, few: int
) -> Iterator[dict[str, Any]]:
    from widgets.log_view import LogLine, LogView

    note(f"a log of {count:,} lines")
    view = LogView(capacity=count)
    view.resize(900, 500)
    view.show()
    app.processEvents()
    before, frames = _memory(), []
    began = time.perf_counter()
    for start in range(0, count + count // 10, BATCH):  # a tenth more than it keeps
        view.append([LogLine(1.7e9 + n, "INFO", "league", _text(n)) for n in range(start, start + BATCH)])
        while view._pending:
            started = time.perf_counter()
            view.flush()
            app.processEvents()
            frames.append((time.perf_counter() - started) * 1e3)
    rate = (count + count // 10) / (time.perf_counter() - began)
    memory = _memory() - before
    peer_rate, peer_search = _plain_text(app, few)
    plain = f"QPlainTextEdit, {few:,} lines"
    yield row(f"log: {count:,} lines kept, memory", "MiB", [memory])
    rated = row("log: lines appended and painted", "/s", [rate], peer=(plain, [peer_rate]))
    rated["ratio"] = rate / peer_rate
    yield rated
    yield row(f"log: a frame with {BATCH:,} new lines", "ms", frames, goal=("p95", STALL_MS))
    taken, stalls = [], []
    for needle in ("match 77777 ", "gas, no illegal", "nowhere to be found", ""):
        search, worst = _searched(app, view, needle)
        taken.append(search)
        stalls += worst
    yield row(f"log: search in {count:,} lines, until it is shown", "ms", taken,
              peer=(f"{plain}, all found, times {count // few}", [peer_search * count / few]))  # fmt: skip
    yield row("log: the loop's turns while it searches", "ms", stalls, goal=("worst", STALL_MS))
    _drop(view)


def _text(n: int) -> str:
    return TEXT.format(n % 8, n, n % 300, n * 37 % 100_000)


def _searched(app: Any, view: Any, needle: str) -> tuple[float, list[float]]:
    """Return how long a search took, and the turns of the loop meanwhile, in ms."""
    turns = []
    began = time.perf_counter()
    view.set_filter(needle)
    turns.append((time.perf_counter() - began) * 1e3)
    while getattr(view, "searching", False):
        started = time.perf_counter()
        app.processEvents()
        turns.append((time.perf_counter() - started) * 1e3)
    view._lines.viewport().repaint()
    return (time.perf_counter() - began) * 1e3, turns


def _plain_text(app: Any, count: int) -> tuple[float, float]:
    """Return lines a second, and the time of finding all, in ms, of Qt's own text view."""
    from PySide6.QtWidgets import QPlainTextEdit

    view = QPlainTextEdit()
    view.setMaximumBlockCount(count)
    view.setReadOnly(True)
    view.resize(900, 500)
    view.show()
    app.processEvents()
    began = time.perf_counter()
    for start in range(0, count, 2000):
        view.appendPlainText("\n".join(f"12:00:00 INFO league {_text(n)}" for n in range(start, start + 2000)))
        app.processEvents()
    rate = count / (time.perf_counter() - began)
    began = time.perf_counter()
    document, cursor = view.document(), None
    while True:
        cursor = document.find("match 777") if cursor is None else document.find("match 777", cursor)
        if cursor.isNull():
            break
    search = (time.perf_counter() - began) * 1e3
    _drop(view)
    return rate, search


def _table(app: Any, row: Callable[..., dict[str, Any]], size: int) -> Iterator[dict[str, Any]]:
    from PySide6.QtCore import QSortFilterProxyModel, Qt
    from PySide6.QtGui import QStandardItem, QStandardItemModel
    from PySide6.QtWidgets import QTableView

    from widgets.table import Column, DataTable, TableState

    values = tuple((f"0x{n * 7919 % size:064x}", n // 20, f"call {n % 13}", n * 37 % 100_003) for n in range(size))
    columns = (
        Column("Hash", kind="hash"),
        Column("Block", kind="number"),
        Column("Call"),
        Column("Gas", kind="number"),
    )
    ours = DataTable(columns)
    ours.resize(900, 500)
    ours.show()
    app.processEvents()
    filled, sorted_, filtered = [], [], []
    for _ in range(5):
        ours.set_state(TableState(()))
        filled.append(_timed(app, lambda: ours.set_state(TableState(values, tuple(v[0] for v in values)))))
    for _ in range(5):
        sorted_.append(_timed(app, lambda: ours._model.sort(3, Qt.SortOrder.DescendingOrder)))
        ours._model.sort(-1)
    for _ in range(5):
        ours._model.set_filter("")
        filtered.append(_timed(app, lambda: ours._model.set_filter("call 7")))
    _drop(ours)

    plain = QStandardItemModel(0, 4)
    for hash_, block, call, gas in values:
        items = [QStandardItem(hash_), QStandardItem(), QStandardItem(call), QStandardItem()]
        items[1].setData(block, Qt.ItemDataRole.DisplayRole)
        items[3].setData(gas, Qt.ItemDataRole.DisplayRole)
        plain.appendRow(items)
    proxy = QSortFilterProxyModel()
    proxy.setSourceModel(plain)
    proxy.setFilterKeyColumn(2)
    view = QTableView()
    view.setModel(proxy)
    view.resize(900, 500)
    view.show()
    app.processEvents()
    theirs = {
        "sort": [_timed(app, lambda: proxy.sort(3, Qt.SortOrder.DescendingOrder))],
        "filter": [_timed(app, lambda: proxy.setFilterFixedString("call 7"))],
    }
    _drop(view)
    yield row(f"table: {size:,} rows set and painted", "ms", filled, goal=("p95", STALL_MS))
    yield row(f"table: {size:,} rows sorted", "ms", sorted_, goal=("p95", STALL_MS),
              peer=("QSortFilterProxyModel", theirs["sort"]))  # fmt: skip
    yield row(f"table: {size:,} rows filtered", "ms", filtered, goal=("p95", 2 * STALL_MS),
              peer=("QSortFilterProxyModel", theirs["filter"]))  # fmt: skip


def _timed(app: Any, work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    app.processEvents()
    return (time.perf_counter() - started) * 1e3


def _memory() -> float:
    import psutil

    return float(psutil.Process().memory_info().rss) / 2**20


def _drop(widget: Any) -> None:
    from PySide6.QtCore import QCoreApplication, QEvent

    widget.close()
    widget.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
