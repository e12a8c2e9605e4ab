"""The replay's transport bar: play, step, seek, speed; the slider shows where something happened."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QIntValidator, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QSizePolicy,
    QTextEdit,
    QWidget,
)

from widgets.access import Role
from widgets.basics import column, label, row, tool_button
from widgets.byte_grid import ByteGrid
from widgets.icons import icon
from widgets.theme import current_tokens, follow
from widgets.tokens import Tokens

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


@dataclass(frozen=True)
class Mark:
    """Something worth stopping at: its step, a status kind and a word."""

    step: int
    kind: str = "warn"
    text: str = ""


@dataclass(frozen=True)
class TransportState:
    """Where the replay is: ``step`` in 0..``total`` (positions, so a match of n steps has n + 1)."""

    step: int = 0
    total: int = 0
    playing: bool = False
    speed: float = 1.0
    marks: tuple[Mark, ...] = ()
    enabled: bool = True


class StepSlider(QWidget):
    """A slider over steps, painted, with marks above the groove."""

    SPOKEN_AS = Role.Slider

    seeked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._step, self._total = 0, 0
        self._marks: tuple[Mark, ...] = ()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        follow(self)

    def set_state(self, step: int, total: int, marks: tuple[Mark, ...]) -> None:
        """Show a position."""
        self._step, self._total, self._marks = step, total, marks
        self.setAccessibleName(f"Step {step} of {total}")
        self.update()

    def spoken_value(self) -> str:
        """The step, and what happened there."""
        here = "; ".join(mark.text for mark in self._marks if mark.step == self._step and mark.text)
        return f"{self._step}, {here}" if here else str(self._step)

    def sizeHint(self) -> QSize:
        """Room for the marks above the groove."""
        return QSize(240, 34)

    def on_theme(self, _tokens: Tokens) -> None:
        """Repaint in the new colours."""
        self.update()

    def step_at(self, x: float) -> int:
        """The step under a pixel."""
        share = (x - 10) / max(1, self.width() - 20)
        return round(max(0.0, min(1.0, share)) * self._total)

    def x_of(self, step: int) -> float:
        """The pixel of a step."""
        return 10 + (self.width() - 20) * (step / self._total if self._total else 0)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Seek to where the mouse is."""
        if event.button() == Qt.MouseButton.LeftButton and self.isEnabled():
            self.seeked.emit(self.step_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Seek while dragging; name a mark while hovering."""
        if event.buttons() & Qt.MouseButton.LeftButton and self.isEnabled():
            self.seeked.emit(self.step_at(event.position().x()))
        near = [m for m in self._marks if abs(self.x_of(m.step) - event.position().x()) <= 5]
        self.setToolTip("; ".join(f"step {m.step}: {m.text}" for m in near[:5]))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint groove, marks and handle."""
        t = current_tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        y = self.height() / 2 + 5
        groove = QRectF(10, y - 2, self.width() - 20, 4)
        painter.setBrush(QColor(t.border_strong if self.isEnabled() else t.border))
        painter.drawRoundedRect(groove, 2, 2)
        at = self.x_of(self._step)
        painter.setBrush(QColor(t.accent if self.isEnabled() else t.border_strong))
        painter.drawRoundedRect(QRectF(10, y - 2, at - 10, 4), 2, 2)
        self._paint_marks(painter, y, t)
        painter.setBrush(QColor(t.accent if self.isEnabled() else t.border_strong))
        painter.setPen(QPen(QColor(t.surface), 2))
        painter.drawEllipse(QPointF(at, y), 8, 8)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(t.accent), 1.5))
            painter.drawEllipse(QPointF(at, y), 10.5, 10.5)

    def _paint_marks(self, painter: QPainter, y: float, t: Tokens) -> None:
        drawn: set[tuple[int, str]] = set()
        for mark in self._marks:
            x = self.x_of(mark.step)
            if (place := (round(x), mark.kind)) in drawn:
                continue
            drawn.add(place)
            painter.setBrush(QColor(t.kind(mark.kind)[0]))
            if mark.kind == "error":  # a shape of its own, so that colour is not all there is
                painter.drawPolygon([QPointF(x - 4, y - 17), QPointF(x + 4, y - 17), QPointF(x, y - 10)])
            else:
                painter.drawRoundedRect(QRectF(x - 1, y - 16, 2, 7), 1, 1)


