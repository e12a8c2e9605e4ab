import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from widgets.forms import ChoiceField, EthField, Form, IntField, PortField, SeedField, TextField, format_eth

ETH = 10**18


def field(qtbot, made):
    qtbot.addWidget(made)
    made.show()
    return made


def retype(qtbot, made, text):
    made.edit.setFocus()
    made.edit.selectAll()
    qtbot.keyClick(made.edit, Qt.Key.Key_Delete)
    qtbot.keyClicks(made.edit, text)


@pytest.mark.parametrize(
    ("text", "value", "error"),
    [
        ("7", 7, ""), ("1 000", 1000, ""), ("1,000", 1000, ""), ("0", None, "Must be from 1 to 5,000."),
        ("5001", None, "Must be from 1 to 5,000."), ("x", None, "'x' is not a whole number."), ("", None, "Required."),
        ("1.5", None, "'1.5' is not a whole number."), ("9" * 30, None, "Must be from 1 to 5,000."),
    ],
)  # fmt: skip
def test_int(qtbot, text, value, error):
    made = field(qtbot, IntField("Matches", 3, minimum=1, maximum=5000))
    retype(qtbot, made, text)
    assert (made.value(), made.error()) == (value, error)
    assert made._message.text() == (error or "A whole number from 1 to 5,000")
    assert made.edit.property("invalid") is bool(error)


@pytest.mark.parametrize(
    ("text", "wei", "error"),
    [
        ("1", ETH, ""), ("0.1", ETH // 10, ""), (".5", ETH // 2, ""), ("10.000000000000000001", 10 * ETH + 1, ""),
        ("0.09", None, "At least 0.1 ETH."), ("101", None, "At most 100 ETH."), ("", None, "Required."),
        ("-1", None, "'-1' is not an amount of ETH with at most 18 decimals."),
        ("1e3", None, "'1e3' is not an amount of ETH with at most 18 decimals."),
        (".", None, "'.' is not an amount of ETH with at most 18 decimals."),
        ("1.0000000000000000001", None, "'1.0000000000000000001' is not an amount of ETH with at most 18 decimals."),
    ],
)  # fmt: skip
def test_eth(qtbot, text, wei, error):
    made = field(qtbot, EthField("Stake", ETH, minimum=ETH // 10, maximum=100 * ETH))
    retype(qtbot, made, text)
    assert (made.value(), made.error()) == (wei, error)


@given(st.integers(0, 10**27))
def test_eth_round_trip_is_exact(wei):
    if QApplication.instance() is None:
        QApplication([])
    made = EthField("Stake", wei)
    assert made.value() == wei
    made.deleteLater()


@pytest.mark.parametrize(("wei", "text"), [(0, "0"), (1, "0.000000000000000001"), (ETH, "1"), (-ETH // 2, "-0.5")])
def test_format_eth(wei, text):
    assert format_eth(wei) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("42", 42),
        ("0x2A", 42),
        ("0xffffffffffffffff", 2**64 - 1),
        ("18446744073709551616", None),
        ("0x", None),
        ("", None),
    ],
)
def test_seed(qtbot, text, value):
    made = field(qtbot, SeedField())
    retype(qtbot, made, text)
    assert made.value() == value
    assert made.valid == (value is not None)


def test_a_seed_keeps_its_notation_and_can_be_drawn(qtbot):
    made = field(qtbot, SeedField())
    retype(qtbot, made, "0x2a")
    made.set_value(42)
    assert made.edit.text() == "0x2a"
    qtbot.mouseClick(made._draw, Qt.MouseButton.LeftButton)
    first = made.value()
    qtbot.mouseClick(made._draw, Qt.MouseButton.LeftButton)
    assert made.value() != first


@pytest.mark.parametrize(
    ("text", "value", "valid"), [("", None, True), ("8545", 8545, True), ("0", None, False), ("65536", None, False)]
)
def test_port(qtbot, text, value, valid):
    made = field(qtbot, PortField())
    retype(qtbot, made, text)
    assert (made.value(), made.valid) == (value, valid)


def test_text(qtbot):
    made = field(qtbot, TextField("Name", "autumn", max_length=8, pattern="[a-z ]+", pattern_help="Small letters."))
    assert made.value() == "autumn"
    for text, error in (
        ("", "Required."),
        ("nine chars", "At most 8 characters; this has 10."),
        ("A1", "Small letters."),
    ):
        made.set_value(text)
        assert made.error() == error
        assert made.value() is None


def test_choice_keeps_its_value_when_choices_change(qtbot):
    made = field(qtbot, ChoiceField("Tier", (("b", "Bronze"), ("g", "Gold")), "g"))
    with qtbot.assertNotEmitted(made.valueChanged):
        made.set_choices((("b", "Bronze"), ("s", "Silver"), ("g", "Gold")))
    assert made.value() == "g"
    with qtbot.waitSignal(made.valueChanged) as caught:
        made.combo.setCurrentIndex(1)
    assert caught.args == ["s"]
    with qtbot.waitSignal(made.validChanged) as caught:
        made.set_choices(())
    assert caught.args == [False]
    assert made.error() == "Nothing to choose from."


def test_an_error_from_outside_goes_with_the_next_edit(qtbot):
    made = field(qtbot, PortField(value=8545))
    with qtbot.waitSignal(made.validChanged) as caught:
        made.set_error("Port 8545 is taken; 8546 is free.")
    assert caught.args == [False]
    assert made._message.text() == "Port 8545 is taken; 8546 is free."
    assert made.edit.accessibleDescription() == "Port 8545 is taken; 8546 is free."
    with qtbot.waitSignal(made.validChanged) as caught:
        retype(qtbot, made, "8546")
    assert made.valid


def test_an_unchanged_value_leaves_the_cursor_alone(qtbot):
    made = field(qtbot, IntField("n", 12345))
    made.edit.setCursorPosition(2)
    made.set_value(12345)
    assert made.edit.cursorPosition() == 2


def test_form(qtbot):
    fields = {"n": IntField("Matches", 5, minimum=1, maximum=9), "name": TextField("Name", "x")}
    form = Form(fields)
    qtbot.addWidget(form)
    form.show()
    assert form.valid
    assert form.values() == {"n": 5, "name": "x"}
    with qtbot.waitSignal(form.validChanged) as caught:
        form.set_values({"n": 99, "unknown": 1})
    assert caught.args == [False]
    assert form.values()["n"] is None
    with qtbot.waitSignals([form.validChanged, form.changed]):
        form.set_values({"n": 2})
    form.set_error("name", "Taken.")
    assert not form.valid


def test_thousands_of_digits_are_out_of_range_and_no_fault(qtbot):
    many = "9" * 5000  # Python refuses to read as many into a number
    for made in (IntField("Count", 1, maximum=10), SeedField("Seed", 1), EthField("Amount", 1)):
        qtbot.addWidget(made)
        made.edit.setText(many)
        assert made.error()
        assert made.value() is None
        assert len(made.error()) < 120
        made.edit.setText("garbage " * 500)
        assert 0 < len(made.error()) < 160
