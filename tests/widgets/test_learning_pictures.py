"""Slots, forks, votes, scores and heat maps: by mouse and keyboard, in words, in both themes, by the thousand."""

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor

from widgets.fork_graph import ForkGraph, ForkGraphState, ForkHead
from widgets.fork_layout import ForkLayout
from widgets.gallery_learning import forks, heat, timeline, votes
from widgets.heat_map import HeatMap, HeatMapState, shade
from widgets.hex_field import HexField
from widgets.phase_strip import Phase, PhaseStrip
from widgets.score_bars import ScoreBar, ScoreBars, ScoreBarsState
from widgets.sign_legend import SignLegend
from widgets.slot_timeline import MISSED, SlotTimeline, SlotTimelineState
from widgets.steady_text import SteadyText
from widgets.theme import apply_theme
from widgets.tokens import DARK, LIGHT
from widgets.vote_matrix import VoteMatrix, VoteMatrixState, VoteRow


@pytest.fixture
def show(qtbot, settle):
    def shown(widget, width=620, height=300):
        qtbot.addWidget(widget)
        widget.resize(width, height)
        widget.show()
        settle()
        return widget

    return shown


def count(image, colour):
    wanted = QColor(colour).rgb()
    return sum(image.pixel(x, y) == wanted for x in range(image.width()) for y in range(image.height()))


def press(qtbot, widget, *keys):
    for key in keys:
        qtbot.keyClick(widget, key)


def click(qtbot, area, at):
    qtbot.mouseClick(area.viewport(), Qt.MouseButton.LeftButton, pos=at.toPoint())


# The timeline


def test_slots_are_chosen_by_mouse_and_keys(show, qtbot):
    line = show(SlotTimeline(timeline()), 620, 86)
    chosen = []
    line.slotSelected.connect(chosen.append)
    at = QPointF(line.x_of(31), 40)
    click(qtbot, line, at)
    assert line.state().selected == 31
    for key in (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_PageUp, Qt.Key.Key_Home, Qt.Key.Key_End):
        press(qtbot, line, key)
    assert chosen == [31, 30, 31, 23, 0, 42]
    assert "3 missed" in line.accessibleDescription()
    assert "3 orphaned" in line.accessibleDescription()
    assert "Slot 42: proposed" in line.accessibleDescription()
    assert line.words_at(at) == "Slot 31: missed"
    assert SlotTimeline().words_at(at) == ""


def test_each_state_has_a_sign_and_colour_in_both_themes(show, qapp):
    line = show(SlotTimeline(SlotTimelineState(bytes((1, 2, 3, 4)), b"\1\0\2\0")), 300, 86)
    for theme, tokens in (("light", LIGHT), ("dark", DARK)):
        apply_theme(qapp, theme)
        image = line.grab().toImage()
        assert count(image, tokens.ok) > 60
        for colour in (tokens.info, tokens.warn, tokens.error):
            assert count(image, colour) > 4


def test_the_newest_slot_is_followed_unless_one_looks_elsewhere(show, settle):
    line = show(SlotTimeline(SlotTimelineState(bytes([1]) * 200)), 400, 86)
    bar = line.horizontalScrollBar()
    assert bar.value() == bar.maximum() > 0
    line.set_state(SlotTimelineState(bytes([1]) * 260))
    assert bar.value() == bar.maximum()
    bar.setValue(100)
    line.set_state(SlotTimelineState(bytes([1]) * 300))
    assert bar.value() == 100
    line.set_state(SlotTimelineState(bytes([1]) * 300, selected=299))
    assert bar.value() == bar.maximum()


def test_thousands_of_slots_cost_what_is_in_sight(show, qtbot, monkeypatch):
    line = show(SlotTimeline(SlotTimelineState(bytes([MISSED]) * 20_000)), 500, 86)
    drawn = []
    monkeypatch.setattr("widgets.slot_timeline.paint_slot", lambda *args: drawn.append(args))
    line.grab()
    assert 20 < len(drawn) < 40
    for _ in range(9):
        press(qtbot, line, Qt.Key.Key_Minus)
    drawn.clear()
    line.grab()
    assert 100 < len(drawn) < 160
    monkeypatch.undo()
    assert not line.grab().isNull()


