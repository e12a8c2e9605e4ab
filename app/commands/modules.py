"""``nashboard agent``: what the gate says about agents, and agents made from models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.output import JsonOption, Output, table

if TYPE_CHECKING:
    from engine.league.gate import Verdict
    from engine.league.neural.build import BuiltAgent

REJECTED = 3
agent_group = typer.Typer(help="Agents: WASM modules that decide.", no_args_is_help=True)
Files = Annotated[list[Path], typer.Argument(metavar="FILES...", help="WASM modules.")]
SystemName = Annotated[str, typer.Option("--system", metavar="ID", help="What is played: an id or a .wasm file.")]


@agent_group.command("check")
def check_agents(context: typer.Context, files: Files, json: JsonOption = False) -> None:
    """Say of each file whether the gate accepts it as an agent. Exit status 3 when one is rejected."""
    check_modules(context.obj, files, "agent")


@agent_group.command("build")
def build(
    context: typer.Context,
    model: Annotated[Path, typer.Argument(metavar="MODEL.pt", help="A trained nn.Sequential, or its state_dict.")],
    system: SystemName,
    out: Annotated[Path, typer.Option(metavar="A.wasm", help="Where the agent goes.")],
    features: Annotated[
        str,
        typer.Option(metavar="NAME", help="What goes in: packed, board or bytes. Default: by the number of inputs."),
    ] = "",
    calibrate: Annotated[int, typer.Option(metavar="N", help="Observations to calibrate on.")] = 2000,
    budget: Annotated[int | None, typer.Option(metavar="GAS", help="Gas that a decision may take.")] = None,
    json: JsonOption = False,
) -> None:
    """Turn a small torch perceptron into an int8 agent, and compare it with its quantised twin."""
    from app.commands.systems import load_system
    from engine.core.errors import EngineError, UsageError
    from engine.core.files import write_atomically
    from engine.league.config import DEFAULT_BUDGET
    from engine.league.gate import SyncGate
    from engine.league.neural.build import BuildRequest, build_agent

    output: Output = context.obj
    refuse_missing([model])
    if not out.parent.is_dir() or out.is_dir() or (out.exists() and out.samefile(model)):
        raise UsageError(f"{out} cannot be written", "it is no place for a new file", "Choose another --out.")
    with SyncGate() as gate:
        image, _ = load_system(output, gate, system)
    budget = DEFAULT_BUDGET if budget is None else budget
    built = build_agent(BuildRequest(model, image, features, calibrate, budget))
    try:
        write_atomically(out, built.wasm, mode=0o644)
    except OSError as error:
        raise EngineError(f"The agent {out.name} cannot be written", error.strerror or str(error)) from error
    output.result({"file": str(out), **built.to_json()}, _describe(out, built))


def _describe(out: Path, built: BuiltAgent) -> str:
    value = built.to_json()
    endings = ", ".join(f"{count} {ending}" for ending, count in built.outcomes.items())
    rows = [
        ("layers", f"{' - '.join(map(str, built.sizes))}, {built.parameters:,} parameters"),
        ("inputs", f"{built.features} of {built.system}"),
        ("size", f"{len(built.wasm):,} bytes"),
        ("gas", f"{built.gas:,} of {built.budget:,} a decision"),
        ("twin", f"equal in {built.verified:,} decisions"),
        ("floats", f"the same action in {built.agreement:.2%} of {built.observations:,} observations"),
        ("trial", f"{endings}; mean score {built.mean_score:.2f}"),
        ("sha256", value["sha256"]),
    ]
    if built.assumed:
        rows.append(("assumed", built.assumed))
    return table((str(out), ""), rows)


@agent_group.command("inputs")
def inputs(context: typer.Context, system: SystemName, json: JsonOption = False) -> None:
    """List what the inputs and outputs of a model mean on a System: what to train it on."""
    from app.commands.systems import load_system
    from engine.league.gate import SyncGate
    from engine.league.neural.actions import actions_of
    from engine.league.neural.build import describe_inputs

    output: Output = context.obj
    with SyncGate() as gate:
        image, _ = load_system(output, gate, system)
    outputs = list(actions_of(image.spec).names)
    found = describe_inputs(image)
    lines = [f"outputs, {len(outputs)}:", *(f"  {at:>5}  {name}" for at, name in enumerate(outputs))]
    for scheme, names in found.items():
        lines += [f"inputs of {scheme}, {len(names)}:", *(f"  {at:>5}  {name}" for at, name in enumerate(names))]
    output.result({"system": image.spec.id, "outputs": outputs, "inputs": found}, "\n".join(lines))


def check_modules(output: Output, files: list[Path], kind: str) -> None:
    """Print the gate's verdict on each file; exit with 3 when one is rejected."""
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
