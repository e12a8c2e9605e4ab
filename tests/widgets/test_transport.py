import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QLineEdit, QVBoxLayout, QWidget

from widgets.transport import SPEEDS, Mark, Transport, TransportState

LEFT = Qt.MouseButton.LeftButton
SHIFT, CONTROL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
STATE = TransportState(
    50, 300, marks=(Mark(10, "info", "apple"), Mark(40, "info", "apple"), Mark(212, "error", "TRAP"))
)


@pytest.fixture
def page(qtbot):
    made = QWidget()
    made.bar = Transport(STATE)
    made.field = QLineEdit()
    layout = QVBoxLayout(made)
    layout.addWidget(made.bar)
    layout.addWidget(made.field)
    made.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    made.bar.install_on(made)
    qtbot.addWidget(made)
    made.resize(900, 160)
    made.show()
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow)
    made.setFocus()
    return made


@pytest.fixture
def bar(page):
    return page.bar


@pytest.mark.parametrize(
    ("key", "modifier", "step"),
    [
        (Qt.Key.Key_Left, None, 49), (Qt.Key.Key_Right, None, 51), (Qt.Key.Key_Left, SHIFT, 40),
        (Qt.Key.Key_Right, SHIFT, 60), (Qt.Key.Key_Home, None, 0), (Qt.Key.Key_End, None, 300),
        (Qt.Key.Key_Left, CONTROL, 40), (Qt.Key.Key_Right, CONTROL, 212),
    ],
)  # fmt: skip
def test_keys_seek(qtbot, page, bar, key, modifier, step):
    with qtbot.waitSignal(bar.seekRequested) as caught:
        qtbot.keyClick(page, key, modifier or Qt.KeyboardModifier.NoModifier)
    assert caught.args == [step]


def test_space_and_speed_keys(qtbot, page, bar):
    with qtbot.waitSignal(bar.playToggled) as caught:
        qtbot.keyClick(page, Qt.Key.Key_Space)
    assert caught.args == [True]
    with qtbot.waitSignal(bar.speedChanged) as caught:
        qtbot.keyClick(page, Qt.Key.Key_Plus)
    assert caught.args == [2.0]
    with qtbot.waitSignal(bar.speedChanged) as caught:
        qtbot.keyClick(page, Qt.Key.Key_Minus)
    assert caught.args == [0.5]


def test_keys_of_a_focused_tool_button_reach_the_page(qtbot, page, bar):
    bar._forward.setFocus()
    with qtbot.waitSignal(bar.seekRequested) as caught:
        qtbot.keyClick(bar._forward, Qt.Key.Key_End)
    assert caught.args == [300]


@pytest.mark.parametrize("key", [Qt.Key.Key_Space, Qt.Key.Key_Left, Qt.Key.Key_Home, Qt.Key.Key_Minus])
def test_never_while_typing(qtbot, page, bar, key):
    page.field.setFocus()
    page.field.setText("abc")
    heard = []
    for signal in (bar.seekRequested, bar.playToggled, bar.speedChanged):
        signal.connect(heard.append)
    qtbot.keyClick(page.field, key)
    bar._field.setFocus()
    qtbot.keyClick(bar._field, key)
    assert heard == []


def test_buttons_and_limits(qtbot, bar):
    for button, step in ((bar._back, 49), (bar._forward_ten, 60), (bar._last, 300), (bar._next_mark, 212)):
        with qtbot.waitSignal(bar.seekRequested) as caught:
            qtbot.mouseClick(button, LEFT)
        assert caught.args == [step]
    bar.set_state(TransportState(0, 300, marks=STATE.marks))
    assert not bar._back.isEnabled()
    assert not bar._previous_mark.isEnabled()
    bar.set_state(TransportState(297, 300))
    with qtbot.waitSignal(bar.seekRequested) as caught:
        qtbot.mouseClick(bar._forward_ten, LEFT)
    assert caught.args == [300]
    assert not bar._next_mark.isEnabled()


def test_an_empty_replay_does_nothing(qtbot, page, bar):
    bar.set_state(TransportState(0, 0))
    heard = []
    bar.seekRequested.connect(heard.append)
    bar.playToggled.connect(heard.append)
    for key in (Qt.Key.Key_Space, Qt.Key.Key_Right, Qt.Key.Key_End):
        qtbot.keyClick(page, key)
    assert heard == []
    assert not bar._play.isEnabled()


def test_slider_seeks_by_mouse(qtbot, bar):
    slider = bar._slider
    target = round(slider.x_of(200))
    with qtbot.waitSignal(bar.seekRequested) as caught:
        qtbot.mouseClick(slider, LEFT, pos=QPoint(target, slider.height() // 2))
    assert abs(caught.args[0] - 200) <= 1
    assert slider.step_at(-50) == 0
    assert slider.step_at(10_000) == 300
    assert all(abs(slider.step_at(slider.x_of(step)) - step) <= 1 for step in range(0, 301, 7))


def test_slider_names_marks(qtbot, bar):
    qtbot.mouseMove(bar._slider, QPoint(round(bar._slider.x_of(212)), 10))
    qtbot.waitUntil(lambda: bar._slider.toolTip() == "step 212: TRAP")


def test_step_field(qtbot, bar):
    bar._field.setFocus()
    bar._field.selectAll()
    qtbot.keyClicks(bar._field, "123")
    with qtbot.waitSignal(bar.seekRequested) as caught:
        qtbot.keyClick(bar._field, Qt.Key.Key_Return)
    assert caught.args == [123]
    bar._field.selectAll()
    qtbot.keyClicks(bar._field, "x7x")
    assert bar._field.text() == "7"  # letters are not taken


def test_an_update_does_not_overwrite_what_one_types(qtbot, bar):
    bar._field.setFocus()
    bar._field.setText("12")
    bar.set_state(TransportState(77, 300, playing=True))
    assert bar._field.text() == "12"
    QApplication.focusWidget().clearFocus()
    bar.set_state(TransportState(78, 300, playing=True))
    assert bar._field.text() == "78"
    assert bar._play.accessibleName() == "Pause (Space)"


def test_speed_choice(qtbot, bar):
    assert (SPEEDS[0], SPEEDS[-1]) == (0.25, 16.0)
    with qtbot.waitSignal(bar.speedChanged) as caught:
        bar._speed.activated.emit(6)
    assert caught.args == [16.0]
