"""What the operator does with games beyond one widget: commands, dialogs, files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QBuffer, QIODevice
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QWidget

from app.actions import Command
from app.dialogs import choose_files, choose_target
from app.errors import Notice
from app.formats import plural
from app.links import Place
from app.viewmodels.consensus_export import export_csv, export_json
from engine.core.errors import EngineError
from engine.core.files import write_atomically
from engine.games.files import SUFFIXES, write_game
from widgets.theme import current_tokens

if TYPE_CHECKING:
    from app.wiring import Wiring

GAME_FILES = f"Games ({' '.join('*' + suffix for suffix in SUFFIXES)})"
MARGIN = 16


class ConsensusActions:
    """Intents of the Consensus page that need the window."""

    def __init__(self, wiring: Wiring) -> None:
        self._w = wiring

    def connect(self, page: Any) -> None:
        """Take the page's requests."""
        page.openRequested.connect(self.browse)
        page.exportRequested.connect(self.export)

    @property
    def agents_shown(self) -> bool:
        """Whether the page shows its agents' half: then the keys of the run are for that."""
        page: Any = self._w.pages.get("consensus")
        return page is not None and page.half == "agents"

    def enable(self) -> None:
        """Let those commands of the run be used that would do something in the page, and the half, shown."""
        if self._w.learnings.shown:
            for name, enabled in self._w.learnings.allowed().items():
                self._w.commands.enable(f"consensus.{name}", enabled)
            return
        shown: Any = (self._w.agreement if self.agents_shown else self._w.consensus).state
        paused = shown.busy and shown.run.state == "paused"
        startable = paused or (not shown.busy and shown.ready)
        allowed = {"run": startable, "pause": shown.busy and not paused, "step": startable, "stop": shown.busy,
                   "reset": shown.run is not None}  # fmt: skip
        for name, enabled in allowed.items():
            self._w.commands.enable(f"consensus.{name}", bool(enabled))
        self._w.commands.enable("consensus.nfg", not self.agents_shown)

    def commands(self) -> list[Command]:
        """Return the page's commands."""
        menu = "Consensus"
        return [
            Command("consensus.run", "Run the method or the round", self._there("run"), menu, ("F5",), "play"),
            Command("consensus.pause", "Pause the run", self._there("pause"), menu, ("F6",), "pause"),
            Command("consensus.step", "Step once", self._there("step"), menu, ("F7",), "forward"),
            Command("consensus.stop", "Stop the run", self._there("stop"), menu, ("F8",), "stop"),
            Command("consensus.reset", "Reset the run", self._there("reset"), menu, (), "undo"),
            Command("consensus.open", "Open a game…", self.browse, menu, (), "open"),
            Command("consensus.csv", "Export the trace (CSV)…", lambda: self.export("csv"), menu, (), "export"),
            Command("consensus.png", "Export the plots (PNG)…", lambda: self.export("png"), menu, (), "export"),
            Command("consensus.json", "Export the result (JSON)…", lambda: self.export("json"), menu, (), "export"),
            Command("consensus.nfg", "Save the game (.nfg)…", lambda: self.export("nfg"), menu, (), "export"),
        ]

    def _there(self, intent: str) -> Callable[[], None]:
        """Go to the page first: what a key does must be seen. It is for the half shown, or for the learning chain."""

        def run() -> None:
            if self._w.learnings.shown:
                self._w.learnings.intent(intent)
                return
            self._w.navigator.go(Place("consensus"))
            getattr(self._w.agreement if self.agents_shown else self._w.consensus, intent)()

        return run

    def browse(self) -> None:
        """Choose a game file."""
        choose_files(self._w.window, "Open a game", GAME_FILES, self.open, several=False)

    def open(self, files: list[Path]) -> None:
        """Open the first game."""
        self._w.navigator.go(Place("consensus", "tab/game"))
        self._w.consensus.open_file(files[0])

    def export(self, kind: str) -> None:
        """Ask where to, then write: csv, png, json, or nfg for the game alone."""
        if self.agents_shown and kind != "nfg":
            self._w.agreements.export(kind)
            return
        record = self._w.consensus.state.run
        if record is None and kind != "nfg":
            text = "Run a method first: its trace, plots and result can then be written."
            self._w.notify(Notice("info", "There is no run to export", text, key="export"))
            return
        names = {"csv": "trace.csv", "png": "plots.png", "json": "result.json", "nfg": "game.nfg"}
        filters = {"csv": "Trace (*.csv)", "png": "Picture (*.png)", "json": "Result (*.json)", "nfg": GAME_FILES}
        choose_target(self._w.window, "Export", names[kind], filters[kind], lambda path: self.write(kind, path))

    def write(self, kind: str, path: Path) -> None:
        """Write a file, whole or not at all, and say so."""
        try:
            text = self._write(kind, path)
        except (EngineError, OSError) as error:
            self._w.bridge.report(error, "The export", key="export")
            return
        self._w.notify(Notice("ok", f"Saved {path.name}", text, key="export"))

    def _write(self, kind: str, path: Path) -> str:
        state = self._w.consensus.state
        if kind == "nfg" and state.game is not None:
            write_game(path, state.game)
            return "Any machine reads it; nashboard solve does too."
        assert state.run is not None
        if kind == "csv":
            count = export_csv(path, state.run)
            thinned = state.run.trace.thinned
            some = f" Of a run this long one point in about {thinned} is kept." if thinned > 1 else ""
            return f"{plural(count, 'point')} in full precision.{some}"
        if kind == "json":
            export_json(path, state.run)
            return "With configuration, seed, versions and the trace hash."
        page: Any = self._w.pages["consensus"]
        write_atomically(path, picture(page.plots()), mode=0o644)
        return "The plots as they are shown."


def picture(widgets: list[QWidget]) -> bytes:
    """Return widgets as one PNG, where they stand, on the colour of the page."""
    window = widgets[0].window()
    places = [(widget, widget.mapTo(window, widget.rect().topLeft())) for widget in widgets]
    left = min(at.x() for _, at in places)
    top = min(at.y() for _, at in places)
    right = max(at.x() + widget.width() for widget, at in places)
    bottom = max(at.y() + widget.height() for widget, at in places)
    ratio = window.devicePixelRatioF()
    size = (right - left + 2 * MARGIN, bottom - top + 2 * MARGIN)
    image = QImage(round(size[0] * ratio), round(size[1] * ratio), QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(ratio)
    image.fill(QColor(current_tokens().surface))
    painter = QPainter(image)
    for widget, at in places:
        painter.drawPixmap(at.x() - left + MARGIN, at.y() - top + MARGIN, widget.grab())
    painter.end()
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    return bytes(buffer.data().data())
