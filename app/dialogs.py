"""Dialogs that never block the loop: they are opened, and call back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QGuiApplication, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QLayout,
    QPlainTextEdit,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from widgets.access import Role
from widgets.basics import IconLabel, button, column, label, row
from widgets.file_dialog import FileDialog
from widgets.fonts import mono_font

SUMMARY = 240
WIDE, LOW = 520, 200
FRAME = 40
AROUND = 150  # what the frame, the buttons and a panel of the desktop take of the screen's height


class _Inner(QWidget):
    """Asks for the height that its texts need at their width, not for what they would need where it is narrow."""

    def minimumSizeHint(self) -> QSize:
        """The least width, and the least height at this width."""
        inner, least = self.layout(), self.layout().minimumSize()
        high = inner.minimumHeightForWidth(self.width()) if inner.hasHeightForWidth() else least.height()
        return QSize(least.width(), high)


class _Fitting(QScrollArea):
    """As high as what is in it, unless the screen is lower: then it scrolls, and takes the keyboard for that."""

    SPOKEN_AS = Role.Document

    def __init__(self, inner: QLayout, name: str) -> None:
        super().__init__()
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        holder = _Inner()
        holder.setProperty("page", True)
        holder.setLayout(inner)
        self.setWidgetResizable(True)
        self.setWidget(holder)

    def sizeHint(self) -> QSize:
        """All of it, within the screen."""
        inner, area = self.widget().layout(), self.screen().availableGeometry()
        width = self.viewport().width() if self.isVisible() else min(inner.sizeHint().width(), WIDE)
        width = max(inner.minimumSize().width(), width)
        height = inner.heightForWidth(width) if inner.hasHeightForWidth() else inner.sizeHint().height()
        return QSize(width, min(height, area.height() - AROUND))

    def minimumSizeHint(self) -> QSize:
        """As wide as its widest part; as high as there is room, where that is less than all of it."""
        return QSize(self.widget().layout().minimumSize().width(), min(self.sizeHint().height(), LOW))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Take the keyboard where there is something to scroll and nothing inside leads there."""
        super().resizeEvent(event)
        inside = any(w.focusPolicy() & Qt.FocusPolicy.TabFocus for w in self.widget().findChildren(QWidget))
        alone = self.widget().height() > self.viewport().height() and not inside
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if alone else Qt.FocusPolicy.NoFocus)


class Dialog(QDialog):
    """A dialog with an icon, a title, a text and buttons; it deletes itself when closed."""

    def __init__(self, parent: QWidget | None, title: str, icon: str = "info", kind: str = "info") -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setModal(True)
        self.setMinimumWidth(440)
        self.body = column(spacing=8)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(24, 20, 20, 16)
        outer.setSpacing(16)
        words = column(spacing=8)
        words.addWidget(label(title, "title", wrap=True))
        words.addLayout(self.body)
        words.addStretch(1)
        top = row(spacing=16)
        top.addWidget(IconLabel(icon, kind, 28), 0, Qt.AlignmentFlag.AlignTop)
        self._words = _Fitting(words, title)
        top.addWidget(self._words, 1)
        outer.addLayout(top, 1)
        self.buttons = row(None, spacing=8)
        outer.addLayout(self.buttons)

    def showEvent(self, event: QShowEvent) -> None:
        """Be as high as all of it, where the screen is: Qt stops at two thirds."""
        super().showEvent(event)
        self._words.updateGeometry()  # its width is known now, and with it how its texts wrap
        self.layout().activate()
        self.resize(self.width(), min(self.sizeHint().height(), self.screen().availableGeometry().height() - FRAME))

    def text(self, text: str, role: str = "") -> None:
        """Append a paragraph."""
        if text:
            self.body.addWidget(label(text, role, wrap=True, selectable=True))

    def offer(
        self, text: str, run: Callable[[], None] | None, variant: str = "secondary", *, closes: bool = True
    ) -> None:
        """Append a button; the first primary one is the default."""
        made = button(text, variant=variant)
        made.setAutoDefault(variant in ("primary", "danger"))
        made.setDefault(variant == "primary")
        if run is not None:
            made.clicked.connect(lambda: run())
        if closes:
            made.clicked.connect(self.accept)
        self.buttons.addWidget(made)


def confirm(
    parent: QWidget | None, title: str, consequence: str, yes: str, run: Callable[[], None], *, danger: bool = False
) -> Dialog:
    """Ask before something that cannot be undone, naming its consequence."""
    dialog = Dialog(parent, title, "warn" if danger else "help", "warn" if danger else "accent")
    dialog.text(consequence)
    dialog.offer("Cancel", None)
    dialog.offer(yes, run, "danger" if danger else "primary")
    dialog.open()
    return dialog


