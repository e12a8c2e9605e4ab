"""Form fields that check themselves while one types, with the message beneath, and a form of them."""
# ruff: noqa: A002 - "help" is what the line beneath a field is called everywhere

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QLineEdit, QWidget

from widgets.basics import column, label, row, set_property, tool_button
from widgets.choice import Choice

WEI = 10**18
MOST_DIGITS, QUOTED = 100, 40  # of a number: longer ones are out of every range; of what an error repeats


class Field(QWidget):
    """A label, an input and a line beneath that helps or says what is wrong."""

    valueChanged = Signal(object)
    validChanged = Signal(bool)

    def __init__(self, title: str, editor: QWidget, *, help: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._help, self._outside, self._was_valid = help, "", True
        self._editor = editor
        self._label = label(title, "strong")
        self._label.setBuddy(editor)
        self._message = label(help, "small", wrap=True)
        self._line = row(editor, spacing=4)
        self._line.setStretch(0, 1)
        editor.setAccessibleName(title)
        body = column(self, spacing=4)
        body.addWidget(self._label)
        body.addLayout(self._line)
        body.addWidget(self._message)
        body.addStretch(1)
        self.setFocusProxy(editor)

    def value(self) -> Any:
        """The value, or None while it is not valid."""
        raise NotImplementedError

    def set_value(self, value: Any) -> None:
        """Show a value; a value that is shown already leaves the cursor alone."""
        raise NotImplementedError

    def problem(self) -> str:
        """What is wrong with what stands in the field, or ""."""
        raise NotImplementedError

    def error(self) -> str:
        """What is wrong, from the field itself or from outside."""
        return self.problem() or self._outside

    @property
    def valid(self) -> bool:
        """Whether the field can be used."""
        return not self.error()

    def set_error(self, text: str) -> None:
        """Show an error that only the app can know; it goes when the value changes."""
        self._outside = text
        self._refresh()

    def set_title(self, title: str) -> None:
        """Change the name of the field."""
        self._label.setText(title)
        self._editor.setAccessibleName(title)

    def wrap_title(self) -> Field:
        """Let a long name take two lines, and return the field."""
        self._label.setWordWrap(True)
        return self

    def set_help(self, text: str) -> None:
        """Change the line beneath."""
        self._help = text
        self._refresh()

    def _edited(self) -> None:
        self._outside = ""
        self._refresh()
        self.valueChanged.emit(self.value())

    def _refresh(self) -> None:
        error = self.error()
        set_property(self._editor, "invalid", bool(error))
        set_property(self._message, "role", "error" if error else "small")
        self._message.setText(error or self._help or " ")
        self._editor.setAccessibleDescription(error or self._help)
        if (not error) != self._was_valid:
            self._was_valid = not error
            self.validChanged.emit(self._was_valid)


class LineField(Field):
    """A field of one line of text; subclasses say how it reads."""

    def __init__(
        self, title: str, text: str, *, help: str = "", placeholder: str = "", parent: QWidget | None = None
    ) -> None:
        self.edit = QLineEdit(text)
        self.edit.setPlaceholderText(placeholder)
        super().__init__(title, self.edit, help=help, parent=parent)
        self.edit.textChanged.connect(self._edited)

    def text(self) -> str:
        """What was typed, without the spaces around it."""
        return self.edit.text().strip()

    def _put(self, text: str) -> None:
        if text != self.edit.text():
            self.edit.setText(text)


class TextField(LineField):
    """Plain text: required or not, at most so long, perhaps of a pattern that ``pattern_help`` explains."""

    def __init__(
        self, title: str, value: str = "", *, help: str = "", placeholder: str = "", required: bool = True,
        max_length: int = 200, pattern: str = "", pattern_help: str = "", parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        self._required, self._max, self._pattern, self._why = required, max_length, pattern, pattern_help
        super().__init__(title, value, help=help, placeholder=placeholder, parent=parent)
        self._refresh()

    def value(self) -> str | None:
        """The text, or None while it is not valid."""
        return None if self.problem() else self.text()

    def set_value(self, value: str) -> None:
        """Show a text."""
        self._put(value)

    def problem(self) -> str:
        """Missing, too long or of the wrong form."""
        text = self.text()
        if not text:
            return "Required." if self._required else ""
        if len(text) > self._max:
            return f"At most {self._max} characters; this has {len(text)}."
        if self._pattern and not re.fullmatch(self._pattern, text):
            return self._why or "Not of the expected form."
        return ""


class IntField(LineField):
    """A whole number between two limits; thousands may be set apart by spaces, commas or underscores."""

    def __init__(
        self, title: str, value: int | None = None, *, minimum: int = 0, maximum: int = 2**63 - 1, help: str = "",
        optional: bool = False, placeholder: str = "", wrap: bool = False, parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        self._low, self._high, self._optional = minimum, maximum, optional
        text = "" if value is None else str(value)
        super().__init__(title, text, help=help or self.limits(), placeholder=placeholder, parent=parent)
        self._label.setWordWrap(wrap)
        self._refresh()

    def limits(self) -> str:
        """The limits in words."""
        if self._high >= 2**63 - 1:
            return f"A whole number from {self._low:,}"
        return f"A whole number from {self._low:,} to {self._high:,}"

    def set_limits(self, minimum: int, maximum: int) -> None:
        """Change the limits."""
        self._low, self._high = minimum, maximum
        self._help = self.limits()
        self._refresh()

    def value(self) -> int | None:
        """The number; None while it is not valid, or empty where that is allowed."""
        return None if self.problem() or not self.text() else int(self._digits())

    def set_value(self, value: int | None) -> None:
        """Show a number."""
        if value is None or self.value() != value:
            self._put("" if value is None else str(value))

    def problem(self) -> str:
        """Missing, not a whole number, or beyond the limits."""
        if not self.text():
            return "" if self._optional else "Required."
        if not re.fullmatch(r"[+-]?[0-9]+", self._digits()):
            return f"{_quoted(self.text())} is not a whole number."
        if len(self._digits()) > MOST_DIGITS:
            return f"Must be {self._range()}."
        return "" if self._low <= int(self._digits()) <= self._high else f"Must be {self._range()}."

    def _range(self) -> str:
        return f"from {self._low:,} to {self._high:,}" if self._high < 2**63 - 1 else f"at least {self._low:,}"

    def _digits(self) -> str:
        return re.sub(r"[ ,_\u2009]", "", self.text())


class PortField(IntField):
    """A TCP port; empty lets the program choose one."""

    def __init__(
        self, title: str = "Port", value: int | None = None, *, help: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(
            title, value, minimum=1, maximum=65535, optional=True, placeholder="automatic", parent=parent,
            help=help or "1 to 65535; empty picks a free one",
        )  # fmt: skip


class SeedField(LineField):
    """A 64-bit seed, decimal or 0x hex, with a button that draws one."""

    def __init__(self, title: str = "Seed", value: int = 0, *, help: str = "", parent: QWidget | None = None) -> None:
        super().__init__(title, str(value), help=help or "Decimal or 0x hex", parent=parent)
        self.edit.setProperty("mono", True)
        self._draw = tool_button("dice", "Draw a random seed", size=18)
        self._draw.clicked.connect(lambda: self.set_value(secrets.randbits(63)))
        self._line.addWidget(self._draw)
        self._refresh()

    def value(self) -> int | None:
        """The seed, or None while it is not valid."""
        return None if self.problem() else self._number()

    def set_value(self, value: int) -> None:
        """Show a seed; one that is shown already keeps its notation."""
        if self.value() != value:
            self._put(str(value))

    def problem(self) -> str:
        """Missing, not a number, or wider than 64 bits."""
        if not self.text():
            return "Required."
        number = self._number()
        if number is None:
            return f"{_quoted(self.text())} is neither a decimal nor a 0x hex number."
        return "" if number < 2**64 else "Wider than 64 bits."

    def _number(self) -> int | None:
        text = self.text().lower().replace("_", "")
        if re.fullmatch(r"0x[0-9a-f]+", text):
            return int(text, 16)
        return int(text[:MOST_DIGITS]) if re.fullmatch(r"[0-9]+", text) else None  # what is longer is too wide as well


class EthField(LineField):
    """An amount of ether, exact to the wei: ``value()`` is integer wei."""

    def __init__(
        self, title: str, value: int = 0, *, minimum: int = 0, maximum: int | None = None, help: str = "",
        parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        self._low, self._high = minimum, maximum
        super().__init__(title, format_eth(value), help=help, parent=parent)
        self._line.addWidget(label("ETH", "muted"))
        self._refresh()

    def set_limits(self, minimum: int, maximum: int | None) -> None:
        """Change the limits, in wei."""
        self._low, self._high = minimum, maximum
        self._refresh()

    def value(self) -> int | None:
        """Wei, or None while it is not valid."""
        return None if self.problem() else self._wei()

    def set_value(self, value: int) -> None:
        """Show an amount of wei."""
        if self.value() != value:
            self._put(format_eth(value))

    def problem(self) -> str:
        """Missing, not an amount, finer than a wei, or beyond the limits."""
        if not self.text():
            return "Required."
        wei = self._wei()
        if wei is None:
            return f"{_quoted(self.text())} is not an amount of ETH with at most 18 decimals."
        if wei < self._low:
            return f"At least {format_eth(self._low)} ETH."
        if self._high is not None and wei > self._high:
            return f"At most {format_eth(self._high)} ETH."
        return ""

    def _wei(self) -> int | None:
        text = self.text().replace(",", "").replace(" ", "")
        if not re.fullmatch(r"[0-9]*\.?[0-9]*", text) or len(text) > 60:
            return None
        whole, _, rest = text.partition(".")
        if not (whole or rest) or len(rest) > 18:
            return None
        try:
            return int(Decimal(whole or "0")) * WEI + int(rest.ljust(18, "0"))
        except InvalidOperation:
            return None


class ChoiceField(Field):
    """One of several values, each with the text shown."""

    def __init__(
        self, title: str, choices: tuple[tuple[Any, str], ...] = (), value: Any = None, *, help: str = "",
        parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        self.combo = Choice()
        self._values: tuple[Any, ...] = ()
        super().__init__(title, self.combo, help=help, parent=parent)
        self.set_choices(choices)
        if value is not None:
            self.set_value(value)
        self.combo.currentIndexChanged.connect(self._edited)

    def set_choices(self, choices: tuple[tuple[Any, str], ...]) -> None:
        """Offer other choices; the chosen value stays when it is still there."""
        before = self.value()
        self.combo.blockSignals(True)
        self.combo.clear()
        self._values = tuple(value for value, _ in choices)
        self.combo.addItems([text for _, text in choices])
        if before in self._values:
            self.combo.setCurrentIndex(self._values.index(before))
        self.combo.blockSignals(False)
        self._refresh()

    def value(self) -> Any:
        """The chosen value, None when there is nothing to choose."""
        index = self.combo.currentIndex()
        return self._values[index] if 0 <= index < len(self._values) else None

    def set_value(self, value: Any) -> None:
        """Choose a value; one that is not offered is ignored."""
        if value in self._values:
            self.combo.setCurrentIndex(self._values.index(value))

    def problem(self) -> str:
        """Nothing to choose from."""
        return "" if self._values else "Nothing to choose from."


class Form(QWidget):
    """Named fields in columns; valid when all of them are."""

    validChanged = Signal(bool)
    changed = Signal()

    def __init__(self, fields: Mapping[str, Field], parent: QWidget | None = None, *, columns: int = 2) -> None:
        super().__init__(parent)
        self.fields = dict(fields)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(12)
        for index, field in enumerate(self.fields.values()):
            grid.addWidget(field, index // columns, index % columns)
            field.valueChanged.connect(lambda _value: self.changed.emit())
            field.validChanged.connect(lambda _ok: self._check())
        for at in range(columns):
            grid.setColumnStretch(at, 1)
        self._was_valid = self.valid

    @property
    def valid(self) -> bool:
        """Whether every field is valid."""
        return all(field.valid for field in self.fields.values())

    def values(self) -> dict[str, Any]:
        """All values by name; None where a field is not valid."""
        return {name: field.value() for name, field in self.fields.items()}

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Show values by name; unknown names are ignored."""
        for name, value in values.items():
            if name in self.fields:
                self.fields[name].set_value(value)

    def set_error(self, name: str, text: str) -> None:
        """Show an error of one field."""
        self.fields[name].set_error(text)

    def _check(self) -> None:
        if self.valid != self._was_valid:
            self._was_valid = self.valid
            self.validChanged.emit(self._was_valid)


def _quoted(text: str) -> str:
    return repr(text if len(text) <= QUOTED else text[:QUOTED] + "…")  # not all of a page that was pasted


def format_eth(wei: int) -> str:
    """Wei as ether, exact, without needless zeros."""
    whole, rest = divmod(abs(wei), WEI)
    text = f"{whole}.{rest:018d}".rstrip("0").rstrip(".")
    return f"-{text}" if wei < 0 else text
