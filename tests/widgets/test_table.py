import csv
import io
import time

import pytest
from PySide6.QtCore import QModelIndex, QPoint, Qt
from PySide6.QtGui import QGuiApplication

from widgets.panels import Action, EmptyPanelState
from widgets.table import Column, DataTable, TableState
from widgets.table_model import TableModel

COLUMNS = (
    Column("Name", link=lambda name: f"agent:{name}", kind="link", width=160),
    Column("Score", "right", "number", format=lambda v: f"{v:,} points", width=160),
    Column("Note"),
)
ROWS = (("greedy", 30, "ok"), ("liar", 9, "slashed"), ("random", None, "void"), ("wall", 12, "ok"))
KEYS = ("g", "l", "r", "w")


@pytest.fixture
def table(qtbot):
    made = DataTable(COLUMNS, name="Standings")
    qtbot.addWidget(made)
    made.resize(700, 300)
    made.set_state(TableState(ROWS, KEYS))
    made.show()
    return made


def names(table):
    return [row[0] for row in table.visible_rows()]


def test_sorts_by_raw_values_and_keeps_missing_last(table):
    table.sort_by(1)
    assert names(table) == ["liar", "wall", "greedy", "random"]
    table.sort_by(1, descending=True)
    assert names(table) == ["greedy", "wall", "liar", "random"]
    table.sort_by(-1)
    assert names(table) == ["greedy", "liar", "random", "wall"]


def test_header_click_sorts(qtbot, table):
    header = table.view().horizontalHeader()
    at = QPoint(header.sectionViewportPosition(1) + 20, header.height() // 2)
    qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert names(table) == ["liar", "wall", "greedy", "random"]


def test_mixed_types_sort_by_text(qtbot):
    made = DataTable((Column("A"),))
    qtbot.addWidget(made)
    made.set_state(TableState(((10,), ("9",), (8,))))
    made.sort_by(0)
    assert names(made) == [10, 8, "9"]


def test_filter_looks_at_what_is_shown(table):
    table.set_filter("30 POINTS")
    assert names(table) == ["greedy"]
    table.set_filter("ok wall")
    assert names(table) == ["wall"]
    table.set_filter("nothing like it")
    assert table.row_count() == 0
    table.set_filter("")
    assert table.row_count() == 4


def test_selection_stays_with_its_row(qtbot, table):
    table.select(("w",))
    table.sort_by(1)
    assert table.selected_keys() == ("w",)
    table.set_state(TableState((("new", 99, "ok"), *ROWS), ("n", *KEYS)))
    assert table.selected_keys() == ("w",)
    rows = table.view().selectionModel().selectedRows()
    assert [names(table)[index.row()] for index in rows] == ["wall"]
    with qtbot.waitSignal(table.selectionChanged) as caught:
        table.set_state(TableState(ROWS[:2], KEYS[:2]))
    assert caught.args == [()]


def test_an_update_tells_of_the_cells_that_changed(qtbot, table):
    told = []
    table.view().model().dataChanged.connect(
        lambda first, last: told.append((first.row(), first.column(), last.row(), last.column()))
    )
    rows = list(ROWS)
    rows[1], rows[3] = ("liar", 10, "slashed"), ("Wall", 12, "good")
    table.set_state(TableState(tuple(rows), KEYS))
    assert told == [(1, 1, 1, 1), (3, 0, 3, 2)]
    assert [table.view().model().index(row, 1).data() for row in (1, 3)] == ["10 points", "12 points"]
    told.clear()
    table.set_filter("points")  # hides the row without a score
    rows[2], rows[3] = ("random", None, "gone"), ("wall", 13, "good")
    table.set_state(TableState(tuple(rows), KEYS))
    assert told == [(2, 0, 2, 1)]


def test_many_changes_are_told_at_once(qtbot):
    model = TableModel(COLUMNS)
    rows = [(f"agent {n}", n, "") for n in range(500)]
    model.set_rows(rows)
    told = []
    model.dataChanged.connect(lambda first, last: told.append((first.row(), last.row(), last.column())))
    model.set_rows([*rows[:-1], ("agent 499", 500, "")])
    assert told == [(0, 499, 2)]
    model.set_rows(rows[:40])
    told.clear()
    model.set_rows([(name, score + 1, note) for name, score, note in rows[:40]])
    assert told == [(0, 39, 2)]


def test_rows_that_change_places_are_no_reset_unless_one_is_held(qtbot, table):
    table.view().setCurrentIndex(QModelIndex())  # shown, it has the keyboard on its first cell
    resets, told = [], []
    table._model.modelReset.connect(lambda: resets.append(1))
    table._model.dataChanged.connect(lambda first, last: told.append((first.row(), first.column(), last.column())))
    turned = (ROWS[1], ROWS[0], *ROWS[2:])
    table.set_state(TableState(turned, ("l", "g", "r", "w")))
    assert names(table)[:2] == ["liar", "greedy"] and not resets
    assert told == [(0, 0, 2), (1, 0, 2)]
    table.select(["g"])
    assert table.selected_keys() == ("g",)
    table.set_state(TableState(ROWS, KEYS))
    assert resets == [1] and table.selected_keys() == ("g",)
    assert [index.row() for index in table.view().selectionModel().selectedRows()] == [0]


def test_an_update_keeps_the_scroll_position(qtbot, settle):
    made = DataTable((Column("A"),))
    qtbot.addWidget(made)
    made.resize(300, 200)
    made.show()
    keys = tuple(range(500))
    made.set_state(TableState(tuple((i,) for i in keys), keys))
    settle()
    made.view().verticalScrollBar().setValue(3000)
    made.set_state(TableState(tuple((i + 1,) for i in keys), keys))
    made.set_state(TableState(tuple((i + 1,) for i in (*keys, 500)), (*keys, 500)))
    assert made.view().verticalScrollBar().value() == 3000


def test_keyboard_selects_and_activates(qtbot, table):
    table.setFocus()
    table.select(("g",))
    qtbot.keyClick(table.view(), Qt.Key.Key_Down)
    assert table.selected_keys() == ("l",)
    with qtbot.waitSignal(table.activated) as caught:
        qtbot.keyClick(table.view(), Qt.Key.Key_Return)
    assert caught.args == ["l"]


def test_a_link_cell_is_a_link(qtbot, table):
    view = table.view()
    at = view.visualRect(view.model().index(1, 0)).center()
    with qtbot.waitSignal(table.linkActivated) as caught:
        qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert caught.args == ["agent:liar"]
    plain = view.visualRect(view.model().index(1, 2)).center()
    with qtbot.assertNotEmitted(table.linkActivated):
        qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=plain)


