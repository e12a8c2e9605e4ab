"""What every command shares: results on stdout, everything else on stderr, and exit statuses."""

from __future__ import annotations

import json
import os
import shlex
import sys
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from engine.core.paths import DataDir

INTERRUPTED = 130
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON value on stdout and nothing else.")]


class Device(StrEnum):
    """Where games are solved."""

    CPU = "cpu"
    CUDA = "cuda"


@dataclass
class Output:
    """How this run of the program speaks; commands get it as ``context.obj``."""

    json: bool = False
    data_root: Path | None = None
    verbose: bool = False
    resume_hint: str = ""  # what to call after an interruption
    extra: dict[str, Any] = field(default_factory=dict)  # facts that an interrupted run still reports

    def data(self) -> DataDir:
        """Return the data directory, made where it is missing."""
        from engine.core.paths import DataDir

        return DataDir.open(self.data_root)

    def result(self, value: Any, text: str = "") -> None:
        """Print the result: the value as JSON where that was asked for, else the text."""
        if sys.stdout is None:  # closed by whoever started the program: nobody wants to know
            return
        sys.stdout.write((json.dumps(value, indent=2) if self.json else text.rstrip("\n")) + "\n")

    def note(self, text: str) -> None:
        """Say something about what goes on; on stderr, since it is no result."""
        sys.stderr.write(text.rstrip("\n") + "\n")
        sys.stderr.flush()

    def resumable(self, group: str, run_id: int) -> None:
        """Say from now on, where the run is interrupted, by which call it goes on."""
        place = f" --data-dir {shlex.quote(str(self.data_root))}" if self.data_root else ""
        self.resume_hint = f"nashboard{place} {group} resume {run_id}"
        self.extra = {"run_id": run_id}

    def console(self) -> Console:
        """Return the rich console for progress, on stderr."""
        from rich.console import Console

        return Console(stderr=True, highlight=False)


def report(error: BaseException, output: Output) -> int:
    """Show a failure and return the exit status: expected ones as what, why and what next; bugs with a traceback."""
    if isinstance(error, typer.Exit):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return _report_interrupt(output)
    if isinstance(error, BrokenPipeError):
        # The reader of stdout went away (`| head`). Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    return _report_failure(error, output)


def _report_interrupt(output: Output) -> int:
    if output.resume_hint:
        output.note(f"Interrupted. Go on with: {output.resume_hint}")
    else:
        output.note("Interrupted.")
    hint = {"resume": output.resume_hint} if output.resume_hint else {}
    _as_json({"error": "Interrupted", **hint, **output.extra}, output)
    return INTERRUPTED


def _report_failure(error: BaseException, output: Output) -> int:
    from engine.core.errors import EngineError

    expected = error if isinstance(error, EngineError) else _expected(error)
    if expected is not None:
        output.note(_as_text(expected))
        _as_json(expected.to_json(), output)
        return expected.exit_code
    return _report_bug(error, output)


def _as_json(value: Any, output: Output) -> None:
    """Print a failure as JSON too where that was asked for and stdout takes it: the failure may be that it is full."""
    try:
        if output.json:
            output.result(value)
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:  # Python would complain once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report_bug(error: BaseException, output: Output) -> int:
    """Keep the traceback in a file beside the logs, or show it where that cannot be written."""
    import time
    import traceback

    from engine.core.errors import EngineError

    text = "".join(traceback.format_exception(error))
    try:
        path = output.data().logs / f"crash-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
        path.write_text(f"{' '.join(sys.argv)}\n\n{text}", encoding="utf-8")
        advice = f"Please report it with the file {path}"
    except (OSError, EngineError):
        output.note(text)
        advice = "Please report it with the lines above"
    output.note(f"Error: this is a bug in Nashboard: {error!r}\n  next: {advice}.")
    _as_json({"error": "Bug", "what": repr(error), "why": "a bug in Nashboard", "next": f"{advice}."}, output)
    return 1


def _expected(error: BaseException) -> Any:
    """Return usage errors of the parser and a disk's failures as the engine's errors, None for a bug."""
    from engine.core.errors import EngineError, UsageError

    if isinstance(error, typer.TyperException):
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "nashboard"
        return UsageError(message, "", f"See '{command} --help'.")
    if isinstance(error, OSError):
        from app.errors import is_expected, notice_of

        if is_expected(error):
            notice = notice_of(error)
            return EngineError(notice.title, "", notice.text)
    return None


def _as_text(error: Any) -> str:
    """Return what, why and next on lines of their own."""
    lines = [f"Error: {error.what}"]
    if error.why:
        lines.append(f"  why:  {error.why}")
    if error.next_step:
        lines.append(f"  next: {error.next_step}")
    return "\n".join(lines)


def table(headers: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    """Return rows in aligned columns; numbers to the right."""
    cells = [headers, *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headers))]
    right = [bool(rows) and all(isinstance(row[column], int) for row in rows) for column in range(len(headers))]
    lines = []
    for row in cells:
        parts = (
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(row, widths, right, strict=True)
        )
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)


def settings(texts: list[str], words: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return what ``--set NAME=VALUE`` says: values as JSON where they are, else as text; those of ``words`` always."""
    return dict(_setting(text, words) for text in texts)


def _setting(text: str, words: tuple[str, ...]) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--set")
    name = name.strip()
    if name in words:
        return name, value
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
