"""The window: pages in both themes, keys, names for screen readers, geometry, and nothing left behind."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QByteArray, QPoint, QSettings, Qt, QTimer
from PySide6.QtGui import QAccessible
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QLineEdit, QListWidget, QWidget

from app.actions import Palette
from app.links import Place
from app.pages.settings import SettingsDialog
from app.window import PAGES, MainWindow
from engine.core.paths import DataDir
from widgets.theme import current_tokens


async def test_pages_open_in_both_themes(opened: Callable[..., Any], data_dir: DataDir) -> None:
    async with opened(data_dir) as wiring:
        pictures = {}
        for theme in ("light", "dark"):
            wiring.commands.all[f"theme.{theme}"].run()
            assert current_tokens().name == theme
            for key, _ in PAGES:
                wiring.navigator.go(Place(key))
                await asyncio.sleep(0.05)
                image = wiring.window.grab().toImage()
                pictures[theme, key] = image
                assert wiring.window.stack.currentWidget() is wiring.pages[key]
        assert len({bytes(image.constBits()) for image in pictures.values()}) == len(pictures)
        # The page, the sidebar beneath its entries, the strip above the pages, the menu bar.
        for x, y in ((300, 400), (20, 500), (700, 30), (700, 5)):
            light, dark = (pictures[theme, "overview"].pixelColor(x, y).lightness() for theme in ("light", "dark"))
            assert light > 180 > 80 > dark, (x, y)
    text = (data_dir.root / "settings.toml").read_text()
    assert 'theme = "dark"' in text


async def test_keys_lead_to_pages(opened: Callable[..., Any], data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        window = wiring.window
        for number, (key, _) in enumerate(PAGES, start=1):
            QTest.keyClick(window, getattr(Qt.Key, f"Key_{number}"), Qt.KeyboardModifier.ControlModifier)
            assert wiring.navigator.here.page == key
        QTest.keyClick(window, Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier)
        assert wiring.navigator.here.page == PAGES[-2][0]
        wiring.navigator.go(Place("logs"))
        QTest.keyClick(window, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
        assert isinstance(QApplication.focusWidget(), QLineEdit)
        QTest.keyClicks(QApplication.focusWidget(), "2?")
        assert wiring.navigator.here.page == "logs"
        assert QApplication.focusWidget().text() == "2?"
        QTest.keyClick(window, Qt.Key.Key_F11)
        assert window.isFullScreen()
        QTest.keyClick(window, Qt.Key.Key_F11)
        assert not window.isFullScreen()


async def test_the_palette_runs_what_is_typed(opened: Callable[..., Any], data_dir: DataDir) -> None:
    async with opened(data_dir) as wiring:
        QTest.keyClick(wiring.window, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
        palette = next(w for w in QApplication.topLevelWidgets() if isinstance(w, Palette) and w.isVisible())
        field, found = palette.findChild(QLineEdit), palette.findChild(QListWidget)
        QTest.keyClicks(field, "replay")
        assert found.item(0).text().startswith("Replay")
        QTest.keyClick(field, Qt.Key.Key_Down)
        QTest.keyClick(field, Qt.Key.Key_Up)
        QTest.keyClick(field, Qt.Key.Key_Return)
        assert wiring.navigator.here.page == "replay"


@pytest.mark.parametrize("key", ["help", "keys", "settings"])
async def test_dialogs_do_not_block(opened: Callable[..., Any], data_dir: DataDir, key: str, until: Any) -> None:
    async with opened(data_dir) as wiring:
        wiring.commands.all[key].run()
        dialog = next(w for w in QApplication.topLevelWidgets() if isinstance(w, QDialog) and w.isVisible())
        await asyncio.sleep(0.05)
        dialog.accept()
        await until(lambda: not any(isinstance(w, QDialog) and w.isVisible() for w in QApplication.topLevelWidgets()))


async def test_settings_switch_live_and_are_checked(opened: Callable[..., Any], data_dir: DataDir) -> None:
    async with opened(data_dir) as wiring:
        wiring.commands.all["settings"].run()
        dialog = next(w for w in QApplication.topLevelWidgets() if isinstance(w, SettingsDialog))
        dialog._theme.set_value("dark")
        assert current_tokens().name == "dark"
        dialog._anvil.set_value("/nowhere/anvil")
        assert dialog._anvil.error()
        assert wiring.console.settings.anvil_path == ""
        dialog._workers.set_value(2)
        assert wiring.workers == 2
        dialog._theme.set_value("light")
        dialog.accept()


async def test_everything_that_takes_the_keyboard_has_a_name(opened: Callable[..., Any], data_dir: DataDir) -> None:
    nameless = []
    async with opened(data_dir) as wiring:
        for key, _ in PAGES:
            wiring.navigator.go(Place(key))
            await asyncio.sleep(0.05)
            for widget in wiring.window.findChildren(QWidget):
                if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.isVisible() and not _inside_named(widget):
                    face = QAccessible.queryAccessibleInterface(widget)
                    if face is None or not face.text(QAccessible.Text.Name):
                        nameless.append(f"{key}: {type(widget).__name__} in {type(widget.parent()).__name__}")
    assert nameless == []


def _inside_named(widget: QWidget) -> bool:
    """Parts of Qt's own compound widgets are named by the widget that they are part of."""
    return widget.objectName().startswith("qt_")


