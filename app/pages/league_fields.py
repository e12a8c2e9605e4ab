"""Fields in columns of which some are hidden at times, and sections that fold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QGridLayout, QWidget

from widgets.basics import button, column, row
from widgets.forms import ChoiceField, Field
from widgets.icons import icon


class FieldGrid(QWidget):
    """Named fields in columns. Only those shown count: a hidden field is neither wrong nor read."""

    changed = Signal()

    def __init__(self, fields: Mapping[str, Field], *, columns: int = 2) -> None:
        super().__init__()
        self.fields = dict(fields)
        self._columns = columns
        self._shown: tuple[str, ...] = ()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(16)
        self._grid.setVerticalSpacing(8)
        for at in range(columns):
            self._grid.setColumnStretch(at, 1)
        for field in self.fields.values():
            field.setParent(self)
            field.valueChanged.connect(lambda _value: self.changed.emit())
            field.validChanged.connect(lambda _ok: self.changed.emit())
        self.show_only(self.fields)

    def show_only(self, names: Iterable[str]) -> None:
        """Show these fields, without gaps."""
        wanted = set(names)
        shown = tuple(name for name in self.fields if name in wanted)
        if shown == self._shown:
            return
        self._shown = shown
        for name, field in self.fields.items():
            self._grid.removeWidget(field)
            field.setVisible(name in shown)
        for place, name in enumerate(shown):
            self._grid.addWidget(self.fields[name], place // self._columns, place % self._columns)

    def values(self) -> dict[str, Any]:
        """The values of the fields shown; None where one cannot be read."""
        return {name: self.fields[name].value() for name in self._shown}

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Show values by name, without telling that they changed."""
        blocked = self.blockSignals(True)
        for name, field in self.fields.items():
            if name in values:
                field.set_value(values[name])
        self.blockSignals(blocked)

    def set_errors(self, errors: Mapping[str, str]) -> None:
        """Show what is wrong beneath each field."""
        for name, field in self.fields.items():
            field.set_error(errors.get(name, ""))


class Section(QWidget):
    """A part of a form that folds; its title says what is inside."""

    def __init__(self, title: str, content: QWidget) -> None:
        super().__init__()
        self._content = content
        self.toggle = button(title, "forward", "fold")
        self.toggle.setCheckable(True)
        body = column(self, spacing=8)
        body.addLayout(row(self.toggle, None))
        body.addWidget(content)
        self.toggle.toggled.connect(self._fold)
        self._fold(False)

    def set_title(self, title: str) -> None:
        """Change the title."""
        self.toggle.setText(title)
        self.toggle.setAccessibleName(title)

    def open(self, opened: bool) -> None:
        """Unfold or fold."""
        self.toggle.setChecked(opened)

    def _fold(self, opened: bool) -> None:
        self._content.setVisible(opened)
        self.toggle.setIcon(icon("down" if opened else "forward", "muted"))


def narrow(field: ChoiceField) -> ChoiceField:
    """Let a choice be narrower than its longest text."""
    field.combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    field.combo.setMinimumContentsLength(10)
    return field