# Forks


def test_a_second_child_opens_a_lane_and_a_dead_lane_is_used_again():
    layout = ForkLayout()
    layout.add("a", "", 0, "proposed")
    layout.add("b", "a", 1, "proposed")
    layout.add("c", "a", 2, "proposed")
    layout.add("d", "b", 3, "proposed")
    assert [layout.of[root].lane for root in "abcd"] == [0, 0, 1, 0]
    layout.add("e", "d", 8, "proposed")
    layout.add("f", "d", 9, "proposed")
    assert layout.of["f"].lane == 1
    assert layout.lanes == 2
    layout.add("c", "a", 2, "orphaned")
    assert layout.of["c"].state == "orphaned"
    assert layout.line("e", 2) == {"e", "d", "b"}
    assert [block.root for block in layout.between(2, 3)] == ["c", "d"]


def test_forks_are_walked_and_told(show, qtbot):
    graph = show(ForkGraph(forks()))
    chosen = []
    graph.slotSelected.connect(chosen.append)
    press(qtbot, graph, Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Home, Qt.Key.Key_End)
    assert chosen == [13, 14, 0, 23]
    block = forks().layout.of["o14"]
    click(qtbot, graph, graph.place_of(block))
    assert chosen[-1] == 14
    assert "2 orphaned" in graph.accessibleDescription()
    assert "nodes 5-7: slot 21" in graph.accessibleDescription()
    assert graph.words_at(graph.place_of(block)).startswith("Slot 14")
    before = graph.grab().toImage()
    graph.set_state(ForkGraphState(forks().layout, (ForkHead("all 8 nodes", "m23"),), "m23"))
    assert graph.grab().toImage() != before
    assert not show(ForkGraph()).grab().isNull()


# Votes


def test_votes_by_keys_mouse_and_words(show, qtbot):
    rows = (VoteRow(7, "round 7", "aar-fs", "2/3", False), VoteRow(6, "round 6", "aaaaaa", "6/3", True))
    matrix = show(VoteMatrix(VoteMatrixState(rows, 6)))
    chosen = []
    matrix.cellSelected.connect(lambda row, column: chosen.append((row, column)))
    press(qtbot, matrix, Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_End, Qt.Key.Key_Down, Qt.Key.Key_Home)
    assert chosen == [(7, 0), (7, 1), (7, 5), (6, 5), (6, -1)]
    matrix.set_state(VoteMatrixState(rows, 6, (7, 4)))
    assert matrix.accessibleDescription().endswith("Validator 4: forged")
    assert "1 rejects" in matrix.accessibleDescription()
    image = matrix.grab().toImage()
    for colour in (LIGHT.ok, LIGHT.warn, LIGHT.error):
        assert count(image, colour) > 10


def test_a_thousand_validators_fit_or_scroll(show, qtbot, settle):
    matrix = show(VoteMatrix(votes(1000, 60)), 700, 300)
    assert matrix.cell == 1.0
    assert matrix.cell_at(QPointF(5, 30)) == (60, -1)
    press(qtbot, matrix, *[Qt.Key.Key_Plus] * 5)
    assert matrix.cell == 16.0
    assert matrix.horizontalScrollBar().maximum() > 10_000
    assert not matrix.grab().isNull()
    matrix.set_state(VoteMatrixState(votes(1000, 60).rows, 1000, (2, 990)))
    found = matrix.cell_at(QPointF(matrix.viewport().width() - 20, matrix.viewport().height() - 12))
    assert found is not None
    assert found[1] > 960
    press(qtbot, matrix, Qt.Key.Key_0)
    assert matrix.cell == 1.0


# Sweeps and scores


