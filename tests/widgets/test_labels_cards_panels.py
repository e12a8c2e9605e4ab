import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel, QPushButton

from widgets.basics import elide_middle
from widgets.cards import KeyValuePanel, KeyValueRow, KeyValueState, StatCard, StatCardState
from widgets.labels import HashLabel, HashState, PillState, StatusPill
from widgets.panels import Action, Banner, BannerState, EmptyPanel, EmptyPanelState

HASH = "0x" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "shown"),
    [(HASH, "0x01234567…abcdef"), (HASH[2:], "01234567…abcdef"), ("0x1234", "0x1234"), ("", ""), ("1" * 15, "1" * 15)],
)
def test_elision_keeps_the_ends(text, shown):
    assert elide_middle(text) == shown


def test_hash_copies_whole(qtbot):
    made = HashLabel(HashState(HASH))
    qtbot.addWidget(made)
    made.show()
    assert made._text.text() == "0x01234567…abcdef"
    assert made._text.toolTip() == HASH
    with qtbot.waitSignal(made.copied) as caught:
        qtbot.mouseClick(made, Qt.MouseButton.LeftButton)
    assert caught.args == [HASH]
    assert QGuiApplication.clipboard().text() == HASH
    assert made._text.text() == "copied"
    qtbot.waitUntil(lambda: made._text.text() == "0x01234567…abcdef", timeout=30_000)


def test_hash_with_a_link_follows_it_by_mouse_and_key(qtbot):
    made = HashLabel(HashState(HASH, "tx:1"))
    qtbot.addWidget(made)
    made.show()
    QGuiApplication.clipboard().clear()
    for act in (
        lambda: qtbot.mouseClick(made, Qt.MouseButton.LeftButton),
        lambda: qtbot.keyClick(made, Qt.Key.Key_Return),
    ):
        with qtbot.waitSignal(made.linkActivated) as caught:
            act()
        assert caught.args == ["tx:1"]
    assert QGuiApplication.clipboard().text() == ""
    qtbot.keyClick(made, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == HASH


def test_an_empty_hash_is_a_dash(qtbot):
    made = HashLabel()
    qtbot.addWidget(made)
    made.show()
    assert made._text.text() == "—"
    with qtbot.assertNotEmitted(made.copied):
        qtbot.mouseClick(made, Qt.MouseButton.LeftButton)


def test_pill_grows_with_its_word(qtbot):
    made = StatusPill(PillState("ok", "ok"))
    qtbot.addWidget(made)
    narrow = made.sizeHint().width()
    made.set_state(PillState("stopped by the operator", "error", "signal 9"))
    assert made.sizeHint().width() > narrow + 80
    assert made.accessibleName() == "stopped by the operator"
    assert made.toolTip() == "signal 9"


def test_stat_card_is_a_link_only_with_a_target(qtbot):
    made = StatCard(StatCardState("Head", "128", "blocks", "12 s ago", "block", link="page:devnet"))
    qtbot.addWidget(made)
    made.show()
    assert made.accessibleName() == "Head: 128 blocks 12 s ago"
    with qtbot.waitSignal(made.linkActivated) as caught:
        qtbot.keyClick(made, Qt.Key.Key_Return)
    assert caught.args == ["page:devnet"]
    made.set_state(StatCardState("Head", "129"))
    assert made.focusPolicy() == Qt.FocusPolicy.NoFocus
    with qtbot.assertNotEmitted(made.linkActivated):
        qtbot.mouseClick(made, Qt.MouseButton.LeftButton)


def test_facts_keep_their_widgets(qtbot):
    rows = (
        KeyValueRow("State", "running", "pill", "ok"), KeyValueRow("Vault", HASH, "hash", link="address:1"),
        KeyValueRow("Round", "autumn", "link", link="round:1"), KeyValueRow("Mining", "automatic"),
    )  # fmt: skip
    made = KeyValuePanel(KeyValueState(rows))
    qtbot.addWidget(made)
    made.show()
    before = list(made._values)
    made.set_state(KeyValueState((KeyValueRow("State", "stopped", "pill", "error"), *rows[1:2],
                                  KeyValueRow("Round", "winter", "link", link="round:2"), rows[3])))  # fmt: skip
    assert made._values == before
    assert before[0].pill.accessibleName() == "stopped"
    with qtbot.waitSignal(made.linkActivated) as caught:
        qtbot.mouseClick(before[2], Qt.MouseButton.LeftButton)
    assert caught.args == ["round:2"]
    with qtbot.waitSignal(made.linkActivated) as caught:
        qtbot.mouseClick(before[1], Qt.MouseButton.LeftButton)
    assert caught.args == ["address:1"]
    high = made.sizeHint().height()
    made.set_state(KeyValueState((rows[0], KeyValueRow("Why", "stopped by hand"))))
    assert made._values[0] is before[0]
    shown = lambda: [w.text() for w in made.findChildren(QLabel) if w.isVisible() and w.parent() is made]  # noqa: E731
    assert shown() == ["State", "Why", "stopped by hand"]
    assert not any(widget.isVisible() for widget in before[1:])
    assert made.sizeHint().height() < high * 2 / 3
    made.set_state(KeyValueState(rows))
    assert made._values == before
    assert all(widget.isVisible() for widget in before)
    assert shown() == ["State", "Vault", "Round", "Mining", "automatic"]
    assert made.sizeHint().height() == high
    made.set_state(KeyValueState(rows[:1]))
    assert len(made._values) == 1
    assert shown() == ["State"]


def test_banner_acts_and_closes(qtbot):
    actions = (Action("start", "Start again", "play", True), Action("log", "Open log", enabled=False))
    made = Banner(BannerState("error", "The devnet stopped", "Signal 9.", "Start it again.", actions))
    qtbot.addWidget(made)
    made.show()
    first, second = made.findChildren(QPushButton)
    assert not second.isEnabled()
    assert made.accessibleName() == "error: The devnet stopped. Signal 9. Start it again."
    with qtbot.waitSignal(made.actionTriggered) as caught:
        qtbot.mouseClick(first, Qt.MouseButton.LeftButton)
    assert caught.args == ["start"]
    with qtbot.waitSignal(made.closed):
        qtbot.mouseClick(made._close, Qt.MouseButton.LeftButton)
    assert made.isHidden()
    made.set_state(BannerState("info", "Again", closable=False))
    assert made.isVisible()
    assert not made._close.isVisible()


def test_banner_shows_markup_as_text(qtbot):
    made = Banner(BannerState("warn", "<b>x</b>", "<a href='x'>y</a>"))
    qtbot.addWidget(made)
    assert made._title.textFormat() == Qt.TextFormat.PlainText
    assert made._text.textFormat() == Qt.TextFormat.PlainText


def test_empty_panel_acts(qtbot):
    made = EmptyPanel(EmptyPanelState("agent", "No agents", "Drop some", (Action("browse", "Choose files"),)))
    qtbot.addWidget(made)
    made.show()
    with qtbot.waitSignal(made.actionTriggered) as caught:
        qtbot.mouseClick(made.findChildren(QPushButton)[0], Qt.MouseButton.LeftButton)
    assert caught.args == ["browse"]
