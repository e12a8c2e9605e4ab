import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from widgets.crosstable import CrossCell, CrossTable, CrossTableState
from widgets.table import Column, DataTable, TableState
from widgets.theme import apply_theme

CELLS = {
    (0, 1): CrossCell(2, 0, 0),
    (1, 0): CrossCell(0, 0, 2),
    (0, 2): CrossCell(0, 2, 0),
    (2, 0): CrossCell(0, 2, 0),
}
STATE = CrossTableState(("alpha", "beta", "gamma"), CELLS)


@pytest.fixture
def table(qtbot):
    made = CrossTable(STATE)
    qtbot.addWidget(made)
    made.resize(600, 240)
    made.show()
    return made


def text(table, row, column, role=Qt.ItemDataRole.DisplayRole):
    model = table.view().model()
    return model.data(model.index(row, column), role)


def test_every_match_stands_in_two_cells_and_the_totals_add_up(table):
    assert table.state().matches == 4
    assert (text(table, 0, 1), text(table, 1, 0), text(table, 0, 2)) == ("2-0-0", "0-0-2", "0-2-0")
    assert text(table, 0, 3) == "2-2-0"
    assert STATE.total(2) == CrossCell(0, 2, 0)


def test_cells_speak_and_the_balance_is_never_a_colour_alone(table):
    spoken = Qt.ItemDataRole.AccessibleTextRole
    assert text(table, 0, 1, spoken) == "alpha against beta: won 2, drawn 0, lost 0"
    assert text(table, 1, 2, spoken) == "beta has not met gamma"
    assert text(table, 2, 3, spoken) == "gamma against all: won 0, drawn 2, lost 0"
    assert {cell.kind: cell.text for cell in CELLS.values()} == {"ok": "2-0-0", "error": "0-0-2", "neutral": "0-2-0"}
    assert table.view().accessibleName()


def test_a_click_and_enter_open_a_pairing_and_nothing_else_does(table, qtbot):
    opened = []
    table.pairActivated.connect(lambda *pair: opened.append(pair))
    view = table.view()
    for row, column in ((0, 1), (0, 0), (1, 2), (0, 3)):
        at = view.visualRect(view.model().index(row, column)).center()
        QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at)
    view.setCurrentIndex(view.model().index(2, 0))
    QTest.keyClick(view, Qt.Key.Key_Return)
    assert opened == [(0, 1), (2, 0)]


def test_it_follows_its_players_and_paints_in_both_themes(table, qapp):
    table.set_state(CrossTableState(("a", "b"), {(0, 1): CrossCell(1), (1, 0): CrossCell(0, 0, 1)}))
    assert table.view().model().columnCount() == 3
    for theme in ("dark", "light"):
        apply_theme(qapp, theme)
        assert not table.grab().isNull()
    table.set_state(CrossTableState())
    assert table.view().model().columnCount() == 0


def test_a_check_column_asks_by_click_and_by_key(qtbot):
    columns = (Column("Name"), Column("Plays", kind="check", width=80))
    table = DataTable(columns, name="Agents")
    qtbot.addWidget(table)
    table.resize(400, 200)
    table.set_state(TableState((("a", True), ("b", False)), ("ka", "kb")))
    table.show()
    asked = []
    table.checkToggled.connect(lambda key, on: asked.append((key, on)))
    view = table.view()
    for row in range(2):
        at = view.visualRect(view.model().index(row, 1)).center()
        QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at)
    table.select(("kb",))
    QTest.keyClick(view, Qt.Key.Key_Space)
    assert asked == [("ka", False), ("kb", True), ("kb", True)]
    assert view.model().data(view.model().index(0, 1), Qt.ItemDataRole.AccessibleTextRole) == "yes"
