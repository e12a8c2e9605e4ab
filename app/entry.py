"""The shortest way to a window: a call that plainly asks for one need not wait for the parser of all commands.

The parser and the commands take as long to import as the first frame takes to be there. Whatever is not plain (another
option, a word that is no file to open, a mistake) goes to ``app.cli``, which says what there is to say.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

OPENED = (".nets", ".wasm", ".nfg", ".npz", ".json", ".toml")  # suffixes of what the console opens


@dataclass(frozen=True, slots=True)
class Wanted:
    """A window on a data directory (None: the platform's own place), with files to open."""

    data_root: Path | None
    verbose: bool
    files: list[Path]


def run(arguments: Sequence[str]) -> int:
    """Run the program and return its exit status: the console where it is plainly asked for, else the command line."""
    wanted = window_wanted(arguments)
    if wanted is None:
        from app.cli import run as command_line

        return command_line(arguments)
    try:
        gc.disable()  # until all is imported and built, of which next to nothing is garbage
        from app.main import open_window

        return open_window(wanted.data_root, wanted.files)
    except BaseException as error:  # as on the command line: every failure becomes text and an exit status
        gc.enable()
        from app.commands.output import Output, report

        return report(error, Output(data_root=wanted.data_root, verbose=wanted.verbose))


def window_wanted(arguments: Sequence[str]) -> Wanted | None:
    """Return what window the arguments ask for: folder, ``-v``, ``gui`` or nothing, files that are there; else None."""
    left = list(arguments)
    folder, verbose = None, False
    while left and left[0].startswith("-"):
        option, equals, value = left.pop(0).partition("=")
        if option == "--data-dir":
            if not equals and left:
                value = left.pop(0)
            if not value or value.startswith("-"):
                return None
            folder = Path(value)
        elif option in ("-v", "--verbose") and not equals:
            verbose = True
        else:
            return None
    if left[:1] == ["gui"]:
        left.pop(0)
    files = [_openable(name) for name in left]
    opened = [path for path in files if path is not None]
    return Wanted(folder, verbose, opened) if len(opened) == len(files) else None


def _openable(name: str) -> Path | None:
    if name.startswith(("-", "~")):  # an option; or a home that may not be there
        return None
    path = Path(name).resolve()
    return path if path.suffix.lower() in OPENED and path.is_file() else None
