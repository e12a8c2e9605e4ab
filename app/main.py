"""The composition root: constructs and wires; nothing else does. Qt is imported only once a window is asked for."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.core.paths import DataDir


def display_problem() -> str | None:
    """Return why no window can be opened here, None when one can. Needs no Qt."""
    if sys.platform != "linux" or os.environ.get("QT_QPA_PLATFORM"):
        return None
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return None
    return "neither DISPLAY nor WAYLAND_DISPLAY is set"


def run_console(data: DataDir, files: list[Path]) -> int:
    """Open the console on a data directory and return its exit status when it is closed.

    A second console of the same directory passes its files to the first and ends.
    """
    os.environ.setdefault("QT_API", "pyside6")  # qasync would try PyQt5 first
    os.environ.setdefault("QT_LOGGING_RULES", "qt.qpa.services=false")
    from PySide6.QtWidgets import QApplication

    from app.console import Console
    from app.instance import SingleInstance
    from app.loop import new_loop

    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    app.setApplicationName("Nashboard")
    app.setDesktopFileName("nashboard")
    app.setQuitOnLastWindowClosed(False)  # the loop must outlive the window until everything is stopped
    instance = SingleInstance(data.root)
    if not instance.acquire():
        return 0 if instance.hand_over(files) else _no_answer(data)
    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(Console(app, data, instance).run(files))
    finally:
        instance.release()


def _no_answer(data: DataDir) -> int:
    print(  # noqa: T201
        f"Another Nashboard uses {data.root} and does not answer. Close it, or choose another --data-dir.",
        file=sys.stderr,
    )
    return 1
