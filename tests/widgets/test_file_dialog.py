"""Qt's dialog for files: nothing cut, nothing black on dark."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication, QDialogButtonBox, QToolButton, QTreeView, QWidget

from widgets.file_dialog import BUTTONS, FileDialog
from widgets.theme import apply_theme, current_tokens


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_dates_are_whole_and_pictures_in_the_themes_colours(qtbot, tmp_path: Path, theme: str) -> None:
    (tmp_path / "rounds").mkdir()
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    apply_theme(app, theme)
    parent = QWidget()
    qtbot.addWidget(parent)
    dialog = FileDialog(parent, "Choose a folder")
    dialog.setFileMode(FileDialog.FileMode.Directory)
    dialog.setDirectory(str(tmp_path))
    dialog.open()
    files = dialog.findChild(QTreeView, "treeView")
    qtbot.waitUntil(lambda: files.model().rowCount(files.rootIndex()) == 1, timeout=60_000)
    header = files.header()
    last = header.count() - 1
    date = files.model().index(0, last, files.rootIndex()).data()
    assert date
    assert files.fontMetrics().horizontalAdvance(date) < header.sectionSize(last)
    assert header.length() <= files.viewport().width()
    text = QColor(current_tokens().text)
    for name in BUTTONS:
        picture = dialog.findChild(QToolButton, name).icon().pixmap(QSize(32, 32)).toImage()
        drawn = [picture.pixelColor(x, y) for x in range(32) for y in range(32)]
        assert any(colour.rgb() == text.rgb() for colour in drawn), name
    assert all(button.icon().isNull() for button in dialog.findChild(QDialogButtonBox).buttons())
    dialog.close()