def test_a_cell_is_chosen_explained_and_stands_out(show, qtbot, qapp):
    state = heat()
    picture = show(HeatMap(state), 760, 420)
    chosen = []
    picture.cellSelected.connect(lambda row, column: chosen.append((row, column)))
    press(qtbot, picture, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Home, Qt.Key.Key_End)
    assert chosen == [(4, 7), (3, 7), (3, 0), (3, 7)]
    click(qtbot, picture, picture.place_of(1, 2).center())
    assert chosen[-1] == (1, 2)
    assert picture.describe(1, 7) == "Krum refuses: 13 < 2 x 7 + 3"
    assert "broken" in picture.describe(0, 3)
    assert "not measured yet" in HeatMap(HeatMapState("", (("a", "b"),), ("0",))).describe(0, 0)
    assert "broken" in picture.accessibleDescription()
    light = picture.grab().toImage()
    apply_theme(qapp, "dark")
    assert picture.grab().toImage() != light
    whole = picture.whole()
    assert whole.height() > 420


def test_good_is_blue_and_bad_is_orange_in_both_themes():
    for tokens in (LIGHT, DARK):
        good, bad = QColor(shade(0, tokens)), QColor(shade(1, tokens))
        assert good.blue() > good.red()
        assert bad.red() > bad.blue() + 60


def test_scores_say_who_was_chosen_and_why_not(show, qtbot):
    bars = tuple(ScoreBar(f"trainer {at}", float(at), at < 30, "" if at < 30 else "outlier") for at in range(40))
    view = show(ScoreBars(ScoreBarsState("Round 1", bars)))
    assert "trainer 3 chosen, score 3" in view.accessibleDescription()
    assert "trainer 31 not chosen, score 31, outlier" in view.accessibleDescription()
    press(qtbot, view, Qt.Key.Key_Down, Qt.Key.Key_Down)
    assert view.verticalScrollBar().value() > 0
    assert view.words_at(QPointF(40, 60)).startswith("trainer")
    few = (ScoreBar("trainer 0", None, False, "n < 2f + 3"),)
    view.set_state(ScoreBarsState("Round 2", few, "n = 4 < 2f + 3 = 5: Krum refuses"))
    assert view.accessibleDescription().startswith("n = 4 < 2f + 3 = 5")
    assert count(view.grab().toImage(), LIGHT.error) > 10


# Small parts


def test_a_seed_in_hexadecimal(show, qtbot):
    field = show(HexField("Genesis seed", "ab" * 32), 300, 80)
    assert field.value() == "ab" * 32
    for text, why in (("", "Required"), ("xyz", "digits 0 to 9"), ("ab", "this has 2")):
        field.edit.setText(text)
        assert why in field.error()
        assert field.value() is None
    qtbot.mouseClick(field.draw, Qt.MouseButton.LeftButton)
    assert len(field.value()) == 64
    field.set_value(field.value().upper())
    assert field.edit.text().islower()


def test_a_steady_text_asks_for_no_new_layout(show, settle):
    text = show(SteadyText("Phase"), 200, 40)
    high = text.sizeHint().height()
    for words in ("short", "word " * 200, ""):
        text.setText(words)
        settle()
        assert text.sizeHint().height() == high
        assert text.accessibleDescription() == words
        assert not text.grab().isNull()
    text.setText("word " * 200)
    lines = text._broken()
    assert len(lines) == 2
    assert lines[1].endswith("…")


def test_the_phases_fit_one_line(show, qtbot):
    strip = PhaseStrip("Phases of the slot", compact=True)
    strip.set_state((Phase("Propose", "done"), Phase("Train", "running"), Phase("Vote")))
    show(strip, 400, 30)
    assert strip.sizeHint().height() == 30
    assert count(strip.grab().toImage(), LIGHT.ok) > 40
    with qtbot.waitSignal(strip.activated):
        press(qtbot, strip, Qt.Key.Key_Space)


def test_a_legend_breaks_its_line(show):
    legend = show(SignLegend([(f"a long word {at}", lambda *_: None) for at in range(6)]), 900, 20)
    assert legend.heightForWidth(2000) == 18
    assert legend.heightForWidth(200) > 60
    assert "a long word 5" in legend.accessibleName()
