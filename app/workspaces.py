"""Workspaces: data directories, one a window. The welcome, a new one, one that is there.

Another workspace opens in a window and process of its own. Nothing of this one has to be stopped for it: its devnet,
rounds and runs go on, and neither can take the other down.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QProcess, QProcessEnvironment, QTimer

from app.actions import Command
from app.dialogs import choose_folder, confirm
from app.errors import Action, Notice
from app.guide import show_guide
from app.links import Place
from app.pages.welcome import WelcomePage
from app.settings import SettingsFile
from engine.core.errors import EngineError
from engine.core.paths import DataDir, is_frozen, source_root
from engine.core.process import child_environment
from engine.store.survey import Survey, survey

if TYPE_CHECKING:
    from app.wiring import Wiring

NAME = "nashboard"  # of the folder that is made beside the files of others
POLL_MS, TRIES = 100, 300


class Workspaces:
    """What the operator does with whole workspaces."""

    def __init__(self, wiring: Wiring) -> None:
        self._w = wiring

    @property
    def root(self) -> Path:
        """The folder of this window's workspace."""
        return self._w.runtime.data.root

    def commands(self) -> list[Command]:
        """Return the commands of the File menu."""
        return [
            Command("welcome", "Welcome", self.show, "File", (), "rocket"),
            Command("workspace.new", "New workspace…", self.choose_new, "File", (), "plus"),
            Command("workspace.open", "Open a workspace…", self.choose_open, "File", (), "open"),
        ]

    def begin(self) -> None:
        """Go to the first page: the welcome as long as nothing is kept here, else the overview."""
        if survey(self.root).fresh:
            self._w.navigator.here = Place("welcome")  # Back has nowhere to lead from here
            self.show()
        else:
            self._w.navigator.go(Place("overview"))

    def show(self) -> None:
        """Show the welcome."""
        page = self._w.pages.get("welcome")
        if page is None:
            page = self._w.pages["welcome"] = self._made()
            self._w.window.add_page("welcome", page)
        assert isinstance(page, WelcomePage)
        page.show_place(str(self.root), survey(self.root).holds)
        self._w.navigator.go(Place("welcome"))

    def use_this(self) -> None:
        """Stay in this window's folder; it is a workspace from now on."""
        self._w.console.save_settings(self._w.console.settings)
        self._w.navigator.go(Place("overview"))
        self._w.notify(Notice("ok", "This is your workspace", f"All of it lies in {self.root}.", key="workspace"))

    def choose_new(self) -> None:
        """Choose where a new workspace is to lie."""
        choose_folder(self._w.window, "Choose a folder for the new workspace", self.new_in)

    def choose_open(self) -> None:
        """Choose a workspace to open."""
        choose_folder(self._w.window, "Choose the folder of a workspace", self.open_in)

    def new_in(self, folder: Path) -> None:
        """Make a workspace in a folder. What lies there is named first, and never overwritten."""
        found = survey(folder.resolve())
        if found.root == self.root:
            self.use_this()
        elif found.ours and found.holds:
            text = f"It holds {words(found.holds)}. It is opened as it is; nothing is overwritten."
            confirm(self._w.window, f"{folder.name} is a workspace", text, "Open it", lambda: self._open(found))
        elif found.fresh:
            self._open(found)
        elif found.strange:
            self._new_beside(found)
        else:
            self._refuse(f"{folder.name} cannot be used", f"It holds {words(found.holds)}.", "Choose another folder.")

    def open_in(self, folder: Path) -> None:
        """Open the workspace in a folder."""
        found = survey(folder.resolve())
        if found.root == self.root:
            self._w.notify(Notice("info", "This workspace is open", "It is the one of this window.", key="workspace"))
        elif found.ours:
            self._open(found)
        else:
            holds = words(found.holds) or (f"{found.strange} files of others" if found.strange else "nothing")
            why = f"{found.root} holds {holds}, and no nashboard.db."
            make = Action("Make one", lambda: self.new_in(found.root))
            self._refuse(f"{folder.name} is no workspace", why, "", (make,))

    # Inside

    def _made(self) -> WelcomePage:
        page = WelcomePage()
        page.demoRequested.connect(self._w.start_demo)
        page.walkRequested.connect(self._walk)
        page.stayRequested.connect(self.use_this)
        page.newRequested.connect(self.choose_new)
        page.filesRequested.connect(self._w.open_dialog)
        page.workspaceRequested.connect(self.choose_open)
        page.guideRequested.connect(lambda: show_guide(self._w.window))
        return page

    def _walk(self) -> None:
        self._w.navigator.go(Place("overview"))
        self._w.overview.walk_demo()

    def _new_beside(self, found: Survey) -> None:
        """The folder is full of other things: the workspace gets one of its own in it."""
        inner = survey(found.root / NAME)
        text = (
            f"It holds {found.strange} files or folders of others, which stay as they are. The workspace gets the "
            f"folder {inner.root}" + (f", which is one already: it holds {words(inner.holds)}." if inner.holds else ".")
        )
        if inner.strange or (inner.holds and not inner.ours):
            self._refuse(f"{inner.root} is full of other things", "", "Choose another folder.")
        else:
            confirm(self._w.window, f"{found.root.name} is not empty", text, "Go on", lambda: self._open(inner))

    def _open(self, found: Survey) -> None:
        """Open a workspace in a window of its own; this one closes behind it where nothing is kept here."""
        try:
            data = DataDir.open(found.root)
            if not found.holds:
                SettingsFile(data.root).save(self._w.console.settings)
        except (EngineError, OSError) as error:
            self._w.bridge.report(error, "The workspace", key="workspace")
            return
        if not start_console(data.root):
            self._refuse("No other window could be started", "", f"Start Nashboard with --data-dir {data.root}.")
            return
        text = f"{data.root} gets a window of its own."
        self._w.notify(Notice("ok", "Opening the workspace", text, key="workspace"))
        self._make_way(data.root)

    def _make_way(self, root: Path, tries: int = TRIES) -> None:
        """Close this window once the other console is there, where nothing is kept here and nothing goes on."""
        idle = not self._w.jobs.state.jobs and self._w.devnet.state.status.state == "stopped"
        if not (survey(self.root).fresh and idle):
            return
        if (root / "console.lock").exists():
            self._w.console.close()
        elif tries:
            QTimer.singleShot(POLL_MS, self._w.window, lambda: self._make_way(root, tries - 1))

    def _refuse(self, what: str, why: str, next_step: str, actions: tuple[Action, ...] = ()) -> None:
        self._w.notify(Notice("warn", what, why, next_step, actions, key="workspace"))


def words(holds: tuple[str, ...]) -> str:
    """Return what a workspace holds, as part of a sentence."""
    return ", ".join(holds[:-1]) + (" and " if holds[1:] else "") + holds[-1] if holds else ""


def start_console(root: Path) -> bool:
    """Start a console on a data directory as a process that outlives this one; say whether it could be."""
    arguments = [*([] if is_frozen() else ["-m", "app"]), "--data-dir", str(root), "gui"]
    environment = QProcessEnvironment()
    for name, value in child_environment().items():
        environment.insert(name, value)
    other = QProcess()
    other.setProgram(sys.executable)
    other.setArguments(arguments)
    other.setWorkingDirectory(str(source_root()))
    other.setProcessEnvironment(environment)
    other.setStandardOutputFile(QProcess.nullDevice())
    other.setStandardErrorFile(QProcess.nullDevice())
    began: object = other.startDetached()  # the stub promises a pair, the call gives its first
    return bool(began[0] if isinstance(began, tuple) else began)
