"""The task tab: a form that suits the task's kind, and its JSON beside it; both change the same document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.pages.base import side_by_side
from app.pages.league_fields import narrow
from app.viewmodels.agreement import AgreementViewModel
from app.viewmodels.agreement_draft import AgreementState
from app.viewmodels.agreement_task import Problem, TaskField, form_of, value_at
from widgets.area_field import AreaField, JsonEdit, numbers_of, words_of
from widgets.basics import column, label
from widgets.forms import ChoiceField, Field, TextField
from widgets.labels import SectionHeader
from widgets.real_field import RealField, plain


class TaskTab(QWidget):
    """Form and JSON."""

    def __init__(self, model: AgreementViewModel) -> None:
        super().__init__()
        self._model = model
        self._shape: tuple[Any, ...] = ()
        self._filling = False
        self._revision = -1
        self._typed = ""
        self.fields: dict[str, Field] = {}
        self._specs: dict[str, TaskField] = {}
        self._form = QWidget()
        self._box: QVBoxLayout = column(self._form, spacing=8)
        self._empty = label("The JSON cannot be read, so there is no form.", "muted", wrap=True)
        self.json = JsonEdit("Task as JSON")
        self.json.setMinimumHeight(280)
        self.problem = label("", "error", wrap=True, selectable=True)
        self.problem.setAccessibleName("What is wrong with the task")
        left, right = QWidget(), QWidget()
        first = column(left, spacing=8)
        first.addWidget(SectionHeader("Form", "What agents read"))
        first.addWidget(self._form)
        first.addWidget(self._empty)
        first.addStretch(1)
        second = column(right, spacing=8)
        second.addWidget(SectionHeader("JSON", "The same task as it is hashed: with its keys sorted, without spaces"))
        second.addWidget(self.json, 1)
        second.addWidget(self.problem)
        left.setMinimumWidth(220)
        right.setMinimumWidth(220)
        body = column(self, spacing=12)
        body.addWidget(side_by_side(left, right, stretches=(2, 3), narrow=480), 1)
        self.json.edited.connect(self._on_json)

    def show_state(self, state: AgreementState) -> None:
        """Show the task; what is typed stays as it is typed."""
        if state.revision != self._revision:
            self._revision = state.revision
            if state.text != self._typed:
                self._typed = ""
                self.json.set_text(state.text)
            self._empty.setVisible(state.document is None)
            self._form.setVisible(state.document is not None)
            if state.document is not None:
                self._show_form(form_of(state.document), state.document)
            self._show_problem(state.problem)

    def _show_problem(self, problem: Problem) -> None:
        """Say what is wrong beneath the JSON and, where it names a field, beneath that."""
        text = problem.text if problem.what else ""
        self.problem.setText(text)
        self.json.set_problem(problem.line, text)
        for name, field in self.fields.items():
            named = bool(text) and self._specs[name].path[-1] in problem.what.split()
            field.set_error(text if named else "")

    def _on_json(self, text: str) -> None:
        self._typed = text
        self._model.use_text(text)

    def _show_form(self, specs: tuple[TaskField, ...], document: Mapping[str, Any]) -> None:
        self._filling = True
        try:
            shape = tuple((spec.name, spec.kind) for spec in specs)
            if shape != self._shape:
                self._shape = shape
                self._build(specs)
            for spec in specs:
                field = self.fields[spec.name]
                if not _editor(field).hasFocus():
                    field.set_value(_shown(spec, value_at(document, spec.path), field))
        finally:
            self._filling = False

    def _build(self, specs: tuple[TaskField, ...]) -> None:
        for field in self.fields.values():
            self._box.removeWidget(field)
            field.hide()
            field.deleteLater()
        self._specs = {spec.name: spec for spec in specs}
        self.fields = {spec.name: _field(spec) for spec in specs}
        for name, field in self.fields.items():
            field.valueChanged.connect(self._changed(self._specs[name], field))
            self._box.addWidget(field)

    def _changed(self, spec: TaskField, field: Field) -> Callable[[Any], None]:
        def take(value: Any) -> None:
            if self._filling:
                return
            whole = isinstance(value, float) and value == int(value) and abs(value) < 2**53
            self._model.set_value(spec.path, int(value) if whole and spec.kind == "number" else value)

        return take


def _editor(field: Field) -> QWidget:
    found = field.focusProxy()
    return found if isinstance(found, QWidget) else field


def _field(spec: TaskField) -> Field:
    if spec.kind == "number":
        return RealField(spec.title, None, help=spec.help)
    if spec.kind == "choice":
        return narrow(ChoiceField(spec.title, spec.choices, help=spec.help))
    if spec.kind == "words":
        return AreaField(spec.title, parse=words_of, lines=3, help=spec.help)
    if spec.kind == "series":
        return AreaField(spec.title, parse=numbers_of, lines=5, help=spec.help)
    if spec.kind == "area":
        return AreaField(spec.title, lines=6, help=spec.help)
    return TextField(spec.title, required=spec.path != ("title",), help=spec.help)


def _shown(spec: TaskField, value: Any, field: Field) -> Any:
    """Return a value as its field shows it; one that the form does not know is offered as it is."""
    if spec.kind == "number":
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    if spec.kind == "choice" and isinstance(field, ChoiceField):
        known = {key for key, _ in spec.choices}
        more = ((value, str(value).replace("_", " ")),) if isinstance(value, str) and value not in known else ()
        field.set_choices((*spec.choices, *more))
        return value
    if spec.kind == "words":
        same = isinstance(field, AreaField) and field.value() == value
        return field.text() if same else ", ".join(map(str, value)) if isinstance(value, list) else ""
    if spec.kind == "series":
        same = isinstance(field, AreaField) and field.value() == value
        return field.text() if same else _series(value)
    return "" if value is None else str(value)


def _series(value: Any) -> str:
    if not isinstance(value, list):
        return ""
    numbers = (plain(float(v)) if isinstance(v, int | float) else str(v) for v in value)
    return ", ".join(numbers)
