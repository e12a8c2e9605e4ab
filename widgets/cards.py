"""Cards with one number, and key/value panels."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFont, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from widgets.access import Role
from widgets.basics import Card, ElidedLabel, IconLabel, button, label, row, set_property, text_width
from widgets.fonts import scaled
from widgets.labels import HashLabel, HashState, PillHolder, PillState
from widgets.theme import current_tokens


@dataclass(frozen=True)
class StatCardState:
    """One number that matters: title, value with unit, a note beneath, and perhaps a status."""

    title: str
    value: str
    unit: str = ""
    note: str = ""
    icon: str = ""
    kind: str = "neutral"
    link: str = ""


# How a value is written, and by how many points it is larger than plain text, as the style sheet has it.
VALUES = (("display", 8.0, QFont.Weight.DemiBold), ("heading", 1.5, QFont.Weight.DemiBold),
          ("strong", 0.0, QFont.Weight.DemiBold))  # fmt: skip


class StatCard(Card):
    """A card with a caption, a large value and a note; it can be a link."""

    SPOKEN_AS = Role.Button

    linkActivated = Signal(str)

    def __init__(self, state: StatCardState | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent, spacing=4)
        self._link = ""
        self._state: StatCardState | None = None
        self._icon = IconLabel("", "muted", 16)
        self._title = label("", "small")
        self._value = label("", "display")
        self._unit = label("", "muted")
        self._note = ElidedLabel("small")
        self._unit.setContentsMargins(0, 0, 0, 3)
        self.add(row(self._icon, self._title, None))
        self.add(row(self._value, self._unit, None, spacing=6))
        self.body.setAlignment(self._unit, Qt.AlignmentFlag.AlignBottom)
        self.add(self._note)
        self.setMinimumWidth(148)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        if state is not None:
            self.set_state(state)

    def set_state(self, state: StatCardState) -> None:
        """Show a state; the same again costs nothing."""
        if state == self._state:
            return
        self._state = state
        colour = "muted" if state.kind == "neutral" else state.kind
        self._icon.setVisible(bool(state.icon))
        self._icon.set_icon(state.icon, colour)
        self._title.setText(state.title)
        self._value.setText(state.value)
        self._unit.setText(state.unit)
        self._unit.setVisible(bool(state.unit))
        self._note.setText(state.note or " ")
        self._fit()
        self._link = state.link
        self.setAccessibleName(f"{state.title}: {state.value} {state.unit} {state.note}".strip())
        set_property(self, "linked", bool(state.link))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if state.link else Qt.FocusPolicy.NoFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor if state.link else Qt.CursorShape.ArrowCursor)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Write the value as large as it fits."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        room = self.contentsRect().width() - 32
        for role, points, weight in VALUES:
            font = scaled(self.font(), points, weight)
            if text_width(font, self._value.text()) <= room or role == VALUES[-1][0]:
                set_property(self._value, "role", role)
                return

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the focus ring inside the edge: a thicker border would move the content."""
        super().paintEvent(event)
        if self.hasFocus():
            tokens, painter = current_tokens(), QPainter(self)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(QColor(tokens.accent), 2))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), tokens.radius, tokens.radius)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Follow the link."""
        if self._link and event.button() == Qt.MouseButton.LeftButton:
            self.linkActivated.emit(self._link)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Follow the link on Enter or Space."""
        if self._link and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.linkActivated.emit(self._link)
        else:
            super().keyPressEvent(event)


@dataclass(frozen=True)
class KeyValueRow:
    """One fact: kind is text, mono, hash, pill (status is its kind) or link (``link`` is the target)."""

    label: str
    value: str
    kind: str = "text"
    status: str = "neutral"
    link: str = ""
    tooltip: str = ""


@dataclass(frozen=True)
class KeyValueState:
    """Facts in the order shown."""

    rows: tuple[KeyValueRow, ...] = ()


class KeyValuePanel(QWidget):
    """Two aligned columns of facts; hashes are copyable, links are links."""

    linkActivated = Signal(str)

    def __init__(self, state: KeyValueState | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(16)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(1, 1)
        self._shape: tuple[tuple[str, str], ...] = ()
        self._values: list[QWidget] = []
        self._lines: list[tuple[QLabel, dict[str, QWidget]]] = []  # of each line: its name, and a widget of each kind
        self.set_state(state or KeyValueState())

    def set_state(self, state: KeyValueState) -> None:
        """Show facts. Facts of another shape find the widgets that stood there before: new ones take ten times as long,
        and a chain's newest slot, missed or not, is another shape twice a second."""
        shape = tuple((item.label, item.kind) for item in state.rows)
        if shape != self._shape:
            self._reshape(state.rows)
            self._shape = shape
        for widget, item in zip(self._values, state.rows, strict=True):
            _fill_value(widget, item)

    def _reshape(self, rows: tuple[KeyValueRow, ...]) -> None:
        self._values = [self._line(at, item) for at, item in enumerate(rows)]
        for name, values in self._lines[len(rows) :]:
            for widget in (name, *values.values()):
                widget.hide()

    def _line(self, at: int, item: KeyValueRow) -> QWidget:
        """Let a line stand for a fact; returns the widget of its value."""
        if at == len(self._lines):
            made = label("", "muted")
            made.setMinimumHeight(26)
            self._grid.addWidget(made, at, 0, Qt.AlignmentFlag.AlignTop)
            self._lines.append((made, {}))
            self._grid.setRowStretch(at, 0)
            self._grid.setRowStretch(at + 1, 1)  # lines keep their pace when the panel is given more height
        name, values = self._lines[at]
        name.setText(item.label)
        if item.kind not in values:
            values[item.kind] = self._make_value(item)
            # A button's fixed width would bound the whole column, unless it is aligned.
            side = Qt.AlignmentFlag.AlignLeft if item.kind == "link" else Qt.AlignmentFlag(0)
            self._grid.addWidget(values[item.kind], at, 1, side)
        for kind, widget in values.items():
            widget.setVisible(kind == item.kind)
        name.show()
        return values[item.kind]

    def _make_value(self, item: KeyValueRow) -> QWidget:
        if item.kind == "hash":
            made = HashLabel()
            made.linkActivated.connect(self.linkActivated)
            return made
        if item.kind == "pill":
            return PillHolder()
        if item.kind == "link":
            link = button(item.value, variant="link")
            link.clicked.connect(lambda _=False, w=link: self.linkActivated.emit(w.property("target")))
            return link
        text = label(item.value, "mono" if item.kind == "mono" else "", wrap=True, selectable=True)
        text.setMinimumHeight(26)
        return text


def _fill_value(widget: QWidget, item: KeyValueRow) -> None:
    if isinstance(widget, HashLabel):
        widget.set_state(HashState(item.value, item.link))
    elif isinstance(widget, PillHolder):
        widget.pill.set_state(PillState(item.value, item.status, item.tooltip))
    elif item.kind == "link":
        widget.setText(item.value)  # type: ignore[attr-defined]
        widget.setProperty("target", item.link)
        widget.setAccessibleName(item.value)
    elif isinstance(widget, QLabel):
        widget.setText(item.value or "—")
        widget.setToolTip(item.tooltip)
