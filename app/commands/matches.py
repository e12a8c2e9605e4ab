"""``nashboard match``: play one match, verify bundles, look into them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.output import JsonOption, Output, table

if TYPE_CHECKING:
    from engine.league.bundle import Bundle
    from engine.league.gate import SyncGate
    from engine.league.replay import StepView
    from engine.league.sandbox import Sandbox

VERIFICATION_FAILED = 3
group = typer.Typer(help="Single matches and their bundles (.nets).", no_args_is_help=True)


@group.command()
def run(
    context: typer.Context,
    system: Annotated[str, typer.Option(metavar="ID", help="What is played: an id or a .wasm file.")],
    agent: Annotated[list[Path], typer.Option(metavar="A.wasm", help="Who plays; once a seat.")],
    seed: Annotated[str, typer.Option(metavar="N", help="Seed, 64 bits; 0x is understood.")],
    out: Annotated[Path, typer.Option(metavar="M.nets", help="Where the bundle goes.")],
    budget: Annotated[int | None, typer.Option(metavar="GAS", help="Gas a decision.")] = None,
    preset: Annotated[str, typer.Option(metavar="ID", help="The System's parameters by name.")] = "",
    param: Annotated[list[str] | None, typer.Option(metavar="NAME=N", help="One parameter of the System.")] = None,
    json: JsonOption = False,
) -> None:
    """Play a match and write its bundle, which anybody can verify offline."""
    from app.commands.modules import refuse_missing
    from app.commands.systems import load_system
    from engine.league.bundle import Bundle, write_bundle
    from engine.league.config import DEFAULT_BUDGET, parse_int, parse_params
    from engine.league.match import MatchRequest, Outcome, run_match

    output: Output = context.obj
    refuse_missing(agent)
    gas = DEFAULT_BUDGET if budget is None else budget
    with arena(output) as (gate, sandbox):
        image, source = load_system(output, gate, system)
        players = tuple(gate.check_file(path, "agent").agent() for path in agent)
        params = image.spec.resolve(parse_params(param or ()), preset)
        request = MatchRequest(image, players, parse_int(seed, "seed"), gas, params=params)
        result = run_match(request, sandbox)
        if result.outcome is Outcome.INFRA:
            raise _spoiled(result)
        bundle = Bundle.of(request, result, source, tuple(path.read_bytes() for path in agent))
    write_bundle(out, bundle)
    value = {**result.to_json(request), "params": params, "budget": request.budget, "bundle": str(out)}
    output.result(value, _summary(value))


def _spoiled(result: Any) -> Exception:
    from engine.core.errors import EngineError

    why = f"{result.cause}: {result.detail}"
    return EngineError("The match could not be played on this machine", why, "Run it again.")


@group.command()
def verify(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="M.nets...", help="Bundles.")],
    json: JsonOption = False,
) -> None:
    """Play bundles again and compare. Exit status 3 and the first divergent step when anything differs."""
    from app.commands.modules import refuse_missing

    output: Output = context.obj
    refuse_missing(files)
    with arena(output) as (gate, sandbox):
        reports = [_verify(path, gate, sandbox) for path in files]
    ok = all(report["ok"] for report in reports)
    lines = [_verdict(report) for report in reports]
    output.result({"ok": ok, "files": reports}, "\n".join(lines))
    if not ok:
        raise typer.Exit(VERIFICATION_FAILED)


def _verify(path: Path, gate: SyncGate, sandbox: Sandbox) -> dict[str, Any]:
    """Return the report on one file; a damaged one is a report too, so that the others still get theirs."""
    from engine.core.errors import VerificationError
    from engine.league.bundle import read_bundle
    from engine.league.verify import verify_bundle

    try:
        bundle = read_bundle(path)
        verification = verify_bundle(bundle, gate, sandbox)
    except VerificationError as error:
        return {"file": str(path), "ok": False, "step": None, "differences": [str(error)], "replayed": None}
    return {"file": str(path), **verification.to_json(), "commitment": bundle.commitment.hex()}


def _verdict(report: dict[str, Any]) -> str:
    if report["ok"]:
        return f"verified  {report['file']}  {report['commitment']}"
    where = f" (first divergent step: {report['step']})" if report["step"] is not None else ""
    return f"FAILED    {report['file']}{where}\n" + "\n".join(f"          {text}" for text in report["differences"])


@group.command()
def show(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="M.nets", help="A bundle.")],
    step: Annotated[int | None, typer.Option(metavar="N", help="Show this step: what was seen and done.")] = None,
    json: JsonOption = False,
) -> None:
    """Show what a bundle says of its match, without verifying it."""
    from app.commands.modules import refuse_missing
    from engine.league.bundle import read_bundle

    output: Output = context.obj
    refuse_missing([file])
    bundle = read_bundle(file)
    if step is None:
        value = _describe(file, bundle)
        output.result(value, _summary(value))
        return
    from engine.core.errors import UsageError

    if not 0 <= step < bundle.steps:
        raise UsageError(f"There is no step {step}", f"the match has steps 0 to {bundle.steps - 1}")
    value = _describe_step(bundle, _look(output, bundle, step))
    output.result(value, "\n".join(f"{key:<12} {_short(item)}" for key, item in value.items()))


def _look(output: Output, bundle: Bundle, step: int) -> StepView:
    from engine.league.replay import Replay

    with arena(output) as (gate, sandbox):
        return Replay(bundle, gate.check(bundle.system, "system", "system.wasm").system(), sandbox).at(step)


def _describe(file: Path, bundle: Bundle) -> dict[str, Any]:
    match = bundle.match
    return {
        "file": str(file),
        "outcome": match.outcome,
        "cause": match.cause,
        "seat": match.seat,
        "scores": list(match.scores),
        "steps": bundle.steps,
        "gas": _gas(bundle),
        "trace_root": bundle.trace_root.hex(),
        "commitment": bundle.commitment.hex(),
        "system_hash": match.system,
        "agent_hashes": list(match.agents),
        "seed": match.seed,
        "budget": match.budget,
        "gate": match.gate,
    }


def _gas(bundle: Bundle) -> list[int]:
    used = [0] * len(bundle.agents)
    for record in bundle.records:
        used[record.seat] += record.gas_used
    return used


def _describe_step(bundle: Bundle, view: StepView) -> dict[str, Any]:
    return {
        "step": view.step,
        "steps": bundle.steps,
        "seat": view.seat,
        "observation": view.observation.hex(),
        "packed": str(view.packed),
        "action": None if view.action is None else str(view.action),
        "legal": view.legal,
        "cause": view.cause,
        "gas_used": view.gas_used,
        "state": view.state.hex(),
        "leaf": view.leaf.hex(),
        "path": [node.hex() for node in view.path],
        "trace_root": bundle.trace_root.hex(),
        "commitment": bundle.commitment.hex(),
    }


def _summary(value: dict[str, Any]) -> str:
    ending = value["outcome"] + (f": seat {value['seat']}, {value['cause']}" if value["cause"] else "")
    rows: list[tuple[Any, ...]] = [("outcome", ending)]
    rows += [(key, _short(value[key])) for key in ("scores", "steps", "gas", "seed", "budget")]
    rows += [(key, value[key]) for key in ("trace_root", "commitment", "system_hash")]
    rows += [(f"agent {seat}", digest) for seat, digest in enumerate(value["agent_hashes"])]
    rows.append(("bundle", value.get("bundle") or value.get("file")))
    return table(("match", ""), rows)


def _short(item: Any) -> str:
    if isinstance(item, list):
        return ", ".join(map(str, item))
    text = str(item)
    return text if len(text) <= 160 else f"{text[:150]}... ({len(text) // 2} bytes)"


@contextlib.contextmanager
def arena(output: Output) -> Iterator[tuple[SyncGate, Sandbox]]:
    """Open a gate and a sandbox for one command, with the data directory's cache of compiled modules."""
    from engine.league.gate import SyncGate
    from engine.league.sandbox import Sandbox

    with SyncGate() as gate, Sandbox(output.data().cache) as sandbox:
        yield gate, sandbox
