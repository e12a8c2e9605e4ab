"""Opening files, whichever way they come: dropped, chosen, named on the command line, handed over."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from app.consensus_actions import GAME_FILES
from app.dialogs import choose_files
from app.entry import OPENED
from app.errors import Notice
from app.links import Place
from app.viewmodels.agreement_task import is_task_file
from engine.games.files import SUFFIXES
from widgets.drop_zone import FOLDER

if TYPE_CHECKING:
    from app.wiring import Wiring

DROPPED = (*OPENED, FOLDER)


def open_files(w: Wiring, files: list[Path]) -> None:
    """Open them: agents enter the roster; of matches, games, tasks, league files and workspaces the first is shown."""
    odd = [path for path in files if path.exists() and not (path.is_dir() or path.is_file())]
    if odd:  # reading one may take for ever
        text = f"{', '.join(path.name for path in odd[:5])}: pipes and devices are not read."
        w.notify(Notice("warn", "Some files cannot be opened", text, key="files"))
        files = [path for path in files if path not in odd]
    folders = [path for path in files if path.is_dir()]
    named = [(path.suffix.lower(), path) for path in files if path not in folders]
    agents = [path for suffix, path in named if suffix == ".wasm"]
    bundles = [path for suffix, path in named if suffix == ".nets"]
    leagues = [path for suffix, path in named if suffix == ".toml"]
    tasks = [path for suffix, path in named if suffix == ".json" and is_task_file(path)]
    games = [path for suffix, path in named if suffix in SUFFIXES and path not in tasks]
    if agents:
        w.navigator.go(Place("leagues", "tab/setup"))
        w.roster.add(agents)
    if leagues:
        w.navigator.go(Place("leagues", "tab/setup"))
        w.league.load_file(leagues[0])
    if bundles:
        w.navigator.go(Place("replay"))
        w.replay.open_file(bundles[0])
    if games:
        w.games.open(games)
    if tasks:
        w.agreements.open_task(tasks[0])
    if folders:
        w.workspaces.open_in(folders[0])
    for opened, what in (
        (bundles, "match"),
        (games, "game"),
        (tasks, "task"),
        (leagues, "league file"),
        (folders, "workspace"),
    ):
        if len(opened) > 1:
            text = f"{len(opened) - 1} more were given; one {what} is shown at a time."
            w.notify(Notice("info", f"Opened {opened[0].name}", text, key="opened"))


def open_dialog(w: Wiring) -> None:
    """Ask for files to open."""
    patterns = " ".join(f"*{suffix}" for suffix in OPENED)
    kinds = f"Match bundles (*.nets);;Agents (*.wasm);;{GAME_FILES};;League files (*.toml)"
    choose_files(w.window, "Open", f"All of these ({patterns});;{kinds}", w.open_files)
