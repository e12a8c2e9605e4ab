import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import QApplication, QWidget

from widgets.gallery import frame
from widgets.gallery_samples import SAMPLES


def focusable(window):
    return [w for w in window.findChildren(QWidget) if w.focusPolicy() & Qt.FocusPolicy.TabFocus and w.isVisible()]


def spoken_name(widget):
    interface = QAccessible.queryAccessibleInterface(widget)
    return interface.text(QAccessible.Text.Name) if interface is not None else widget.accessibleName()


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_whatever_takes_the_focus_has_a_name(qtbot, settle, name):
    window = frame(SAMPLES[name])
    qtbot.addWidget(window)
    window.show()
    settle()
    nameless = [w for w in focusable(window) if not spoken_name(w) and w.focusProxy() is None]
    assert nameless == []


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_tab_reaches_everything_and_each_focus_shows(qtbot, settle, differing, name):
    window = frame(SAMPLES[name])
    qtbot.addWidget(window)
    window.show()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    wanted = {w for w in focusable(window) if w.isEnabled() and w.focusProxy() is None}
    window.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    window.setFocus()
    reached, invisible = [], []
    for _ in range(len(wanted) + 1):
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        focus = QApplication.focusWidget()
        if focus is window or focus in reached:
            break
        reached.append(focus)
        with_focus = focus.grab().toImage()
        window.setFocus()
        settle()
        if differing(with_focus, focus.grab().toImage()) == 0:
            invisible.append(focus)
        focus.setFocus(Qt.FocusReason.TabFocusReason)
    assert wanted - set(reached) == set()
    assert invisible == []


def test_pictures_of_numbers_are_told_in_words(qtbot):
    from widgets.gallery_samples import bar_plot, snake_board, transport

    plot = bar_plot()
    qtbot.addWidget(plot)
    assert "greedy 812" in plot.accessibleName()
    assert "head at column 6, row 4" in snake_board().describe()
    assert "apple at column 7, row 7" in snake_board().describe()
    assert "10 body cells" in snake_board().describe()
    bar = transport()
    qtbot.addWidget(bar)
    assert bar._slider.accessibleName() == "Step 41 of 300"
