"""What changes often disturbs nothing around it."""

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from tests.events import Events
from widgets.basics import label
from widgets.fence import Fence
from widgets.labels import HashLabel, HashState
from widgets.nav import StatusStrip, StatusStripState, StripItem


@pytest.fixture
def column(qtbot):
    made = QWidget()
    qtbot.addWidget(made)
    QVBoxLayout(made)
    made.resize(300, 200)
    return made


def test_a_counter_behind_a_fence_lays_nothing_out_anew(column, settle):
    text = label("Step 1", wrap=True)
    text.setMinimumHeight(36)
    column.layout().addWidget(Fence(text))
    column.show()
    settle()
    text.setText("Step 2 of many")  # the first change finds what it needs
    settle()
    ear = Events(column)
    for step in range(3, 30):
        text.setText(f"Step {step:,} of many")
        settle()
    assert ear.count[QEvent.Type.LayoutRequest] == 0
    assert text.size() == text.parentWidget().size()


def test_a_longer_text_gets_its_lines(column, settle):
    text, below = label("Short", wrap=True), label("Below")
    fence = Fence(text)
    column.layout().addWidget(fence)
    column.layout().addWidget(below, 0, Qt.AlignmentFlag.AlignTop)
    column.layout().addStretch(1)
    column.show()
    settle()
    one = fence.height()
    text.setText("word " * 40)
    settle()
    assert fence.height() >= 4 * one
    assert text.height() == fence.height()
    assert below.y() >= fence.y() + fence.height()
    text.setText("Short")
    settle()
    assert fence.height() == one


def test_a_fence_is_hidden_with_what_it_holds(column, settle):
    tray = QWidget()
    tray.setMinimumHeight(50)
    fence = Fence(tray)
    column.layout().addWidget(fence)
    column.layout().addWidget(label("Below"), 1)
    tray.hide()
    column.show()
    settle()
    assert fence.height() == 0
    tray.show()
    settle()
    assert fence.height() == tray.height() == 50


def test_a_hash_shown_again_is_not_styled_again(qtbot, settle):
    made = HashLabel(HashState("0x" + "ab" * 32))
    qtbot.addWidget(made)
    made.show()
    settle()
    ear, inner = Events(made), Events(made._text)
    made.set_state(HashState("0x" + "ab" * 32))
    settle()
    assert not ear.count
    assert not inner.count
    made.set_state(HashState("0x" + "cd" * 32))
    assert inner.count[QEvent.Type.StyleChange] == 0
    made.set_state(HashState("0x" + "cd" * 32, "tx:1"))
    assert inner.count[QEvent.Type.StyleChange] == 1


def test_a_strip_that_says_the_same_is_not_painted(qtbot, settle):
    def state(text: str) -> StatusStripState:
        return StatusStripState((StripItem("a", "Chain", text), StripItem("b", "Jobs", "3")))

    strip = StatusStrip(state("up"))
    qtbot.addWidget(strip)
    strip.show()
    settle()
    ears = [Events(button) for button in strip._buttons.values()]
    strip.set_state(state("up"))
    settle()
    assert not any(ear.count for ear in ears)
    strip.set_state(state("down"))
    settle()
    assert ears[0].count[QEvent.Type.Paint]
    assert strip._buttons["a"].accessibleName() == "Chain: down"
