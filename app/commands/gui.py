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
    from app.entry import OPENED
    from engine.core.errors import UsageError

    paths = [path.expanduser().resolve() for path in files or []]
    for path in paths:
        if not path.is_file():
            raise UsageError(f"There is no file {path}", "", "Check the path.")
        if path.suffix.lower() not in OPENED:
            why = "the console opens .nets and .wasm files, games as .nfg, .npz or .json, leagues as .toml"
            raise UsageError(f"{path.name} cannot be opened", why)
    from app.main import open_window

    raise typer.Exit(open_window(context.obj.data_root, paths))
