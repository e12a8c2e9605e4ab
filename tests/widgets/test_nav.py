from dataclasses import replace

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QApplication

from tests.events import Events
from widgets.nav import NARROW, WIDE, NavBar, NavItem, NavState, StatusStrip, StatusStripState, StripItem

ITEMS = (
    NavItem("overview", "Overview", "overview", shortcut="Ctrl+1"),
    NavItem("leagues", "Leagues", "leagues", "3", "accent"),
    NavItem("settings", "Settings", "settings", section="bottom"),
)


@pytest.fixture
def nav(qtbot):
    made = NavBar(NavState(ITEMS, "overview"))
    qtbot.addWidget(made)
    made.resize(made.width(), 500)
    made.show()
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow)
    return made


def test_a_click_asks_and_the_state_decides(qtbot, nav):
    with qtbot.waitSignal(nav.navigated) as caught:
        qtbot.mouseClick(nav._buttons["leagues"], Qt.MouseButton.LeftButton)
    assert caught.args == ["leagues"]
    assert nav._buttons["overview"].isChecked()
    nav.set_state(NavState(ITEMS, "leagues"))
    assert nav._buttons["leagues"].isChecked()
    assert not nav._buttons["overview"].isChecked()


def test_keyboard(qtbot, nav):
    nav._buttons["overview"].setFocus()
    qtbot.keyClick(nav._buttons["overview"], Qt.Key.Key_Down)
    assert QApplication.focusWidget() is nav._buttons["leagues"]
    with qtbot.waitSignal(nav.navigated) as caught:
        qtbot.keyClick(nav._buttons["leagues"], Qt.Key.Key_Space)
    assert caught.args == ["leagues"]
    qtbot.keyClick(nav._buttons["leagues"], Qt.Key.Key_Up)
    qtbot.keyClick(nav._buttons["overview"], Qt.Key.Key_Up)
    assert QApplication.focusWidget() is nav._buttons["settings"]


def test_names_and_badges(nav):
    assert nav._buttons["leagues"].accessibleName() == "Leagues, 3"
    assert nav._buttons["overview"].toolTip() == "Overview (Ctrl+1)"


def test_collapses_on_request(qtbot, nav):
    assert nav.width() == WIDE
    with qtbot.waitSignal(nav.collapseToggled) as caught:
        qtbot.mouseClick(nav._fold, Qt.MouseButton.LeftButton)
    assert caught.args == [True]
    nav.set_state(NavState(ITEMS, "overview", collapsed=True))
    assert nav.width() == NARROW
    assert nav._fold.accessibleName() == "Expand the sidebar"


def test_buttons_live_as_long_as_their_pages(nav, settle):
    first = nav._buttons["overview"]
    nav.set_state(NavState((*ITEMS[:2], NavItem("settings", "Preferences", "settings", section="bottom")), "overview"))
    assert nav._buttons["overview"] is first
    assert nav._buttons["settings"].text() == "Preferences"
    nav.set_state(NavState(ITEMS[:2], "overview"))
    settle()
    assert list(nav._buttons) == ["overview", "leagues"]


def test_strip_turns_red_and_links(qtbot, settle, differing):
    strip = StatusStrip(StatusStripState((StripItem("devnet", "Devnet", "block 128 ok!", "ok", link="page:devnet"),)))
    qtbot.addWidget(strip)
    strip.resize(500, 32)
    strip.show()
    settle()
    calm = strip.grab().toImage()
    strip.set_state(StatusStripState((StripItem("devnet", "Devnet", "stopped: -9..", "error", link="page:devnet"),)))
    settle()
    assert differing(calm, strip.grab().toImage()) > 0.1
    made = strip._buttons["devnet"]
    assert made.accessibleName() == "Devnet: stopped: -9.."
    with qtbot.waitSignal(strip.linkActivated) as caught:
        qtbot.mouseClick(made, Qt.MouseButton.LeftButton)
    assert caught.args == ["page:devnet"]
    strip.set_state(StatusStripState((StripItem("devnet", "Devnet", "down"),)))
    with qtbot.assertNotEmitted(strip.linkActivated):
        qtbot.mouseClick(strip._buttons["devnet"], Qt.MouseButton.LeftButton)


def test_a_badge_paints_its_own_entry_alone(nav, settle):
    settle()
    changed, other = nav._buttons["leagues"], nav._buttons["overview"]
    told, others = Events(changed), Events(other)
    nav.set_state(NavState((ITEMS[0], replace(ITEMS[1], badge="4"), ITEMS[2]), "overview"))
    settle()
    assert told.count[QEvent.Type.Paint] > 0
    assert others.count[QEvent.Type.Paint] == 0


def test_a_number_that_counts_up_lays_nothing_out(qtbot, settle):
    strip = StatusStrip(StatusStripState((StripItem("round", "Round", "11"),)))
    qtbot.addWidget(strip)
    strip.show()
    settle()
    entry = strip._buttons["round"]
    told, entrys = Events(strip), Events(entry)
    strip.set_state(StatusStripState((StripItem("round", "Round", "12"),)))
    settle()
    assert entrys.count[QEvent.Type.Paint] > 0
    assert told.count[QEvent.Type.LayoutRequest] == 0
    width = entry.width()
    strip.set_state(StatusStripState((StripItem("round", "Round", "1,200 matches"),)))
    settle()
    assert told.count[QEvent.Type.LayoutRequest] > 0
    assert entry.width() > width
