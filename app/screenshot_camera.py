"""Takes the pictures: one scene in both themes and all sizes, while it stands as it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtGui import QPainter, QPixmap
from PySide6.QtWidgets import QWidget

SIZES = ((1440, 900), (1024, 700))
THEMES = ("light", "dark")
SETTLE = 0.1  # seconds in which the window lays itself out and draws
PATIENCE = 300  # seconds that a scene may take to come about


class SceneError(Exception):
    """A scene did not come about; says why."""


class Camera:
    """Saves ``NAME-THEME-WIDTH.png`` of the window, and ``NAME-THEME.png`` of what lies over it."""

    def __init__(self, console: Any, out: Path, only: Sequence[str] = ()) -> None:
        self._console, self._out, self._only = console, out, tuple(only)
        self._theme = ""

    async def shoot(
        self, name: str, *, sizes: Sequence[tuple[int, int]] = SIZES, prepare: Callable[[], None] | None = None
    ) -> None:
        """Save the window as it is, in every theme and size; ``prepare`` has a look at each size before."""
        if not self.wants(name):
            return
        _let_go()
        for theme in sorted(THEMES, key=lambda one: one != self._theme):
            self._use(theme)
            for width, height in sizes:
                self._console.window.resize(width, height)
                await _drawn()
                if prepare is not None:
                    prepare()
                    await _drawn()
                self._save(self._console.window.grab(), f"{name}-{theme}-{width}")

    async def shoot_over(self, name: str, opened: QWidget) -> None:
        """Save the window with what was opened over it, in both themes, then close that."""
        window = self._console.window
        window.resize(*SIZES[0])
        for theme in THEMES if self.wants(name) else ():
            self._use(theme)
            await _drawn()
            picture = window.grab()
            painter = QPainter(picture)
            at = opened.pos() if opened.isWindow() else opened.mapTo(window, opened.rect().topLeft())
            if opened.isWindow():
                at = window.rect().center() - opened.rect().center() if not _popup(opened) else at - window.pos()
            painter.drawPixmap(at, opened.grab())
            painter.end()
            self._save(picture, f"{name}-{theme}")
        opened.close()
        await _drawn()

    def wants(self, name: str) -> bool:
        """Whether a scene was asked for."""
        return not self._only or name.startswith(self._only)

    def _use(self, theme: str) -> None:
        if theme != self._theme:
            self._theme = theme
            self._console.save_settings(self._console.settings.model_copy(update={"theme": theme}))

    def _save(self, picture: QPixmap, name: str) -> None:
        path = self._out / f"{name}.png"
        if not picture.save(str(path)):
            raise SceneError(f"{path} could not be written")


async def settled(model: Any, condition: Callable[[Any], Any]) -> None:
    """Wait until the state of a view-model fulfils a condition."""
    reached = asyncio.Event()
    end = model.observe(lambda state: reached.set() if condition(state) else None)
    try:
        async with asyncio.timeout(PATIENCE):
            await reached.wait()
    finally:
        end()


def _let_go() -> None:
    """Take the focus ring away: pictures are of what is shown, not of where the keyboard was left."""
    from PySide6.QtWidgets import QApplication

    holder = QApplication.focusWidget()
    if holder is not None:
        holder.clearFocus()


def _popup(widget: QWidget) -> bool:
    from PySide6.QtCore import Qt

    return bool(widget.windowFlags() & Qt.WindowType.Popup == Qt.WindowType.Popup)


async def _drawn() -> None:
    await asyncio.sleep(SETTLE)
    await asyncio.to_thread(lambda: None)
