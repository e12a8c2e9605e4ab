"""A form field for bytes in hexadecimal, of a given length, with a button that draws some."""
# ruff: noqa: A002 - "help" is what the line beneath a field is called everywhere

from __future__ import annotations

import re
import secrets

from PySide6.QtWidgets import QWidget

from widgets.basics import tool_button
from widgets.forms import LineField


class HexField(LineField):
    """So many bytes, in hexadecimal digits without 0x."""

    def __init__(
        self, title: str, value: str = "", *, octets: int = 32, help: str = "", parent: QWidget | None = None
    ) -> None:
        self._digits = 2 * octets
        super().__init__(title, value, help=help or f"{self._digits} hexadecimal digits.", parent=parent)
        self.edit.setProperty("mono", True)
        self.edit.setMaxLength(4 * self._digits)
        self.edit.setCursorPosition(0)
        self.draw = tool_button("dice", f"Draw a random {title.lower()}", size=18)
        self.draw.clicked.connect(lambda: self.set_value(secrets.token_hex(octets)))
        self._line.addWidget(self.draw)
        self._refresh()

    def value(self) -> str | None:
        """The digits, or None while they are not valid."""
        return None if self.problem() else self.text().lower()

    def set_value(self, value: str) -> None:
        """Show digits; those shown already keep their case."""
        if self.value() != value.lower():
            self._put(value)
            self.edit.setCursorPosition(0)

    def problem(self) -> str:
        """Missing, other characters, or of another length."""
        text = self.text()
        if not text:
            return "Required."
        if not re.fullmatch(r"[0-9a-fA-F]*", text):
            return "Only the digits 0 to 9 and a to f."
        return "" if len(text) == self._digits else f"{self._digits} digits; this has {len(text)}."
