"""A form field of several lines: a text, a list, a series of numbers; and a plain editor of JSON."""
# ruff: noqa: A002 - "help" is what the line beneath a field is called everywhere

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QColor, QTextCharFormat, QTextCursor, QTextFormat
from PySide6.QtWidgets import QPlainTextEdit, QTextEdit, QWidget

from widgets.basics import set_property
from widgets.forms import Field
from widgets.theme import current_tokens, follow
from widgets.tokens import Tokens

LINE = 18
WAIT_MS = 120  # after the last key before a long text is read


class AreaField(Field):
    """Several lines; ``parse`` turns the text into the value or raises ValueError with what is wrong."""

    def __init__(
        self, title: str, text: str = "", *, parse: Callable[[str], Any] = str.strip, lines: int = 3, help: str = "",
        parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        self.edit = QPlainTextEdit(text)
        self.edit.setTabChangesFocus(True)
        self.edit.setFixedHeight(lines * LINE + 22)
        self._parse = parse
        super().__init__(title, self.edit, help=help, parent=parent)
        self.edit.textChanged.connect(self._edited)
        self._refresh()

    def text(self) -> str:
        """What was typed."""
        return self.edit.toPlainText()

    def value(self) -> Any:
        """What the text means; None while it means nothing."""
        return None if self.problem() else self._parse(self.text())

    def set_value(self, value: str) -> None:
        """Show a text."""
        if value != self.text():
            self.edit.setPlainText(value)

    def problem(self) -> str:
        """What ``parse`` finds wrong."""
        try:
            self._parse(self.text())
        except ValueError as error:
            return str(error)
        return ""


def words_of(text: str) -> list[str]:
    """Return the words of a list, set apart by commas or lines. Raises ValueError for doubles and for none."""
    found = [part.strip() for line in text.splitlines() for part in line.split(",") if part.strip()]
    if not found:
        raise ValueError("Required: words, set apart by commas or lines.")
    twice = next((word for at, word in enumerate(found) if word in found[:at]), "")
    if twice:
        raise ValueError(f"{twice!r} stands here twice.")
    return found


def numbers_of(text: str) -> list[float]:
    """Return the numbers of a series, set apart by commas, spaces or lines. Raises ValueError."""
    found = []
    for part in text.replace(",", " ").replace(";", " ").split():
        try:
            number = float(part)
        except ValueError:
            raise ValueError(f"{part[:20]!r} is not a number.") from None
        if number != number or number in (float("inf"), float("-inf")):
            raise ValueError(f"{part[:20]!r} is not finite.")
        found.append(number)
    if not found:
        raise ValueError("Required: numbers, set apart by commas, spaces or lines.")
    return found


class JsonEdit(QPlainTextEdit):
    """Text in the monospace; the line that an error names is marked. ``edited`` comes when the typing rests."""

    edited = Signal(str)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("mono", True)
        self.setAccessibleName(name)
        self.setTabChangesFocus(True)
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.WidgetWidth)
        self._line = 0
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(WAIT_MS)
        self._rest.timeout.connect(self._tell)
        self._filling = False
        self.textChanged.connect(self._on_text)
        follow(self)

    def set_text(self, text: str) -> None:
        """Show a text that comes from elsewhere; one that stands there already leaves the cursor alone."""
        if text != self.toPlainText():
            self._filling = True
            self.setPlainText(text)
            self._filling = False

    def set_problem(self, line: int, text: str) -> None:
        """Mark a line (from 1; 0: none) and say why."""
        self._line = line
        set_property(self, "invalid", bool(text))
        self.setAccessibleDescription(text)
        self._mark()

    def flush(self) -> None:
        """Tell at once what has been typed."""
        if self._rest.isActive():
            self._rest.stop()
            self._tell()

    def on_theme(self, _tokens: Tokens) -> None:
        """Mark in the new colours."""
        self._mark()

    def _on_text(self) -> None:
        if not self._filling:
            self._rest.start()

    def _tell(self) -> None:
        self.edited.emit(self.toPlainText())

    def _mark(self) -> None:
        marks = []
        block = self.document().findBlockByNumber(self._line - 1) if self._line > 0 else None
        if block is not None and block.isValid():
            mark = QTextEdit.ExtraSelection()
            look = QTextCharFormat()
            look.setBackground(QColor(current_tokens().error_soft))
            look.setProperty(QTextFormat.Property.FullWidthSelection, True)
            mark.format = look  # type: ignore[attr-defined]
            mark.cursor = QTextCursor(block)  # type: ignore[attr-defined]
            marks.append(mark)
        self.setExtraSelections(marks)
