"""Texts that do not fit: choices, tiles and hashes end in dots, and the tooltip has all of it."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QPoint
from PySide6.QtGui import QHelpEvent
from PySide6.QtTest import QSignalSpy
from PySide6.QtWidgets import QApplication, QToolTip
from pytestqt.qtbot import QtBot

from widgets.basics import ElidedLabel
from widgets.choice import Choice, LongChoice
from widgets.forms import ChoiceField
from widgets.table import Column, DataTable, TableState

LONG = "Settings of a bridge between three chains, and who may change them"


def test_a_choice_ends_in_dots_and_says_all_in_its_tooltip(qtbot: QtBot) -> None:
    field = ChoiceField("Task", ((1, LONG), (2, "Short")))
    qtbot.addWidget(field)
    field.resize(240, 80)
    field.show()
    combo = field.combo
    assert isinstance(combo, Choice)
    combo.setFixedWidth(200)
    assert combo.shown_text().endswith("…") and LONG.startswith(combo.shown_text()[:-1])
    where = combo.mapToGlobal(QPoint(5, 5))
    QApplication.sendEvent(combo, QHelpEvent(QEvent.Type.ToolTip, QPoint(5, 5), where))
    assert QToolTip.text() == LONG
    QToolTip.hideText()
    field.set_value(2)
    assert combo.shown_text() == "Short"


def test_a_choice_paints_no_more_than_it_says(qtbot: QtBot) -> None:
    """The last letters of a cut text are dots, not a letter cut through: wider by a pixel, the same picture."""
    combo = Choice()
    qtbot.addWidget(combo)
    combo.addItems([LONG])
    combo.setFixedSize(200, 34)
    shown = combo.shown_text()
    cut = combo.grab().toImage()
    combo.setItemText(0, shown)
    assert combo.shown_text() == shown
    assert combo.grab().toImage() == cut


def test_a_label_ends_in_dots(qtbot: QtBot) -> None:
    note = ElidedLabel("small")
    qtbot.addWidget(note)
    note.setText(LONG)
    assert note.toolTip() == LONG and note.minimumSizeHint().width() < 600
    note.resize(120, 20)
    narrow = note.grab().toImage()
    note.setText(LONG[:60])
    assert note.grab().toImage() == narrow
    note.setText("Short")
    assert note.grab().toImage() != narrow


@pytest.mark.parametrize(("width", "shown"), [(400, "whole"), (170, "8…6"), (126, "6…4")])
def test_a_hash_is_as_whole_as_its_column_is_wide(qtbot: QtBot, width: int, shown: str) -> None:
    value = "0x" + "ab12cd34" * 5
    short = {"whole": value, "8…6": f"{value[:10]}…{value[-6:]}", "6…4": f"{value[:8]}…{value[-4:]}"}[shown]
    pictures = []
    for text in (value, short):
        table = DataTable((Column("Address", kind="hash", width=width), Column("Rest")), name="Hashes")
        qtbot.addWidget(table)
        table.set_state(TableState(((text, ""),)))
        table.resize(700, 120)
        table.show()
        pictures.append(table.view().viewport().grab().toImage())
    assert pictures[0] == pictures[1]


def test_a_long_choice_takes_new_ones_in_at_the_top_and_copies_none(qtbot: QtBot) -> None:
    asked: list[int] = []

    def text(item: int) -> str:
        asked.append(item)
        return f"Round {item}"

    choice = LongChoice(text=text, key=str)
    qtbot.addWidget(choice)
    choice.show()
    assert (choice.count(), choice.currentIndex()) == (0, -1)
    choice.set_items(tuple(range(5_000, 0, -1)), "17")
    assert (choice.count(), choice.currentText(), choice.currentData()) == (5_000, "Round 17", "17")
    choice.showPopup()
    asked.clear()
    resets = QSignalSpy(choice.model().modelReset)
    choice.set_items(tuple(range(5_002, 0, -1)), "17")
    assert (choice.count(), choice.itemText(0), choice.currentText()) == (5_002, "Round 5002", "Round 17")
    assert choice.view().isVisible()
    assert resets.count() == 0
    assert len(asked) < 500
    choice.hidePopup()
    choice.set_items((3, 2, 1), "5000")
    assert (choice.count(), choice.currentText(), resets.count()) == (3, "Round 3", 1)
    choice.set_items((), "")
    assert (choice.count(), choice.currentIndex(), choice.currentText()) == (0, -1, "")
