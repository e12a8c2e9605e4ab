"""Qt's own dialog for files, in the console's look: what a desktop without one of its own shows."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QDialogButtonBox, QFileDialog, QToolButton, QTreeView, QWidget

from widgets.icons import icon

# Its buttons by their names in Qt; its own pictures are black, on dark too.
BUTTONS = {
    "backButton": "left",
    "forwardButton": "right",
    "toParentButton": "parent",
    "newFolderButton": "new_folder",
    "listModeButton": "grid",
    "detailModeButton": "menu",
}
NAMES = 340  # pixels for names; what is left is for dates, which Qt cuts


class FileDialog(QFileDialog):
    """Asks for files or a folder; the platform's own dialog where there is one."""

    def __init__(self, parent: QWidget, title: str) -> None:
        super().__init__(parent, title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(880, 540)
        for name, meaning in BUTTONS.items():
            button = self.findChild(QToolButton, name)
            if button is not None:
                button.setIcon(icon(meaning, "text"))
        box, files = self.findChild(QDialogButtonBox), self.findChild(QTreeView, "treeView")
        for button in box.buttons() if box is not None else ():
            button.setIcon(QIcon())
        if files is not None:
            files.header().resizeSection(0, NAMES)
            files.header().setStretchLastSection(True)