class Transport(QWidget):
    """Buttons, slider, step field and speed; all of them only ask, the state decides."""

    seekRequested = Signal(int)
    playToggled = Signal(bool)
    speedChanged = Signal(float)

    def __init__(self, state: TransportState | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = TransportState()
        self._first = tool_button("first", "First step (Home)", size=18)
        self._back_ten = tool_button("back_ten", "Ten steps back (Shift+Left)", size=18)
        self._back = tool_button("back", "Step back (Left)", size=18)
        self._play = tool_button("play", "Play (Space)", size=20)
        self._forward = tool_button("forward", "Step forward (Right)", size=18)
        self._forward_ten = tool_button("forward_ten", "Ten steps forward (Shift+Right)", size=18)
        self._last = tool_button("last", "Last step (End)", size=18)
        self._previous_mark = tool_button("previous_event", "Previous event (Shift+N)", size=18)
        self._next_mark = tool_button("next_event", "Next event (N)", size=18)
        self._slider = StepSlider()
        self._field = QLineEdit()
        self._validator = QIntValidator(0, 0, self)
        self._total = label("", "muted")
        self._speed = QComboBox()
        self._build()
        self._connect()
        self.set_state(state or TransportState())

    def _build(self) -> None:
        self._field.setValidator(self._validator)
        self._field.setAccessibleName("Step")
        self._field.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._field.setFixedWidth(72)
        self._speed.setAccessibleName("Speed")
        self._speed.addItems([f"{speed:g}\u00d7" for speed in SPEEDS])
        self._speed.setFixedWidth(84)
        body = column(self, spacing=4)
        body.addWidget(self._slider)
        body.addLayout(
            row(self._first, self._back_ten, self._back, self._play, self._forward, self._forward_ten, self._last,
                12, self._previous_mark, self._next_mark, None, label("Step", "muted"), self._field, self._total,
                12, label("Speed", "muted"), self._speed, spacing=4)
        )  # fmt: skip

    def _connect(self) -> None:
        moves = {
            self._back: -1, self._forward: 1, self._back_ten: -10, self._forward_ten: 10,
        }  # fmt: skip
        for made, by in moves.items():
            made.clicked.connect(lambda _=False, by=by: self._move(by))
        self._first.clicked.connect(lambda: self._seek(0))
        self._last.clicked.connect(lambda: self._seek(self._state.total))
        self._previous_mark.clicked.connect(lambda: self._to_mark(-1))
        self._next_mark.clicked.connect(lambda: self._to_mark(1))
        self._play.clicked.connect(self._toggle)
        self._slider.seeked.connect(self._seek)
        self._field.editingFinished.connect(self._on_field)
        self._speed.activated.connect(lambda index: self.speedChanged.emit(SPEEDS[index]))

    def set_state(self, state: TransportState) -> None:
        """Show a position."""
        self._state = state
        self._slider.set_state(state.step, state.total, state.marks)
        if not self._field.hasFocus():
            self._field.setText(str(state.step))
        self._validator.setTop(state.total)
        self._total.setText(f"of {state.total:,}")
        name = "Pause (Space)" if state.playing else "Play (Space)"
        self._play.setIcon(icon("pause" if state.playing else "play", "accent"))
        self._play.setToolTip(name)
        self._play.setAccessibleName(name)
        nearest = min(range(len(SPEEDS)), key=lambda i: abs(SPEEDS[i] - state.speed))
        self._speed.setCurrentIndex(nearest)
        live = state.enabled and state.total > 0
        backward, onward = live and state.step > 0, live and state.step < state.total
        for made in (self._first, self._back_ten, self._back):
            made.setEnabled(backward)
        for made in (self._last, self._forward_ten, self._forward):
            made.setEnabled(onward)
        for part in (self._slider, self._field, self._speed, self._play):
            part.setEnabled(live)
        self._previous_mark.setEnabled(live and any(m.step < state.step for m in state.marks))
        self._next_mark.setEnabled(live and any(m.step > state.step for m in state.marks))

    def install_on(self, page: QWidget) -> None:
        """Take the replay keys anywhere on a page, except while typing in a field."""
        page.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """Keys of the page; children pass up what they do not use."""
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            return self.handle_key(event)
        return False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Keys of the bar itself."""
        if not self.handle_key(event):
            super().keyPressEvent(event)

    def handle_key(self, event: QKeyEvent) -> bool:
        """Do what a replay key asks; False when it is none, or while typing in a field."""
        if typing() or not self._state.enabled or not self._state.total:
            return False
        key, modifiers = event.key(), event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        shift, control = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
        sign = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(key))
        if sign is not None and modifiers == control:
            self._to_mark(sign)
        elif key == Qt.Key.Key_N and modifiers in (shift, Qt.KeyboardModifier.NoModifier):
            self._to_mark(-1 if modifiers == shift else 1)
        elif key in (Qt.Key.Key_BracketLeft, Qt.Key.Key_BracketRight) and modifiers == Qt.KeyboardModifier.NoModifier:
            self._to_mark(-1 if key == Qt.Key.Key_BracketLeft else 1)
        elif sign is not None and modifiers in (shift, Qt.KeyboardModifier.NoModifier):
            self._move(sign * (10 if modifiers == shift else 1))
        elif key == Qt.Key.Key_Space and not modifiers:
            self._toggle()
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End) and not modifiers:
            self._seek(0 if key == Qt.Key.Key_Home else self._state.total)
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus) and modifiers in (
            shift, Qt.KeyboardModifier.NoModifier,
        ):  # fmt: skip
            self._change_speed(-1 if key == Qt.Key.Key_Minus else 1)
        else:
            return False
        event.accept()
        return True

    def _move(self, by: int) -> None:
        self._seek(self._state.step + by)

    def _seek(self, step: int) -> None:
        step = max(0, min(self._state.total, step))
        if step != self._state.step:
            self.seekRequested.emit(step)

    def _to_mark(self, sign: int) -> None:
        steps = sorted({m.step for m in self._state.marks if (m.step - self._state.step) * sign > 0})
        if steps:
            self._seek(steps[0] if sign > 0 else steps[-1])

    def _toggle(self) -> None:
        self.playToggled.emit(not self._state.playing)

    def _change_speed(self, by: int) -> None:
        at = self._speed.currentIndex()
        wanted = max(0, min(len(SPEEDS) - 1, at + by))
        if wanted != at:
            self.speedChanged.emit(SPEEDS[wanted])

    def _on_field(self) -> None:
        if self._field.text():
            self._seek(int(self._field.text()))
        self._field.setText(str(self._state.step))


def typing() -> bool:
    """Whether the keyboard goes into a text field at this moment."""
    focus = QApplication.focusWidget()
    if isinstance(focus, (QLineEdit, QPlainTextEdit, QTextEdit)):
        return not focus.isReadOnly()
    if isinstance(focus, ByteGrid):
        return True
    return isinstance(focus, (QAbstractSpinBox, QComboBox))
