"""Positions by label, phases in a line, fields of several lines, the switch of views."""

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor

from widgets.area_field import AreaField, JsonEdit, numbers_of, words_of
from widgets.gallery_agents import positions
from widgets.label_plot import STRIPS, LabelPlot, LabelPlotState, _span
from widgets.phase_strip import Phase, PhaseStrip
from widgets.segments import SegmentSwitch
from widgets.theme import apply_theme
from widgets.tokens import DARK, LIGHT


@pytest.fixture
def show(qtbot, settle):
    def shown(widget, width=520, height=360):
        qtbot.addWidget(widget)
        widget.resize(width, height)
        widget.show()
        settle()
        return widget

    return shown


def count(image, colour):
    wanted = QColor(colour).rgb()
    return sum(image.pixel(x, y) == wanted for x in range(image.width()) for y in range(image.height()))


@pytest.mark.parametrize(("agents", "dims"), [(5, 5), (1, 1), (3, STRIPS), (3, STRIPS + 1), (100, 64)])
def test_positions_and_the_consensus_are_drawn(show, agents, dims):
    state = positions(agents, dims)
    view = show(LabelPlot(LabelPlotState("P", state.labels, state.names, state.positions, state.ideals,
                                         state.consensus, (), True)))  # fmt: skip
    image = view.grab().toImage()
    assert count(image, LIGHT.ok) > 20
    first = f"{state.labels[0]} {float(state.consensus[0]):.4g}"
    assert first in view.accessibleDescription()


def test_who_is_left_out_is_marked_and_said(show):
    state = positions(5, 5)
    view = show(LabelPlot(state))
    marked = count(view.grab().toImage(), LIGHT.error)
    assert marked > 20
    assert "agent 2 is left out" in view.accessibleDescription()
    view.set_state(LabelPlotState(state.title, state.labels, state.names, state.positions, state.ideals, None))
    assert count(view.grab().toImage(), LIGHT.error) == 0
    assert view.accessibleDescription() == ""


def test_the_picture_is_painted_anew_only_when_something_changed(show, qapp):
    view = show(LabelPlot(positions(5, 5)))
    view.grab()
    made = view._made
    view.grab()
    assert view._made is made
    view.set_state(positions(5, 5, seed=9))
    view.grab()
    assert view._made is not made
    made = view._made
    apply_theme(qapp, "dark")
    assert count(view.grab().toImage(), DARK.ok) > 20
    assert view._made is not made


def test_nothing_and_odd_numbers_are_no_fault(show):
    assert not show(LabelPlot()).grab().isNull()
    same = np.full((2, 3), 0.5)
    for values in (same, same * 1e9, -same, np.full((2, 3), np.nan), np.empty((0, 3))):
        consensus = values.mean(axis=0) if len(values) else None
        view = show(LabelPlot(LabelPlotState("", ("a", "b", "c"), ("x", "y"), values, values, consensus)))
        low, high = _span(view._state)
        assert low < high
        if np.isfinite(values).all():
            assert not view.grab().isNull()


def test_phases_are_told_and_lead_on(show, qtbot):
    strip = PhaseStrip("Phases on chain")
    strip.set_state((Phase("Stake", "done", "12 gas"), Phase("Prove", "failed", "reverted"), Phase("Slash")))
    show(strip, 400, 76)
    image = strip.grab().toImage()
    assert count(image, LIGHT.ok) > 50
    assert count(image, LIGHT.error) > 50
    assert strip.accessibleDescription() == "Stake done 12 gas; Prove failed reverted; Slash pending"
    with qtbot.waitSignal(strip.activated):
        qtbot.mouseClick(strip, Qt.MouseButton.LeftButton)
    with qtbot.waitSignal(strip.activated):
        qtbot.keyClick(strip, Qt.Key.Key_Return)


def test_lists_and_series_are_read_or_refused(show, qtbot):
    assert words_of("a, b\nc,,") == ["a", "b", "c"]
    assert numbers_of("1, 2.5 3e2;4") == [1, 2.5, 300, 4]
    for parse, text, why in ((words_of, " , ", "Required"), (words_of, "a, b, a", "twice"),
                             (numbers_of, "", "Required"), (numbers_of, "1, x", "'x' is not a number"),
                             (numbers_of, "1e999", "not finite"), (numbers_of, "nan", "not finite")):  # fmt: skip
        with pytest.raises(ValueError, match=why):
            parse(text)
    field = show(AreaField("Policies", "", parse=words_of))
    assert not field.valid
    assert field.value() is None
    heard = []
    field.valueChanged.connect(heard.append)
    qtbot.keyClicks(field.edit, "hate, war")
    assert heard[-1] == ["hate", "war"]
    assert field.valid


def test_json_tells_when_the_typing_rests_and_marks_a_line(show, qtbot):
    edit = show(JsonEdit("Task"))
    heard = []
    edit.edited.connect(heard.append)
    edit.set_text("{\n  x\n}")
    edit.set_problem(2, "no")
    edit.flush()
    assert heard == []  # what comes from elsewhere is not told back
    assert [selection.cursor.blockNumber() for selection in edit.extraSelections()] == [1]
    assert edit.property("invalid")
    qtbot.keyClicks(edit, "ab")
    qtbot.waitUntil(lambda: len(heard) == 1)
    assert heard[0].startswith("ab")
    edit.set_problem(0, "")
    assert edit.extraSelections() == []


def test_the_switch_tells_and_remembers(show, qtbot):
    switch = show(SegmentSwitch((("games", "Games", "game"), ("agents", "Agents", "agent")), name="Consensus of"))
    heard = []
    switch.chosen.connect(heard.append)
    qtbot.mouseClick(switch.button("agents"), Qt.MouseButton.LeftButton)
    qtbot.mouseClick(switch.button("agents"), Qt.MouseButton.LeftButton)
    assert (switch.current(), heard) == ("agents", ["agents"])
    kept = switch.layout_state()
    qtbot.keyClick(switch.button("agents"), Qt.Key.Key_Left)
    assert switch.current() == "games"
    switch.restore_layout(kept)
    switch.restore_layout("nonsense")
    assert switch.current() == "agents"
    assert switch.button("games").accessibleName() == "Consensus of: Games"