def test_copies_raw_rows(qtbot, table):
    table.select(("g", "r"))
    qtbot.keyClick(table.view(), Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "greedy\t30\tok\nrandom\t\tvoid"


def test_csv_is_raw_and_whole(qtbot):
    wei = 123_456_789_012_345_678_901
    made = DataTable((Column("Agent, name"), Column("Wei", format=lambda v: f"{v / 1e18:.2f} ETH")))
    qtbot.addWidget(made)
    made.set_state(TableState((('say "hi"', wei), ("plain", 1))))
    rows = list(csv.reader(io.StringIO(made.to_csv())))
    assert rows == [["Agent, name", "Wei"], ['say "hi"', str(wei)], ["plain", "1"]]


def test_amounts_beyond_64_bits_are_painted(qtbot):
    made = DataTable((Column("Wei", kind="bar", maximum=2e22, format=lambda v: f"{v // 10**18} ETH"),))
    qtbot.addWidget(made)
    made.resize(300, 120)
    made.set_state(TableState(((10**22,),)))
    made.show()
    assert not made.grab().isNull()
    assert made.view().model().index(0, 0).data() == "10000 ETH"


def test_layout_comes_back(qtbot, table):
    table.view().horizontalHeader().resizeSection(0, 231)
    table.sort_by(1, descending=True)
    saved = table.layout_state()
    other = DataTable(COLUMNS)
    qtbot.addWidget(other)
    other.set_state(TableState(ROWS, KEYS))
    other.restore_layout(saved)
    assert other.view().horizontalHeader().sectionSize(0) == 231
    assert names(other) == ["greedy", "wall", "liar", "random"]


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"widths": [1], "sort": 0, "descending": false}', "null"])
def test_a_broken_layout_is_ignored(table, text):
    before = table.layout_state()
    table.restore_layout(text)
    assert table.layout_state() == before


def test_an_empty_table_says_what_to_do(qtbot, table):
    empty = EmptyPanelState("agent", "No agents", "Drop some.", (Action("add", "Add"),))
    table.set_state(TableState((), (), empty))
    button = next(b for b in table.findChildren(type(table._empty._actions.itemAt(0).widget())) if b.text() == "Add")
    with qtbot.waitSignal(table.emptyAction) as caught:
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert caught.args == ["add"]
    assert not table.view().isVisible()
    table.set_state(TableState(ROWS, KEYS))
    assert table.view().isVisible()


def test_keys_must_match(table):
    with pytest.raises(ValueError, match="4 rows but 1 keys"):
        table.set_state(TableState(ROWS, ("x",)))


def test_a_hundred_thousand_rows(qtbot):
    rows = tuple((f"agent {i:06d}", (i * 7919) % 100_003, "ok") for i in range(100_000))
    made = DataTable(COLUMNS)
    qtbot.addWidget(made)
    made.resize(700, 400)
    made.show()
    made.set_state(TableState(rows))
    model = made.view().model()
    spent = []
    for column in (1, 0):
        start = time.process_time()
        made.sort_by(column)
        made.grab()
        spent.append(time.process_time() - start)
    assert made.visible_rows()[0][0] == "agent 000000"
    made.set_filter("099999")  # read in pieces, so that the window goes on meanwhile
    qtbot.waitUntil(lambda: made.row_count() == 1, timeout=60_000)
    assert isinstance(model, TableModel)
    assert model.total() == 100_000
    assert min(spent) < 0.5, f"sorting and painting took {spent} s of CPU"


def test_fits_its_height_to_its_rows(qtbot, table):
    table.fit_height(2, 3)
    high = table.height()
    table.set_state(TableState(ROWS[:1], KEYS[:1]))
    assert table.height() == high - 34
    table.set_state(TableState(ROWS * 9, tuple(range(36))))
    assert table.height() == high


def test_stretching_columns_stay_readable(table):
    header = table.view().horizontalHeader()
    assert header.sectionSize(2) > 300
    table.resize(340, 300)
    assert header.sectionSize(2) == 112
    assert table.view().horizontalScrollBar().maximum() > 0
    table.resize(900, 300)
    assert header.sectionSize(2) > 500
    assert table.view().horizontalScrollBar().maximum() == 0
