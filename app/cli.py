"""The command line: every capability without a window.

Results go to stdout, everything else to stderr. Nothing heavy is imported here or at the top of a command module:
``--help`` answers at once, and works where Qt cannot be imported.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from app.commands import (
    bench,
    consensus,
    demo,
    devnet,
    dispute,
    doctor,
    gui,
    league,
    learn,
    matches,
    modules,
    serve,
    solve,
    stakes,
    systems,
    traces,
    wallet,
)
from app.commands.output import INTERRUPTED, Output, report

cli = typer.Typer(
    name="nashboard",
    help="Verifiable consensus and competition of AI agents: solve, play, prove, settle. Without command: the console.",
    add_completion=False,
    rich_markup_mode=None,  # plain help needs no rich, which takes longer to import than everything else here
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
cli.command(name="gui")(gui.gui)
cli.command(name="demo")(demo.demo)
cli.add_typer(devnet.group, name="devnet")
cli.add_typer(modules.agent_group, name="agent")
cli.add_typer(systems.group, name="system")
cli.add_typer(matches.group, name="match")
cli.add_typer(traces.group, name="trace")
cli.add_typer(league.group, name="league")
cli.add_typer(dispute.group, name="dispute")
cli.add_typer(wallet.group, name="wallet")
cli.command(name="stakes")(stakes.stakes)
cli.command(name="solve")(solve.solve)
cli.add_typer(consensus.group, name="consensus")
cli.add_typer(learn.group, name="learn")
cli.command(name="serve")(serve.serve)
cli.command(name="bench")(bench.bench)
cli.command(name="doctor")(doctor.doctor)

COMMANDS = (
    "gui",
    "demo",
    "devnet",
    "agent",
    "system",
    "match",
    "trace",
    "league",
    "dispute",
    "wallet",
    "stakes",
    "solve",
    "consensus",
    "learn",
    "serve",
    "bench",
    "doctor",
)
_WITH_VALUE = ("--data-dir",)


def program_version() -> str:
    """Return the version of what is running."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("nashboard")
    except PackageNotFoundError:
        return "0 (not installed)"


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nashboard {program_version()}")
        raise typer.Exit


@cli.callback()
def options(
    context: typer.Context,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", metavar="FOLDER", help="Where everything is kept. Default: yours.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the log's information lines too.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Take the options that hold for every command."""
    output: Output = context.obj
    output.data_root = data_dir
    output.verbose = verbose


def complete(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with ``gui`` put in where they name no command: a file to open, or nothing at all."""
    position = 0
    while position < len(arguments) and arguments[position].startswith("-"):
        if arguments[position] in ("-h", "--help", "--version"):
            return list(arguments)
        position += 2 if arguments[position] in _WITH_VALUE else 1
    if position >= len(arguments):
        return [*arguments, "gui"]
    if arguments[position] in COMMANDS:
        return list(arguments)
    _refuse_misspelling(arguments[position])
    return [*arguments[:position], "gui", *arguments[position:]]


def _refuse_misspelling(word: str) -> None:
    """Raise UsageError for a word that is neither a command nor a file."""
    import difflib

    from engine.core.errors import UsageError

    if Path(word).exists() or Path(word).suffix:
        return
    near = difflib.get_close_matches(word, COMMANDS, 1)
    raise UsageError(
        f"{word!r} is neither a command nor a file",
        "",
        f"Did you mean 'nashboard {near[0]}'?" if near else "See 'nashboard --help' for the commands.",
    )


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit status."""
    output = Output(json="--json" in arguments)
    try:
        command = typer.main.get_command(cli)
        status = command.main(complete(arguments), prog_name="nashboard", standalone_mode=False, obj=output)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BaseException as error:  # the one place where every failure becomes text and an exit status
        return report(error, output)
    if status == INTERRUPTED:  # the parser turns a KeyboardInterrupt into this status
        return report(KeyboardInterrupt(), output)
    return status if isinstance(status, int) else 0
