"""``nashboard gui``: the console."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def gui(
    context: typer.Context,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILES]...", help="Matches (.nets), agents (.wasm), games (.nfg, .npz, .json), leagues (.toml)."
        ),
    ] = None,
) -> None:
    """Open the console, with the files given."""
    from engine.core.errors import UsageError

    paths = [path.expanduser().resolve() for path in files or []]
    for path in paths:
        if not path.is_file():
            raise UsageError(f"There is no file {path}", "", "Check the path.")
        if path.suffix.lower() not in (".nets", ".wasm", ".nfg", ".npz", ".json", ".toml"):
            why = "the console opens .nets and .wasm files, games as .nfg, .npz or .json, leagues as .toml"
            raise UsageError(f"{path.name} cannot be opened", why)
    from app.main import display_problem, leave_at_once, run_console

    _require_window(display_problem())
    raise typer.Exit(run_console(context.obj.data(), paths, leave_at_once))


def _require_window(problem: str | None) -> None:
    """Raise DependencyError where no window can be opened: Qt itself would abort the program."""
    from app.doctor import window_problem
    from engine.core.errors import DependencyError

    advice = "Run 'nashboard demo' for the main job without a window, or 'nashboard --help' for the commands."
    if problem:
        raise DependencyError("The console cannot be opened: there is no display", problem, advice)
    try:
        import PySide6.QtWidgets  # noqa: F401
    except ImportError as error:
        raise DependencyError(
            "The console cannot be opened: Qt cannot be loaded", str(error), f"See 'nashboard doctor'. {advice}"
        ) from error
    problem = window_problem()
    if problem:
        raise DependencyError("The console cannot be opened", problem, f"See 'nashboard doctor'. {advice}")
