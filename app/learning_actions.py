"""What the operator does with the learning chain beyond one widget: commands, dialogs, files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.actions import Command
from app.consensus_actions import picture
from app.dialogs import choose_target
from app.errors import Notice
from app.formats import plural
from app.links import Place
from app.viewmodels.learning_export import export_csv, export_json, export_sweep_csv, export_sweep_json
from engine.core.errors import EngineError
from engine.core.files import write_atomically

if TYPE_CHECKING:
    from app.wiring import Wiring

MENU = "Learning"
NAMES = {"csv": "Table (*.csv)", "png": "Picture (*.png)", "json": "Result (*.json)"}


class LearningActions:
    """Intents of the Learning chain page that need the window."""

    def __init__(self, wiring: Wiring) -> None:
        self._w = wiring

    def connect(self, page: Any) -> None:
        """Take the page's requests."""
        page.exportRequested.connect(self.export)
        page.halfChanged.connect(lambda half: self._w.games.enable())

    @property
    def shown(self) -> bool:
        """Whether the page is in front: then the keys of the run are for it."""
        return self._w.navigator.here.page == "learning"

    def commands(self) -> list[Command]:
        """Return the page's commands; F5 to F8 are for the page that is shown."""
        model, there = self._w.learning, self._there
        made = [
            ("run", "Run the learning chain", there(lambda: self.intent("run")), "play"),
            ("pause", "Pause the learning chain", there(model.pause), "pause"),
            ("phase", "Step a phase", there(lambda: model.step("phase")), "forward"),
            ("slot", "Step a slot", there(lambda: model.step("slot")), "forward_ten"),
            ("stop", "Stop the learning chain", there(lambda: self.intent("stop")), "stop"),
            ("reset", "Clear the run from sight", there(model.reset), "undo"),
            ("faults", "Faults of the learning chain", lambda: self._go("tab/faults"), "slash"),
            ("scenarios", "Scenarios", lambda: self._go("tab/scenarios"), "flag"),
            ("sweep", "Byzantine sweep", lambda: self._go("sweep"), "grid"),
            ("csv", "Export the updates (CSV)…", lambda: self.export("csv"), "export"),
            ("png", "Export the plots (PNG)…", lambda: self.export("png"), "export"),
            ("json", "Export the result (JSON)…", lambda: self.export("json"), "export"),
        ]
        keys = {"slot": ("Shift+F7",)}
        return [
            Command(f"learning.{name}", title, run, MENU, keys.get(name, ()), icon) for name, title, run, icon in made
        ]

    def enable(self) -> None:
        """Let those commands be used that would do something."""
        allowed = self.allowed()
        for name, intent in (("run", "run"), ("pause", "pause"), ("phase", "step"), ("slot", "step"), ("stop", "stop"),
                             ("reset", "reset")):  # fmt: skip
            self._w.commands.enable(f"learning.{name}", allowed[intent])

    def allowed(self) -> dict[str, bool]:
        """Return which intents of a run would do something now."""
        state = self._w.learning.state
        if self._swept():
            sweep = self._w.sweep.state
            return {"run": not sweep.busy and not sweep.problem, "pause": False, "step": False, "stop": sweep.busy,
                    "reset": False}  # fmt: skip
        paused = state.busy and state.run is not None and state.run.state == "paused"
        startable = paused or (not state.busy and state.ready)
        return {"run": startable, "pause": state.busy and not paused, "step": startable, "stop": state.busy,
                "reset": state.run is not None}  # fmt: skip

    def intent(self, name: str) -> None:
        """Do what a key of the run asks for, in the half shown."""
        if self._swept():
            run = {"run": self._w.sweep.run, "stop": self._w.sweep.cancel}.get(name)
        else:
            run = getattr(self._w.learning, name)
        if run is not None:
            run()

    def export(self, kind: str) -> None:
        """Ask where to, then write: csv, png or json."""
        swept = self._swept()
        if (not self._w.sweep.state.cells) if swept else self._w.learning.state.run is None:
            text = "Run the sweep first." if swept else "Run a chain first: its updates and plots can then be written."
            self._w.notify(Notice("info", "There is nothing to export", text, key="export"))
        elif kind in NAMES:
            name = f"{'sweep' if swept else 'chain'}.{kind}"
            choose_target(self._w.window, "Export", name, NAMES[kind], lambda path: self.write(kind, path))

    def write(self, kind: str, path: Path) -> None:
        """Write a file, whole or not at all, and say so."""
        try:
            text = self._write_sweep(kind, path) if self._swept() else self._write(kind, path)
        except (EngineError, OSError) as error:
            self._w.bridge.report(error, "The export", key="export")
            return
        self._w.notify(Notice("ok", f"Saved {path.name}", text, key="export"))

    def _write(self, kind: str, path: Path) -> str:
        record = self._w.learning.state.run
        assert record is not None
        if kind == "csv":
            return f"{plural(export_csv(path, record), 'update')} in full precision."
        if kind == "json":
            export_json(path, record)
            return "With configuration, seeds, versions, slots, updates, slashings and refusals."
        return self._picture(path)

    def _write_sweep(self, kind: str, path: Path) -> str:
        state = self._w.sweep.state
        cells = [dict(cell) for cell in state.cells.values()]
        if kind == "csv":
            return f"{plural(export_sweep_csv(path, cells), 'cell')} in full precision."
        if kind == "json":
            export_sweep_json(path, dict(state.measured), cells)
            return "With the configuration and the versions."
        return self._picture(path)

    def _picture(self, path: Path) -> str:
        self._w.navigator.go(Place("learning"))
        page: Any = self._w.pages["learning"]
        if not any(widget.isVisible() for widget in page.plots()):
            page.show_tab("updates")
        write_atomically(path, picture(page.plots()), mode=0o644)
        return "The plots as they are shown."

    def _swept(self) -> bool:
        page: Any = self._w.pages.get("learning")
        return page is not None and page.half == "sweep"

    def _go(self, item: str) -> None:
        self._w.navigator.go(Place("learning", item))

    def _there(self, intent: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            self._w.navigator.go(Place("learning"))
            intent()

        return run