def tell(parent: QWidget | None, title: str, text: str, *, kind: str = "error") -> Dialog:
    """Say something that the operator must read."""
    dialog = Dialog(parent, title, kind, kind)
    dialog.text(text)
    dialog.offer("Close", None, "primary")
    dialog.open()
    return dialog


def store_dialog(
    parent: QWidget | None, title: str, text: str, offers: Sequence[tuple[str, Callable[[], None]]]
) -> Dialog:
    """Say that the store is damaged, with the ways to go on; the first of them is the default."""
    dialog = Dialog(parent, title, "error", "error")
    dialog.text(text)
    dialog.text("What was stored after a backup was made is only in the damaged file, which is kept.", "muted")
    dialog.offer("Quit", None)
    for number, (words, run) in enumerate(reversed(offers), 1):
        dialog.offer(words, run, "primary" if number == len(offers) else "secondary")
    dialog.open()
    return dialog


def crash_dialog(parent: QWidget | None, summary: str, report: str, log: Path, open_log: Callable[[], None]) -> Dialog:
    """Say that the program has a fault, with the report to copy; the program goes on."""
    dialog = Dialog(parent, "Nashboard hit a fault of its own", "bug", "error")
    # The first sentence is enough here: all of it is in the report.
    dialog.text(summary if len(summary) <= SUMMARY else summary[:SUMMARY] + "…")
    dialog.text(
        "What you were doing was stopped; stored rounds and balances are not affected. The report is in "
        f"{log.name}, and Copy takes it along for a bug report.",
        "muted",
    )
    details = QPlainTextEdit(report)
    details.setReadOnly(True)
    details.setFont(mono_font())
    details.setAccessibleName("Report")
    details.setMinimumSize(560, 180)
    details.hide()
    dialog.body.addWidget(details)
    dialog.offer("Details", lambda: details.setVisible(not details.isVisible()), "ghost", closes=False)
    dialog.offer("Copy", lambda: QGuiApplication.clipboard().setText(report), closes=False)
    dialog.offer("Open log", open_log, closes=False)
    dialog.offer("Continue", None, "primary")
    dialog.open()
    return dialog


def choose_files(
    parent: QWidget, title: str, filters: str, on_files: Callable[[list[Path]], None], *, several: bool = True
) -> QFileDialog:
    """Ask for files to open."""
    dialog = _file_dialog(parent, title, on_files)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFiles if several else QFileDialog.FileMode.ExistingFile)
    dialog.setNameFilters(filters.split(";;"))
    dialog.open()
    return dialog


def choose_folder(parent: QWidget, title: str, on_path: Callable[[Path], None]) -> QFileDialog:
    """Ask for a folder; one that is not there yet may be made in the dialog."""
    dialog = _file_dialog(parent, title, lambda paths: on_path(paths[0]))
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.setOption(QFileDialog.Option.ShowDirsOnly)
    dialog.open()
    return dialog


def choose_target(parent: QWidget, title: str, name: str, filters: str, on_path: Callable[[Path], None]) -> QFileDialog:
    """Ask where to save."""
    dialog = _file_dialog(parent, title, lambda paths: on_path(paths[0]))
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setNameFilters(filters.split(";;"))
    dialog.selectFile(name)
    dialog.setDefaultSuffix(Path(name).suffix.lstrip("."))
    dialog.open()
    return dialog


def _file_dialog(parent: QWidget, title: str, on_paths: Callable[[list[Path]], None]) -> FileDialog:
    dialog = FileDialog(parent, title)
    dialog.filesSelected.connect(lambda names: on_paths([Path(name) for name in names]))
    return dialog


def shortcut_list(parent: QWidget, rows: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> Dialog:
    """Show the keys, by section."""
    dialog = Dialog(parent, "Keyboard", "command", "accent")
    dialog.setMinimumWidth(680)
    columns = [column(spacing=4), column(spacing=4)]
    half = sum(len(keys) + 1 for _, keys in rows) / 2
    placed = 0
    for title, keys in rows:
        target = columns[0 if placed < half else 1]
        placed += len(keys) + 1
        target.addWidget(label(title, "heading"))
        for text, key in keys:
            target.addLayout(row(label(text), 24, None, label(key, "mono-muted")))
        target.addSpacing(8)
    for made in columns:
        made.addStretch(1)
    dialog.body.addLayout(row(*columns, spacing=40))
    dialog.offer("Close", None, "primary")
    dialog.open()
    return dialog
