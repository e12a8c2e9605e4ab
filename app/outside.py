"""Showing a file or folder in the operator's own programs."""

from __future__ import annotations

import sys
from pathlib import Path

from PySide6.QtCore import QProcess, QProcessEnvironment, QUrl
from PySide6.QtGui import QDesktopServices

from engine.core.paths import is_frozen


def open_outside(path: Path) -> None:
    """Show it as a double click on the desktop would.

    An installed build on Linux starts the desktop's opener itself: Qt would hand our libraries down to programs that
    need the system's.
    """
    if not (is_frozen() and sys.platform == "linux"):
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))
        return
    from engine.core.process import child_environment  # multiprocessing comes with it: not before the first paint

    opener = QProcess()
    opener.setProgram("xdg-open")
    opener.setArguments([str(path)])
    environment = QProcessEnvironment()
    for name, value in child_environment().items():
        environment.insert(name, value)
    opener.setProcessEnvironment(environment)
    opener.startDetached()
