"""``nashboard gui``: the console."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def gui(
    context: typer.Context,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILES]...", help="Match bundles (.nets) and agents (.wasm).")
    ] = None,
) -> None:
    """Open the console, with the files given."""
    from engine.core.errors import DependencyError, UsageError

    paths = [path.expanduser().resolve() for path in files or []]
    for path in paths:
        if not path.is_file():
            raise UsageError(f"There is no file {path}", "", "Check the path.")
        if path.suffix.lower() not in (".nets", ".wasm"):
            raise UsageError(f"{path.name} cannot be opened", "the console opens .nets and .wasm files")
    try:
        from app.main import display_problem, run_console
    except ImportError as error:
        if (error.name or "").partition(".")[0] in ("app", "engine", "widgets"):
            raise
        raise DependencyError(
            "The console cannot be opened: Qt cannot be loaded",
            str(error),
            "See 'nashboard doctor' for what is missing. 'nashboard demo' works without a window.",
        ) from error
    problem = display_problem()
    if problem:
        raise DependencyError(
            "The console cannot be opened: there is no display",
            problem,
            "Run 'nashboard demo' for the main job without a window, or 'nashboard --help' for the commands.",
        )
    raise typer.Exit(run_console(context.obj.data(), paths))
