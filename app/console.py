"""The console's life: window first, engine next, pages, and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from app.crash import CrashHandler
from app.errors import Notice
from app.window import MainWindow
from engine.core.errors import EngineError
from engine.core.paths import DataDir
from widgets.theme import THEMES, apply_theme, begin_theme, current_theme

if TYPE_CHECKING:
    from app.instance import SingleInstance
    from app.settings import Settings, SettingsFile
    from app.wiring import Wiring
    from engine.runtime import Runtime
    from engine.store.damage import Mended

_log = logging.getLogger(__name__)
SIGNALS = (signal.SIGINT, signal.SIGTERM)
_THEME = re.compile(r"""^theme\s*=\s*(["'])(\w+)\1""", re.MULTILINE)


class Console:
    """One window on one data directory. The settings are there as soon as it is ready."""

    settings_file: SettingsFile
    settings: Settings

    def __init__(self, app: QApplication, data: DataDir, instance: SingleInstance | None = None) -> None:
        self.app = app
        self.data = data
        self._instance = instance
        self._closing = asyncio.Event()
        self._ready = asyncio.Event()
        self._failed = False
        self.wiring: Wiring | None = None
        self._told = ""
        self._mended = ""
        self.crashes = CrashHandler(data.logs, self._show_crash)
        begin_theme(app)
        self.window = MainWindow(data.root)
        apply_theme(app, theme_of(data), self.window)
        self.window.closing.connect(self._closing.set)

    async def run(self, files: list[Path]) -> int:
        """Show the window, open the engine, and stay until the operator leaves."""
        loop = asyncio.get_running_loop()
        ended = self.crashes.take_last()
        self.crashes.install()
        self.crashes.attach(loop)
        for number in SIGNALS:
            with contextlib.suppress(NotImplementedError, RuntimeError):
                loop.add_signal_handler(number, self.window.close)
        try:
            self.window.show()
            await _painted()
            if ended is not None:
                self._show_crash(*ended)
            await self._session(files)
        finally:
            for number in SIGNALS:
                with contextlib.suppress(NotImplementedError, RuntimeError):
                    loop.remove_signal_handler(number)
            self.window.hide()
            self.crashes.uninstall()
            self.window.deleteLater()
        return 1 if self._failed else 0

    async def wait_ready(self) -> None:
        """Wait until the pages are there."""
        await self._ready.wait()

    def close(self) -> None:
        """Leave as if the operator had closed the window."""
        self._closing.set()

    def save_settings(self, settings: Settings) -> None:
        """Take new settings: the theme at once, the rest where it is next used."""
        if settings.theme != self.settings.theme:
            apply_theme(self.app, settings.theme, self.window)
        self.settings = settings
        try:
            self.settings_file.save(settings)
        except OSError as error:
            why = error.strerror or repr(error)
            self.window.notices.show_notice(Notice("error", "The settings could not be saved", why, key="settings"))

    def open_logs(self) -> None:
        """Show the folder of the log files."""
        from app.outside import open_outside

        open_outside(self.data.logs)

    async def _session(self, files: list[Path]) -> None:
        # Importing these takes over a second: it happens while the first frame stands already.
        await asyncio.to_thread(importlib.import_module, "app.wiring")
        self._load_settings()
        from app.bridge import Bridge
        from app.wiring import Wiring

        runtime = await self._open()
        if runtime is None:
            return
        async with runtime:
            await asyncio.sleep(0.001)
            bridge = Bridge(runtime.bus, notify=self.window.notices.show_notice, crash=self.crashes.report)
            wiring = self.wiring = Wiring(self, runtime, bridge)
            await asyncio.sleep(0.001)
            try:
                await wiring.build()
                if self._told:
                    self.window.notices.show_notice(_about_settings(self._told))
                if self._mended:
                    self.window.notices.show_notice(Notice("warn", "The store was damaged", self._mended, key="store"))
                if self._instance is not None:
                    self._instance.listen(lambda more: (self.window.bring_to_front(), wiring.open_files(more)))
                wiring.open_files(files)
                self._ready.set()
                await self._closing.wait()
            finally:
                self.window.hide()
                await bridge.close()
                await wiring.close()
                self.wiring = None

    async def _open(self) -> Runtime | None:
        """Open the engine; a damaged store can be replaced first. None: it cannot be opened, and the operator knows."""
        from engine.runtime import Runtime
        from engine.store.errors import StoreDamagedError

        workers, anvil = self.settings.workers or None, self.settings.anvil
        while True:
            try:
                return await Runtime.open(self.data, workers=workers, anvil=anvil)
            except StoreDamagedError as error:
                _log.error("%s", error)
                mend = await self._ask_how_to_mend(error)
                if mend is None:
                    self._failed = True
                    return None
                try:
                    self._mended = (await asyncio.to_thread(mend, self.data.database)).text
                except EngineError as trouble:
                    await self._fatal(trouble)
                    return None
            except EngineError as error:
                await self._fatal(error)
                return None

    async def _ask_how_to_mend(self, error: EngineError) -> Callable[[Path], Mended] | None:
        """Offer the backup, an empty store, or to leave; None is that."""
        from app.dialogs import store_dialog
        from engine.store.damage import begin_anew, date_of, go_back

        chosen: list[Callable[[Path], Mended]] = []
        answered = asyncio.Event()
        offers = [("Start with an empty store", lambda: chosen.append(begin_anew))]
        if error.data["backup"]:
            date = date_of(Path(error.data["backup"]))
            offers.insert(0, (f"Go back to the backup of {date}", lambda: chosen.append(go_back)))
        dialog = store_dialog(self.window, error.what, error.why, offers)
        dialog.finished.connect(lambda code: answered.set())
        self.window.closing.connect(lambda: answered.set())
        await answered.wait()
        return chosen[0] if chosen else None

    def _load_settings(self) -> None:
        """Read the settings; a file that cannot be used may have had a theme that is not the one in force."""
        from app.settings import SettingsFile

        self.settings_file = SettingsFile(self.data.root)
        self.settings, self._told = self.settings_file.load()
        theme = current_theme()
        if theme is not None and theme.name != self.settings.theme:
            apply_theme(self.app, self.settings.theme, self.window)

    async def _fatal(self, error: EngineError) -> None:
        """Say why the console cannot work here, then leave."""
        from app.dialogs import tell

        self._failed = True
        _log.error("%s", error)
        dialog = tell(self.window, error.what, " ".join(part for part in (error.why, error.next_step) if part))
        dialog.finished.connect(lambda code: self._closing.set())
        await self._closing.wait()

    def _show_crash(self, summary: str, report: str, path: Path) -> None:
        from app.dialogs import crash_dialog

        crash_dialog(self.window, summary, report, path, self.open_logs)


def theme_of(data: DataDir) -> str:
    """Return the theme that the settings name, for the first frame: their checks, and TOML's parser, come after it."""
    try:
        found = _THEME.search((data.root / "settings.toml").read_text("utf-8"))
    except (OSError, ValueError):
        return "system"
    return found[2] if found is not None and found[2] in THEMES else "system"


def _about_settings(told: str) -> Notice:
    carried = "carried over" in told
    return Notice("info" if carried else "warn", "Settings" if carried else "Settings were reset", told, key="settings")


async def _painted() -> None:
    """Let the first frame reach the screen."""
    done = asyncio.get_running_loop().create_future()
    QTimer.singleShot(0, lambda: done.done() or done.set_result(None))
    await done
    await asyncio.sleep(0.02)
