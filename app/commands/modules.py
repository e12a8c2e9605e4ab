"""``nashboard agent`` and ``nashboard system``: what the gate says about modules."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.output import JsonOption, Output

if TYPE_CHECKING:
    from engine.league.gate import SyncGate, SystemImage, Verdict

REJECTED = 3
agent_group = typer.Typer(help="Agents: WASM modules that decide.", no_args_is_help=True)
system_group = typer.Typer(help="Systems: WASM modules that are played on.", no_args_is_help=True)
Files = Annotated[list[Path], typer.Argument(metavar="FILES...", help="WASM modules.")]


@agent_group.command("check")
def check_agents(context: typer.Context, files: Files, json: JsonOption = False) -> None:
    """Say of each file whether the gate accepts it as an agent. Exit status 3 when one is rejected."""
    _check(context.obj, files, "agent")


@system_group.command("check")
def check_systems(context: typer.Context, files: Files, json: JsonOption = False) -> None:
    """Say of each file whether the gate accepts it as a System. Exit status 3 when one is rejected."""
    _check(context.obj, files, "system")


@system_group.command("list")
def list_systems(context: typer.Context, json: JsonOption = False) -> None:
    """List the Systems that come with the program."""
    from engine.league.gate import SyncGate

    output: Output = context.obj
    with SyncGate() as gate:
        systems = [gate.check_file(path, "system").system() for path in shipped_systems().values()]
    rows = [
        {
            "id": system.spec.id,
            "title": system.spec.title,
            "version": system.spec.version,
            "seats": system.spec.seats,
            "max_steps": system.spec.max_steps,
            "score_min": system.spec.score_min,
            "score_max": system.spec.score_max,
            "sha256": system.sha256,
        }
        for system in systems
    ]
    lines = [f"{row['id']:<16} {row['title']:<28} {row['seats']} seat(s)  {row['sha256']}" for row in rows]
    output.result(rows, "\n".join(lines) or "No System came with this program.")


def _check(output: Output, files: list[Path], kind: str) -> None:
    from engine.league.gate import SyncGate

    refuse_missing(files)
    with SyncGate() as gate:
        verdicts = [gate.check_file(path, kind) for path in files]
    value = [{**verdict.to_json(), "file": str(path)} for path, verdict in zip(files, verdicts, strict=True)]
    output.result(value, "\n".join(_line(path, verdict) for path, verdict in zip(files, verdicts, strict=True)))
    if not all(verdict.accepted for verdict in verdicts):
        raise typer.Exit(REJECTED)


def _line(path: Path, verdict: Verdict) -> str:
    if verdict.accepted:
        return f"accepted  {path}  {verdict.abi}  {verdict.sha256}"
    return f"REJECTED  {path}  {verdict.reason}"


def refuse_missing(files: list[Path]) -> None:
    """Raise UsageError for the first file that is not there."""
    from engine.core.errors import UsageError

    for path in files:
        if not path.is_file():
            why = "it is a folder" if path.is_dir() else "no such file"
            raise UsageError(f"{path} cannot be read", why, "Check the path.", file=str(path))


def shipped_systems() -> dict[str, Path]:
    """Return the Systems that come with the program, by name."""
    from engine.core.paths import assets_dir

    return {path.stem: path for path in sorted((assets_dir() / "systems").glob("*.wasm"))}


def load_system(gate: SyncGate, name: str) -> tuple[SystemImage, Path]:
    """Return the System of an id, or of a .wasm file, and where it lies. Raises UsageError naming what is there."""
    import difflib

    from engine.core.errors import UsageError

    path = Path(name)
    if path.suffix == ".wasm":
        refuse_missing([path])
        return gate.check_file(path, "system").system(), path
    known = shipped_systems()
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        raise UsageError(
            f"There is no System {name!r}",
            f"known are {', '.join(known)}",
            f"Did you mean {near[0]!r}?" if near else "Choose one of these, or give the path of a .wasm file.",
        )
    return gate.check_file(known[name], "system").system(), known[name]
