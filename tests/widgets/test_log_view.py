import time
import tracemalloc

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication

from widgets.log_view import FLUSH_MS, LogLine, LogView, as_text


def line(i, level="INFO", source="chain.rpc"):
    return LogLine(1_700_000_000 + i, level, source, f"message {i}")


@pytest.fixture
def log(qtbot):
    made = LogView(capacity=1000)
    qtbot.addWidget(made)
    made.resize(700, 300)
    made.show()
    return made


def shown(log):
    return [entry.text for entry in log._lines.shown]


def test_lines_show_at_the_next_flush(qtbot, log):
    assert FLUSH_MS <= 34
    log.append([line(1)])
    assert shown(log) == []
    qtbot.waitUntil(lambda: shown(log) == ["message 1"])
    qtbot.waitUntil(lambda: not log._timer.isActive())  # nothing ticks while nothing comes


def test_only_the_newest_are_kept(log):
    log.append(line(i) for i in range(5000))
    while log._pending:
        log.flush()
    assert log.line_count() == 1000
    assert log.text().splitlines()[-1].endswith("message 4999")
    assert len(shown(log)) <= 2100


def test_search_and_level(log):
    log.append([line(1), line(2, "ERROR"), line(3, "WARNING", "league.gate")])
    log.flush()
    log.set_level("WARNING")
    assert shown(log) == ["message 2", "message 3"]
    log.set_filter("GATE")
    assert shown(log) == ["message 3"]
    log.append([line(4, "ERROR", "league.gate"), line(5, "ERROR"), line(6, "INFO", "league.gate")])
    log.flush()
    assert shown(log) == ["message 3", "message 4"]
    log.set_level("DEBUG")
    log.set_filter("")
    assert len(shown(log)) == 6


def test_follows_the_end_until_paused(qtbot, log):
    log.append(line(i) for i in range(300))
    log.flush()
    bar = log._lines.verticalScrollBar()
    assert bar.value() == bar.maximum() > 0
    qtbot.mouseClick(log._pause, Qt.MouseButton.LeftButton)
    here = bar.value()
    log.append(line(i) for i in range(300))
    log.flush()
    assert bar.value() == here < bar.maximum()
    assert log._pause.accessibleName() == "Follow the end"
    qtbot.mouseClick(log._pause, Qt.MouseButton.LeftButton)
    assert bar.value() == bar.maximum()


def test_scrolling_up_pauses(qtbot, log):
    log.append(line(i) for i in range(300))
    log.flush()
    log._lines.verticalScrollBar().sliderPressed.emit()
    assert log._pause.isChecked()


def test_selects_and_copies_lines(qtbot, log):
    log.append(line(i) for i in range(3))
    log.flush()
    qtbot.keyClick(log._lines, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(log._lines, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "\n".join(as_text(line(i)) for i in range(3))


def test_clear_and_export(qtbot, log):
    log.append([line(1)])
    log.flush()
    with qtbot.waitSignal(log.exportRequested):
        qtbot.mouseClick(log._export, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(log._clear, Qt.MouseButton.LeftButton)
    assert log.text() == ""
    assert log.line_count() == 0


def test_a_million_lines_are_bounded_and_searchable(qtbot):
    made = LogView(capacity=1_000_000)
    qtbot.addWidget(made)
    made.resize(700, 300)
    made.show()
    entry = line(7)
    tracemalloc.start()
    made.append(entry for _ in range(1_200_000))
    while made._pending:
        made.flush()
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert made.line_count() == 1_000_000
    assert len(shown(made)) <= 1_101_000
    assert grown < 40e6, f"{grown / 1e6:.0f} MB beyond the lines themselves"
    start = time.process_time()
    made.set_filter("message 8")
    assert shown(made) == []
    assert time.process_time() - start < 2.0


def test_long_lines_scroll_sideways(log):
    log.append([LogLine(0, "INFO", "a", "x" * 500)])
    log.flush()
    across = log._lines.horizontalScrollBar()
    assert across.maximum() > 1000
    before = log.grab().toImage()
    across.setValue(400)
    assert log.grab().toImage() != before
    log.set_filter("nothing")
    assert across.maximum() == 0


def test_a_long_search_goes_on_in_pieces_and_loses_nothing(qtbot, monkeypatch):
    monkeypatch.setattr("widgets.log_view.SLICE_S", 0.0)
    made = LogView(capacity=20_000)
    qtbot.addWidget(made)
    made.show()
    made.append(line(i) for i in range(15_000))
    while made._pending:
        made.flush()
    made.set_filter("7")
    assert made.searching
    assert len(shown(made)) < 1500  # the first piece
    made.append([line(77_777)])
    made.flush()
    assert "message 77777" not in shown(made)  # it waits for its turn
    qtbot.waitUntil(lambda: not made.searching, timeout=60_000)
    qtbot.waitUntil(lambda: "message 77777" in shown(made), timeout=60_000)
    assert shown(made) == [f"message {i}" for i in (*range(15_000), 77_777) if "7" in str(i)]
    made.set_filter("nowhere")
    made.set_filter("message 14999")  # a new search ends the old one
    assert made.text().splitlines()[-1].endswith("message 14999")
    assert len(shown(made)) == 1
    made.set_filter("1")
    made.clear()
    assert not made.searching
    assert shown(made) == []
