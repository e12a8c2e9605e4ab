"""A form field for a number with a fraction: 0.001, 1e-6."""
# ruff: noqa: A002 - "help" is what the line beneath a field is called everywhere

from __future__ import annotations

import math

from PySide6.QtWidgets import QWidget

from widgets.forms import LineField


class RealField(LineField):
    """A number above ``above``, from ``minimum`` to ``maximum``; powers of ten as 1e-6."""

    def __init__(
        self, title: str, value: float | None = 0.0, *, above: float = -math.inf, minimum: float = -math.inf,
        maximum: float = math.inf, help: str = "", optional: bool = False, parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        self._above, self._low, self._high, self._optional = above, minimum, maximum, optional
        super().__init__(title, "" if value is None else plain(value), help=help, parent=parent)
        self._refresh()

    def value(self) -> float | None:
        """The number; None while it is not valid, or empty where that is allowed."""
        return None if self.problem() or not self.text() else float(self.text())

    def set_value(self, value: float | None) -> None:
        """Show a number; one that is shown already keeps its notation."""
        if value is None or self.value() != value:
            self._put("" if value is None else plain(value))

    def problem(self) -> str:
        """Missing, not a number, or beyond the limits."""
        if not self.text():
            return "" if self._optional else "Required."
        try:
            number = float(self.text())
        except ValueError:
            return f"{self.text()!r} is not a number."
        if not math.isfinite(number):
            return "Must be finite."
        if number <= self._above:
            return f"Must be above {self._above:g}."
        if number < self._low:
            return f"Must be at least {self._low:g}."
        return "" if number <= self._high else f"Must be at most {self._high:g}."


def plain(value: float) -> str:
    """A number in full precision, as people write it: 1e-6."""
    return (f"{value:.0f}" if value == round(value) and abs(value) < 1e15 else repr(value)).replace("e-0", "e-")
