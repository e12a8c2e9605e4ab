"""There is one window: nothing else appears on the desktop, not even for a moment, while pages and notices come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication, QDialog, QTabWidget, QWidget

from app.errors import Notice
from app.links import Place
from app.window import PAGES, MainWindow
from engine.core.paths import DataDir


class Watch(QObject):
    """Notes every widget that is shown as a window of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        shown = event.type() == QEvent.Type.Show and isinstance(watched, QWidget) and watched.isWindow()
        if shown and not isinstance(watched, (MainWindow, QDialog)):
            self.seen.append(f"{type(watched).__name__} {watched.objectName()}".strip())
        return False


async def test_no_other_window_flashes(opened: Callable[..., Any], data_dir: DataDir, until: Any) -> None:
    app, watch = QApplication.instance(), Watch()
    assert app is not None
    app.installEventFilter(watch)
    try:
        async with opened(data_dir) as wiring:
            for key, _ in PAGES:
                wiring.navigator.go(Place(key))
                page = wiring.pages[key]
                await until(page.isVisible)
                for tabs in page.findChildren(QTabWidget):
                    for index in range(tabs.count()):
                        tabs.setCurrentIndex(index)
                        await asyncio.sleep(0.01)
            wiring.league.add_samples()
            await until(lambda: len(wiring.roster.state.agents) == 7)
            wiring.notify(Notice("ok", "Saved", "A file.", key="file"))
            wiring.notify(Notice("error", "Failed", "It cannot be.", "Try again.", key="other"))
            await until(lambda: len(wiring.window.notices.texts()) >= 2)
            assert app.activeWindow() is wiring.window
    finally:
        app.removeEventFilter(watch)
    assert watch.seen == []
