"""Console tests: coroutines run on Qt's loop, and every window is a real one on a real engine."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from app.console import Console
from app.instance import SingleInstance
from app.loop import new_loop
from app.wiring import Wiring
from engine.core.paths import DataDir, assets_dir
from tests.ears import heard  # noqa: F401


@pytest.fixture(scope="session")
def qapp_args() -> list[str]:
    return ["nashboard"]


@pytest.fixture(autouse=True)
def loop_factory(qapp: QApplication) -> Callable[[], asyncio.AbstractEventLoop]:
    """Give coroutine tests of this folder Qt's loop."""
    qapp.setQuitOnLastWindowClosed(False)
    return new_loop


@contextlib.asynccontextmanager
async def _opened(data: DataDir, *files: Path, instance: SingleInstance | None = None) -> AsyncIterator[Wiring]:
    """A console on a data directory, closed in the end the way an operator does."""
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    console = Console(app, data, instance)
    running = asyncio.create_task(console.run(list(files)))
    ready = asyncio.create_task(console.wait_ready())
    try:
        await asyncio.wait([running, ready], return_when=asyncio.FIRST_COMPLETED, timeout=60)
        if running.done():
            running.result()
        assert console.wiring is not None
        console.window.activateWindow()
        await _until(console.window.isActiveWindow)
        yield console.wiring
    finally:
        ready.cancel()
        console.close()
        assert await asyncio.wait_for(running, 60) == 0
        with contextlib.suppress(asyncio.CancelledError):
            await ready
        del console
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        gc.collect()


async def _until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait until ``condition`` gives something true, and return it."""
    async with asyncio.timeout(seconds):
        while not (found := condition()):
            await asyncio.sleep(0.02)
    return found


async def _command(wiring: Wiring, keys: str) -> None:
    """Press a command's key once the command is enabled: the window hears a moment later of what makes it possible."""
    command = next(command for command in wiring.commands.all.values() if keys in command.keys)
    await _until(wiring.commands.actions[command.key].isEnabled)
    QTest.keySequence(QApplication.focusWidget() or wiring.window, QKeySequence(keys))


def _drop(target: QWidget, *paths: Path) -> None:
    """Drop files on a widget as the desktop does."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    at, left, none = target.rect().center(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    copy = Qt.DropAction.CopyAction
    for event in (
        QDragEnterEvent(at, copy, mime, left, none),
        QDragMoveEvent(at, copy, mime, left, none),
        QDropEvent(QPointF(at), copy, mime, left, none),
    ):
        QApplication.sendEvent(target, event)


# With --import-mode=importlib test modules cannot import this one: what they share comes as fixtures.
@pytest.fixture
def opened() -> Callable[..., contextlib.AbstractAsyncContextManager[Wiring]]:
    """Open a console on a data directory: ``async with opened(data, *files) as wiring``."""
    return _opened


@pytest.fixture
def until() -> Callable[..., Any]:
    """Wait until a condition gives something true: ``await until(condition, seconds)``."""
    return _until


@pytest.fixture
def command() -> Callable[..., Any]:
    """Press the key of a command when it is enabled: ``await command(wiring, "F5")``."""
    return _command


@pytest.fixture
def drop() -> Callable[..., None]:
    """Drop files on a widget as the desktop does: ``drop(widget, *paths)``."""
    return _drop


@pytest.fixture
def samples() -> Path:
    """The folder of the shipped agents."""
    return assets_dir() / "agents" / "snake"
