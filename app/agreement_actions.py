"""What the operator does with agents that agree, beyond one widget: commands, dialogs, files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.actions import Command
from app.consensus_actions import picture
from app.dialogs import choose_files, choose_target
from app.errors import Notice
from app.formats import plural
from app.links import Place
from app.viewmodels.agreement_agents import MODEL_SUFFIXES
from app.viewmodels.agreement_export import export_agents, export_csv, export_json
from app.viewmodels.agreement_task import is_task_file
from engine.core.errors import EngineError
from engine.core.files import write_atomically

if TYPE_CHECKING:
    from app.wiring import Wiring

TASKS = "Tasks (*.json)"
AGENTS = "Agents (*.json *.toml)"
MODELS = f"Models ({' '.join('*' + suffix for suffix in MODEL_SUFFIXES)})"


class AgreementActions:
    """Intents of the agents' half of the Consensus page that need the window."""

    def __init__(self, wiring: Wiring) -> None:
        self._w = wiring

    def connect(self, page: Any) -> None:
        """Take the page's requests."""
        half = page.agents
        half.openRequested.connect(self.browse)
        half.saveRequested.connect(self.save_agents)
        half.filesDropped.connect(self.open)
        half.rejected.connect(
            lambda why: self._w.notify(Notice("warn", "Some files cannot be opened", f"{why}.", key="files"))
        )
        page.halfChanged.connect(lambda half: self._w.games.enable())

    def commands(self) -> list[Command]:
        """Return the half's commands; the keys of the run are those of the page."""
        menu, model = "Consensus", self._w.agreement
        return [
            Command("agreement.show", "Agents that agree", lambda: self._go("agents"), menu, (), "agent"),
            Command("agreement.task", "Open a task…", lambda: self.browse("task"), menu, (), "open"),
            Command("agreement.file", "Open an agents file…", lambda: self.browse("agents"), menu, (), "open"),
            Command("agreement.save", "Save the agents…", self.save_agents, menu, (), "export"),
            Command("agreement.add", "Add an agent", self._there(model.add_agent), menu, (), "plus"),
            Command("agreement.verify", "Verify the result on chain", self._verify, menu, (), "shield"),
        ]

    def browse(self, what: str) -> None:
        """Choose a task, an agents file or a model."""
        titles = {"task": ("Open a task", TASKS), "agents": ("Open an agents file", AGENTS)}
        title, filters = titles.get(what, ("Open a model", MODELS))
        choose_files(self._w.window, title, filters, lambda files: self._take(what, files[0]), several=False)

    def open(self, files: list[Path]) -> None:
        """Take dropped files: a task, an agents file, a model for the selected agents; the first of each."""
        for path in files:
            suffix = path.suffix.lower()
            if suffix in MODEL_SUFFIXES:
                self._take("model", path)
            elif suffix == ".json" and is_task_file(path):
                self._take("task", path)
            else:
                self._take("agents", path)

    def open_task(self, path: Path) -> None:
        """Open a task that was dropped on the window."""
        self._take("task", path)

    def _take(self, what: str, path: Path) -> None:
        page: Any = self._w.pages["consensus"]
        model = self._w.agreement
        if what == "task":
            self._go("task")
            model.open_task(path)
        elif what == "agents":
            self._go("agents")
            model.open_agents(path)
        else:
            self._go("agents")
            model.use_model(path, page.agents.agents.selected())

    def save_agents(self) -> None:
        """Ask where to, then write the agents."""
        choose_target(self._w.window, "Save the agents", "agents.json", AGENTS, self.write_agents)

    def write_agents(self, path: Path) -> None:
        """Write the agents, whole or not at all."""
        agents = self._w.agreement.state.agents.agents
        try:
            export_agents(path, agents)
        except (EngineError, OSError) as error:
            self._w.bridge.report(error, "Saving the agents", key="export")
            return
        text = f"{plural(len(agents), 'agent')}. The command line takes the file too."
        self._w.notify(Notice("ok", f"Saved {path.name}", text, key="export"))

    def export(self, kind: str) -> None:
        """Ask where to, then write: csv, png or json."""
        if self._w.agreement.state.run is None:
            text = "Run a round first: its gaps, plots and result can then be written."
            self._w.notify(Notice("info", "There is no round to export", text, key="export"))
            return
        names = {"csv": "gaps.csv", "png": "agreement.png", "json": "agreement.json"}
        filters = {"csv": "Gaps (*.csv)", "png": "Picture (*.png)", "json": "Result (*.json)"}
        if kind in names:
            choose_target(self._w.window, "Export", names[kind], filters[kind], lambda path: self.write(kind, path))

    def write(self, kind: str, path: Path) -> None:
        """Write a file, whole or not at all, and say so."""
        record = self._w.agreement.state.run
        assert record is not None
        try:
            if kind == "csv":
                text = f"{plural(export_csv(path, record), 'iteration')} in full precision."
            elif kind == "json":
                export_json(path, record)
                text = "With task, agents, settings, versions, transactions and the result."
            else:
                self._go("live")
                page: Any = self._w.pages["consensus"]
                write_atomically(path, picture(page.plots()), mode=0o644)
                text = "The plots as they are shown."
        except (EngineError, OSError) as error:
            self._w.bridge.report(error, "The export", key="export")
            return
        self._w.notify(Notice("ok", f"Saved {path.name}", text, key="export"))

    def _verify(self) -> None:
        self._go("result")
        self._w.agreement.verify()

    def _go(self, tab: str) -> None:
        self._w.navigator.go(Place("consensus", f"agents/{tab}"))

    def _there(self, intent: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            self._go("agents")
            intent()

        return run
