from PySide6.QtWidgets import QLabel, QWidget

from widgets.basics import Pair, clear, row, set_property


def test_a_pair_turns_with_the_room(qtbot):
    first, second = QLabel("first"), QLabel("second")
    for label in (first, second):
        label.setMinimumSize(200, 40)
    pair = Pair(first, second, spacing=16)
    qtbot.addWidget(pair)
    pair.resize(500, 100)
    pair.show()
    assert second.x() > first.x()
    assert second.y() == first.y()
    assert pair.minimumSizeHint().width() == 200
    pair.resize(300, 100)
    pair.layout().activate()
    assert second.x() == first.x()
    assert second.y() > first.y()


def test_clear_deletes_nested_widgets(qtbot, settle):
    holder = QWidget()
    qtbot.addWidget(holder)
    outer = row(QLabel("a"), row(QLabel("b"), 8, None))
    holder.setLayout(outer)
    clear(outer)
    settle()
    assert outer.count() == 0
    assert holder.findChildren(QLabel) == []


def test_a_property_restyles_at_once(qtbot):
    label = QLabel("x")
    qtbot.addWidget(label)
    label.ensurePolished()
    before = label.font().pointSizeF()
    set_property(label, "role", "title")
    assert label.font().pointSizeF() > before + 4
