"""``nashboard system``: the Systems that can be played, shipped ones and the operator's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.modules import REJECTED, Files, check_modules, refuse_missing
from app.commands.output import JsonOption, Output, table

if TYPE_CHECKING:
    from engine.league.admission import Admission, SystemInfo
    from engine.league.gate import SyncGate, SystemImage
    from engine.runtime import Runtime

group = typer.Typer(help="Systems: WASM modules that are played on.", no_args_is_help=True)


@group.command()
def check(context: typer.Context, files: Files, json: JsonOption = False) -> None:
    """Say of each file whether the gate accepts it as a System. Exit status 3 when one is rejected."""
    check_modules(context.obj, files, "system")


@group.command()
def add(context: typer.Context, files: Files, json: JsonOption = False) -> None:
    """Put Systems beside the shipped ones, to be played by their ids. Exit status 3 when one is rejected."""
    from app.commands.session import run_engine

    refuse_missing(files)

    async def work(runtime: Runtime) -> list[Admission]:
        return [await runtime.league.admissions.add_system(path) for path in files]

    output: Output = context.obj
    found = run_engine(output, work)
    value = [{**item.verdict.to_json(), "note": item.note} for item in found]
    lines = [
        f"{'added' if item.system else 'REJECTED'}  {item.file}  {item.note or item.verdict.reason}" for item in found
    ]
    output.result(value, "\n".join(lines))
    if not all(item.system for item in found):
        raise typer.Exit(REJECTED)


@group.command("list")
def list_systems(
    context: typer.Context,
    params: Annotated[bool, typer.Option("--params", help="Say what parameters and presets they take.")] = False,
    json: JsonOption = False,
) -> None:
    """List the Systems: those that come with the program, and the operator's own."""
    from app.commands.session import run_engine

    async def work(runtime: Runtime) -> list[SystemInfo]:
        return await runtime.league.systems()

    systems = run_engine(context.obj, work)
    value = [
        {
            "id": info.id,
            "title": info.title,
            "version": info.version,
            "seats": info.seats,
            "max_steps": info.max_steps,
            "sha256": info.sha256,
            "shipped": info.shipped,
            "params": [param.model_dump() for param in info.params],
            "presets": [preset.model_dump() for preset in info.presets],
        }
        for info in systems
    ]
    rows = [(i.id, i.title, i.seats, i.version, "" if i.shipped else "own", i.sha256) for i in systems]
    lines = [table(("id", "title", "seats", "version", "", "sha256"), rows)]
    if params:
        lines += [_parameters(info) for info in systems if info.params]
    context.obj.result(value, "\n\n".join(lines))


def _parameters(info: SystemInfo) -> str:
    rows = [(param.name, param.min, param.max, param.default, param.title) for param in info.params]
    presets = "\n".join(
        f"  --preset {preset.id}: " + ", ".join(f"{name}={value}" for name, value in preset.params.items())
        for preset in info.presets
    )
    return f"{info.title}\n{table(('parameter', 'from', 'to', 'default', ''), rows)}\n{presets}".rstrip()


def load_system(output: Output, gate: SyncGate, name: str) -> tuple[SystemImage, bytes]:
    """Return the System of an id, or of a .wasm file, and the module as it was handed in.

    Raises UsageError naming what there is.
    """
    import difflib

    from engine.core.errors import UsageError

    path = Path(name)
    if path.suffix == ".wasm":
        refuse_missing([path])
        return gate.check_file(path, "system").system(), path.read_bytes()
    known = {**_own_systems(output), **_shipped_systems()}
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        raise UsageError(
            f"There is no System {name!r}",
            f"known are {', '.join(sorted(known))}",
            f"Did you mean {near[0]!r}?" if near else "Choose one of these, or give the path of a .wasm file.",
        )
    return gate.check(known[name], "system", name).system(), known[name]


def _shipped_systems() -> dict[str, bytes]:
    from engine.core.paths import assets_dir

    return {path.stem: path.read_bytes() for path in (assets_dir() / "systems").glob("*.wasm")}


def _own_systems(output: Output) -> dict[str, bytes]:
    """Return the operator's Systems by id; nothing is made where there is no store yet."""
    from engine.league.roster import Roster
    from engine.league.system import read_spec
    from engine.store.database import Store

    database = output.data().database
    if not database.is_file():
        return {}
    store = Store.open(database)
    try:
        roster = Roster(store, str)
        modules = [roster.original(sha256) for sha256 in roster.systems()]
    finally:
        store.close()
    return {read_spec(module).id: module for module in modules}
