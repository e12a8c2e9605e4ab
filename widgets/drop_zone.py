"""Dropping files: a zone with a button that does the same, and the same drops for any other widget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, QObject, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QProgressBar, QWidget

from widgets.access import Role
from widgets.basics import IconLabel, button, column, label, row, set_property
from widgets.theme import current_tokens, follow
from widgets.tokens import Tokens


@dataclass(frozen=True)
class DropZoneState:
    """What the zone says, which files it takes, and whether it is busy with the last ones."""

    title: str = "Drop files here"
    hint: str = ""
    suffixes: tuple[str, ...] = (".wasm", ".nets")
    button: str = "Choose files…"
    busy: bool = False
    message: str = ""
    message_kind: str = "error"


FOLDER = "/"  # among the suffixes: folders are taken too


def sort_files(mime: QMimeData, suffixes: tuple[str, ...]) -> tuple[list[str], str]:
    """The paths of a drop that are taken, and why the others are not ("" when all are)."""
    taken: list[str] = []
    refused: list[str] = []
    for url in mime.urls():
        path = url.toLocalFile()
        if not path:
            refused.append(f"{url.toDisplayString()} is not a file on this machine")
        elif Path(path).is_dir() and FOLDER not in suffixes:
            refused.append(f"{Path(path).name} is a folder")
        elif not Path(path).is_dir() and Path(path).suffix.lower() not in suffixes:
            kinds = " or ".join(suffix for suffix in suffixes if suffix != FOLDER)
            refused.append(f"{Path(path).name} is not a {kinds} file")
        elif Path(path).exists() and not (Path(path).is_dir() or Path(path).is_file()):
            refused.append(f"{Path(path).name} is a pipe or a device")  # which may never end
        elif path not in taken:
            taken.append(path)
        else:
            refused.append(f"{Path(path).name} was in the drop twice")
    return taken, "; ".join(refused)


class _DropFilter(QObject):
    """Gives a widget drops; it is the widget's child."""

    def __init__(self, target: QWidget, suffixes: tuple[str, ...]) -> None:
        super().__init__(target)
        self.suffixes = suffixes
        self.on_files: Callable[[list[str]], None] = lambda _files: None
        self.on_rejected: Callable[[str], None] = lambda _why: None
        self.on_hover: Callable[[str], None] = lambda _state: None
        target.setAcceptDrops(True)
        target.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """Take enter, move, leave and drop."""
        if isinstance(event, QDropEvent) and event.type() == QEvent.Type.Drop:
            self._drop(event)
            return True
        if isinstance(event, (QDragEnterEvent, QDragMoveEvent)):
            self._over(event)
            return True
        if isinstance(event, QDragLeaveEvent):
            self.on_hover("")
            return True
        return False

    def _over(self, event: QDragMoveEvent) -> None:
        taken, _ = sort_files(event.mimeData(), self.suffixes)
        if not event.mimeData().hasUrls():
            event.ignore()
            return
        # A wrong file is accepted as a drag so that the drop can say why it is refused.
        self.on_hover("accept" if taken else "reject")
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()

    def _drop(self, event: QDropEvent) -> None:
        self.on_hover("")
        taken, why = sort_files(event.mimeData(), self.suffixes)
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        if why:
            self.on_rejected(why)
        if taken:
            self.on_files(taken)


def accept_drops(
    widget: QWidget,
    suffixes: tuple[str, ...],
    on_files: Callable[[list[str]], None],
    on_rejected: Callable[[str], None],
) -> QObject:
    """Let any widget take file drops; the returned filter lives with the widget."""
    made = _DropFilter(widget, suffixes)
    made.on_files, made.on_rejected = on_files, on_rejected
    return made


class DropZone(QWidget):
    """A dashed frame that takes files, with a button that does the same."""

    SPOKEN_AS = Role.Grouping

    filesDropped = Signal(list)
    rejected = Signal(str)
    browseRequested = Signal()

    def __init__(self, state: DropZoneState | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = DropZoneState()
        self._hover = ""
        self._icon = IconLabel("import", "accent", 28)
        self._title = label("", "heading")
        self._hint = label("", "muted", wrap=True)
        self._message = label("", "error", wrap=True)
        self._busy = QProgressBar()
        self._busy.setRange(0, 0)
        self._busy.setMaximumWidth(240)
        self._busy.setAccessibleName("Checking the files")
        self._button = button("Choose files…", "open")
        self._button.clicked.connect(self.browseRequested)
        for text in (self._hint, self._message):
            text.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        body = column(self, margins=20, spacing=8)
        body.addStretch(1)
        body.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignHCenter)
        body.addWidget(self._title, 0, Qt.AlignmentFlag.AlignHCenter)
        body.addWidget(self._hint)
        body.addSpacing(4)
        body.addLayout(row(None, self._button, None))
        body.addWidget(self._busy, 0, Qt.AlignmentFlag.AlignHCenter)
        body.addWidget(self._message)
        body.addStretch(1)
        self._filter = _DropFilter(self, self._state.suffixes)
        self._filter.on_files = self._take
        self._filter.on_rejected = self._refuse
        self._filter.on_hover = self._set_hover
        follow(self)
        self.set_state(state or DropZoneState())

    def set_state(self, state: DropZoneState) -> None:
        """Show a state."""
        self._state = state
        self._filter.suffixes = state.suffixes
        self._title.setText(state.title)
        self._hint.setText(state.hint)
        self._hint.setVisible(bool(state.hint))
        self._button.setText(state.button)
        self._button.setAccessibleName(state.button)
        self._busy.setVisible(state.busy)
        self._say(state.message, state.message_kind)
        self.setAccessibleName(state.title)
        self.setAccessibleDescription(state.hint)

    def on_theme(self, _tokens: Tokens) -> None:
        """Repaint in the new colours."""
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the dashed frame; it fills while files hover over it."""
        t = current_tokens()
        edge = {"accept": t.accent, "reject": t.error}.get(self._hover, t.border_strong)
        fill = {"accept": t.accent_soft, "reject": t.error_soft}.get(self._hover, t.surface)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(QColor(edge), 2 if self._hover else 1.25)
        pen.setDashPattern([4, 4])
        painter.setPen(pen)
        painter.setBrush(QColor(fill))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), t.radius, t.radius)

    def _set_hover(self, hover: str) -> None:
        self._hover = hover
        self._icon.set_icon("error" if hover == "reject" else "import", "error" if hover == "reject" else "accent")
        self.update()

    def _take(self, files: list[str]) -> None:
        self.filesDropped.emit(files)

    def _refuse(self, why: str) -> None:
        self._say(f"Not taken: {why}.", "error")
        self.rejected.emit(why)

    def _say(self, text: str, kind: str) -> None:
        set_property(self._message, "role", "error" if kind == "error" else "small")
        self._message.setText(text)
        self._message.setVisible(bool(text))
