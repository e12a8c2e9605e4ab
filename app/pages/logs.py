"""The Logs page."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit

from app.pages.base import ConsolePage
from app.viewmodels.logs import LogState, LogViewModel
from widgets.basics import button
from widgets.log_view import LogView, line_of


class LogsPage(ConsolePage):
    """The program's and the node's lines, with search."""

    folderRequested = Signal()
    exportRequested = Signal()
    bundleRequested = Signal()

    def __init__(self, model: LogViewModel) -> None:
        super().__init__("Logs", "What the console, its workers and the devnet said")
        self._model = model
        self._view = LogView()
        self._view.set_level("INFO")
        folder = button("Open folder", "open", tooltip="The rotating log files of this data directory")
        folder.clicked.connect(self.folderRequested)
        self.header.add_action(folder)
        bundle = button(
            "Support bundle", "bundle", tooltip="Logs, reports and settings in one file, without keys or tokens"
        )
        bundle.clicked.connect(self.bundleRequested)
        self.header.add_action(bundle)
        self._view.exportRequested.connect(self.exportRequested)
        self._view.setMinimumHeight(300)
        self.add(self._view, 1)
        self.keep(model.observe(self._show))

    def _show(self, state: LogState) -> None:
        taken = self._model.take()
        if taken:
            self._view.append([line_of(line.time, line.level, line.source, line.text) for line in taken])

    def find(self) -> None:
        """Search the log."""
        field = self._view.findChild(QLineEdit)
        if field is not None:
            field.setFocus()
            field.selectAll()

    def save(self) -> None:
        """Save what is shown."""
        self.exportRequested.emit()

    def text(self) -> str:
        """The lines shown."""
        return self._view.text()
