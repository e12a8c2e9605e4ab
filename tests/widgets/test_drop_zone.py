import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDragMoveEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QWidget

from widgets.drop_zone import DropZone, DropZoneState, accept_drops

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


class Drag:
    """A real drag of files over a widget; it keeps the mime data alive as a desktop would."""

    def __init__(self, widget, urls=(), text=""):
        self.widget, self.mime = widget, QMimeData()
        if urls:
            self.mime.setUrls([QUrl.fromLocalFile(u) if u.startswith("/") else QUrl(u) for u in urls])
        if text:
            self.mime.setText(text)
        self.at = QPoint(20, 20)

    def enter(self):
        event = QDragEnterEvent(self.at, Qt.DropAction.CopyAction, self.mime, LEFT, NONE)
        QApplication.sendEvent(self.widget, event)
        return event.isAccepted()

    def move(self):
        event = QDragMoveEvent(self.at, Qt.DropAction.CopyAction, self.mime, LEFT, NONE)
        QApplication.sendEvent(self.widget, event)
        return event.isAccepted()

    def leave(self):
        QApplication.sendEvent(self.widget, QDragLeaveEvent())

    def drop(self):
        self.enter()
        event = QDropEvent(QPointF(self.at), Qt.DropAction.CopyAction, self.mime, LEFT, NONE)
        QApplication.sendEvent(self.widget, event)
        return event.isAccepted()


@pytest.fixture
def zone(qtbot):
    made = DropZone(DropZoneState("Drop agents here", "Several at once"))
    qtbot.addWidget(made)
    made.resize(420, 220)
    made.show()
    return made


def test_several_files_at_once(qtbot, zone):
    drag = Drag(zone, ["/tmp/a.wasm", "/tmp/B.WASM", "/tmp/c.nets"])
    assert drag.enter()
    assert drag.move()
    with qtbot.waitSignal(zone.filesDropped) as caught:
        assert drag.drop()
    assert caught.args == [["/tmp/a.wasm", "/tmp/B.WASM", "/tmp/c.nets"]]
    assert not zone._message.isVisible()


def test_it_lights_up_while_files_hover(zone, settle, differing):
    idle = zone.grab().toImage()
    drag = Drag(zone, ["/tmp/a.wasm"])
    drag.enter()
    assert differing(idle, zone.grab().toImage()) > 0.3
    drag.leave()
    settle()
    assert differing(idle, zone.grab().toImage()) == 0


def test_wrong_files_are_refused_with_a_reason(qtbot, zone, differing):
    drag = Drag(zone, ["/tmp/notes.txt"])
    good = Drag(zone, ["/tmp/a.wasm"])
    good.enter()
    welcome = zone.grab().toImage()
    drag.enter()
    assert differing(welcome, zone.grab().toImage()) > 0.3  # a wrong file looks wrong before it is dropped
    with qtbot.waitSignal(zone.rejected) as caught, qtbot.assertNotEmitted(zone.filesDropped):
        drag.drop()
    assert caught.args == ["notes.txt is not a .wasm or .nets file"]
    assert "notes.txt" in zone._message.text()
    assert zone._message.isVisible()


def test_a_mixed_drop_takes_the_good_and_tells_the_rest(qtbot, zone, tmp_path):
    drag = Drag(zone, ["/tmp/a.wasm", str(tmp_path), "https://example.com/b.wasm", "/tmp/a.wasm"])
    taken, refused = [], []
    zone.filesDropped.connect(taken.append)
    zone.rejected.connect(refused.append)
    drag.drop()
    assert taken == [["/tmp/a.wasm"]]
    assert f"{tmp_path.name} is a folder" in refused[0]
    assert "https://example.com/b.wasm is not a file on this machine" in refused[0]
    assert "a.wasm was in the drop twice" in refused[0]


def test_text_is_not_taken(zone):
    assert not Drag(zone, text="hello").enter()


def test_the_button_does_the_same(qtbot, zone):
    with qtbot.waitSignal(zone.browseRequested):
        qtbot.mouseClick(zone._button, LEFT)
    zone._button.setFocus()
    with qtbot.waitSignal(zone.browseRequested):
        qtbot.keyClick(zone._button, Qt.Key.Key_Space)


def test_busy_and_messages(zone):
    zone.set_state(DropZoneState("Checking", busy=True))
    assert zone._busy.isVisible()
    zone.set_state(DropZoneState("Done", message="2 admitted", message_kind="ok"))
    assert not zone._busy.isVisible()
    assert zone._message.property("role") == "small"


def test_any_widget_can_take_drops(qtbot):
    page = QWidget()
    qtbot.addWidget(page)
    taken, refused = [], []
    accept_drops(page, (".wasm",), taken.append, refused.append)
    drag = Drag(page, ["/tmp/a.wasm", "/tmp/m.nets"])
    assert drag.enter()
    drag.drop()
    assert taken == [["/tmp/a.wasm"]]
    assert refused == ["m.nets is not a .wasm file"]