async def test_tab_goes_through_a_page(opened: Callable[..., Any], data_dir: DataDir) -> None:
    async with opened(data_dir) as wiring:
        wiring.navigator.go(Place("leagues"))
        seen = set()
        for _ in range(40):
            QTest.keyClick(QApplication.focusWidget() or wiring.window, Qt.Key.Key_Tab)
            seen.add(id(QApplication.focusWidget()))
        assert len(seen) >= 12


async def test_told_when_the_settings_were_reset(opened: Callable[..., Any], data_dir: DataDir) -> None:
    (data_dir.root / "settings.toml").write_text("version = 99\n")
    async with opened(data_dir) as wiring:
        assert wiring.window.notices.texts()
    assert (data_dir.root / "settings.v99.toml").exists()


async def test_the_window_comes_back_where_it_was(opened: Callable[..., Any], data_dir: DataDir) -> None:
    async with opened(data_dir) as wiring:
        wiring.window.resize(930, 610)
        wiring.window.close()
    async with opened(data_dir) as wiring:
        assert wiring.window.height() == 610  # the width is held to the test's narrow screen


def test_a_window_off_screen_comes_back_centred(qapp: QApplication, tmp_path: Path) -> None:
    first = MainWindow(tmp_path)
    first.resize(900, 600)
    first.move(QPoint(90_000, 90_000))
    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    settings.setValue("geometry", QByteArray(first.saveGeometry()))
    settings.sync()
    second = MainWindow(tmp_path)
    area = qapp.primaryScreen().availableGeometry()
    assert area.intersects(second.frameGeometry())
    for window in (first, second):
        window.deleteLater()


async def test_nothing_is_left_behind(opened: Callable[..., Any], data_dir: DataDir) -> None:
    async def once() -> None:
        async with opened(data_dir) as wiring:
            for key, _ in PAGES:
                wiring.navigator.go(Place(key))
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.05)

    await once()
    gc.collect()
    before = _census()
    await once()
    gc.collect()
    after = _census()
    assert after["windows"] <= before["windows"]
    assert after["widgets"] <= before["widgets"] + 5
    assert after["timers"] <= before["timers"]
    assert len(asyncio.all_tasks()) == 1


def _census() -> dict[str, int]:
    windows = [w for w in QApplication.topLevelWidgets() if isinstance(w, MainWindow)]
    timers = sum(timer.isActive() for widget in QApplication.allWidgets() for timer in widget.findChildren(QTimer))
    return {"windows": len(windows), "widgets": len(QApplication.allWidgets()), "timers": timers}


@pytest.mark.expects_log
async def test_a_bug_reaches_the_crash_dialog(opened: Callable[..., Any], data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir):
        for _ in range(2):
            QTimer.singleShot(0, lambda: 1 / 0)
            await asyncio.sleep(0.1)
        dialogs = [w for w in QApplication.topLevelWidgets() if isinstance(w, QDialog) and w.isVisible()]
        assert len(dialogs) == 1
        assert "fault of its own" in dialogs[0].windowTitle()
        dialogs[0].accept()
        asyncio.get_running_loop().call_soon(lambda: [][1])
        await asyncio.sleep(0.1)
        shown = [w for w in QApplication.topLevelWidgets() if isinstance(w, QDialog) and w.isVisible()]
        assert shown
        for dialog in shown:
            dialog.accept()
    reports = list(data_dir.logs.glob("crash-*.txt"))
    assert "ZeroDivisionError" in "".join(path.read_text() for path in reports)
