"""Payoffs: read exactly, edited by typing, refused with a reason, told in words."""

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QLineEdit

from widgets.gallery_solver import payoffs
from widgets.payoff_table import PayoffTable, PayoffTableState, number_text, read_numbers


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("3, -1", (3.0, -1.0)), ("3 -1", (3.0, -1.0)), ("1/3;2e-3", (1 / 3, 0.002)), (" 0.1 ,7 ", (0.1, 7.0))],
)
def test_numbers_are_read(text, numbers):
    assert read_numbers(text, 2) == (numbers, "")


@pytest.mark.parametrize(
    ("text", "why"),
    [("3", "2 numbers needed, as in 1, 1"), ("3, x", "'x' is not a number"), ("1/0, 2", "'1/0' is not a number"),
     ("nan, 1", "'nan' is not finite"), ("1, 2, 3", "2 numbers needed, as in 1, 1"),
     ("", "2 numbers needed, as in 1, 1")],
)  # fmt: skip
def test_what_is_no_number_is_refused(text, why):
    assert read_numbers(text, 2) == ((), why)


@pytest.mark.parametrize("value", [1 / 3, -0.1, 1e-300, 12345678.9, 3.0, 1e20])
def test_a_number_survives_being_shown_and_read(value):
    assert read_numbers(number_text(value), 1) == ((value,), "")


@pytest.fixture
def table(qtbot, settle):
    made = payoffs()
    qtbot.addWidget(made)
    made.resize(500, 300)
    made.show()
    settle()
    return made


def edit(qtbot, table, row, column, text):
    """Type into a cell as one does: a double click, the text, Enter."""
    view = table.view()
    at = view.visualRect(view.model().index(row, column)).center()
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at)
    qtbot.mouseDClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at)
    editor = view.findChild(QLineEdit)
    assert editor is not None
    assert editor.accessibleName().startswith("opera against")
    editor.selectAll()
    qtbot.keyClicks(editor, text)
    qtbot.keyClick(editor, Qt.Key.Key_Return)


def test_typing_asks_for_another_payoff(qtbot, table):
    with qtbot.waitSignal(table.cellEdited) as caught:
        edit(qtbot, table, 0, 1, "1/2, -4")
    assert caught.args == [0, 1, (0.5, -4.0)]
    assert table.state().cells[0][1] == (0.0, 0.0)  # it only asks


def test_what_cannot_be_read_is_told_and_changes_nothing(qtbot, table, settle):
    asked = []
    table.cellEdited.connect(lambda *args: asked.append(args))
    edit(qtbot, table, 0, 1, "soon")
    settle()
    assert asked == []
    assert table._why.isVisible()
    assert "opera against football" in table._why.text()
    edit(qtbot, table, 0, 1, "5, 5")
    settle()
    assert len(asked) == 1
    assert not table._why.isVisible()


def test_cells_tell_everything_in_words(table):
    model = table.view().model()
    words = model.data(model.index(0, 0), Qt.ItemDataRole.AccessibleTextRole)
    assert words == (
        "opera against opera: Player 1: 3; Player 2: 2; a best response of Player 1; a best response of Player 2; "
        "an equilibrium in pure strategies"
    )
    assert model.headerData(0, Qt.Orientation.Vertical) == "opera\n0.600"


def test_a_large_table_cannot_be_edited(qtbot, settle):
    made = PayoffTable(PayoffTableState("a", "b", ("1",), ("1",), (((1.0,),),), editable=False))
    qtbot.addWidget(made)
    index = made.view().model().index(0, 0)
    assert not made.view().model().flags(index) & Qt.ItemFlag.ItemIsEditable


def test_the_shape_may_change(qtbot, settle, table):
    names = tuple(str(i) for i in range(8))
    cells = tuple(tuple((i * 1000.123456, j / 7) for j in range(8)) for i in range(8))
    table.set_state(PayoffTableState("a", "b", names, names, cells))
    settle()
    assert table.view().model().rowCount() == 8
    assert not table.grab().isNull()
    assert table.view().indexAt(QPoint(5, 5)).isValid()
    table.set_state(PayoffTableState())
    settle()
    assert table.view().model().rowCount() == 0
