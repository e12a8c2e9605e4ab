"""``nashboard learn``: the proof-of-learning chain, its scenarios, its sweep, its services."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.learn_text import describe, describe_sweep
from app.commands.output import JsonOption, Output, table
from app.commands.output import settings as read_settings

if TYPE_CHECKING:
    from engine.core.bus import EventBus
    from engine.learning.faults import Fault
    from engine.learning.results import LearnResult
    from engine.learning.service.run import LearnRun
    from engine.learning.service.specs import LearnSpec
    from engine.learning.sweep import Sweep
    from engine.runtime import Runtime

group = typer.Typer(help="The proof-of-learning chain: run it, break it, watch what it does.", no_args_is_help=True)
SWEEP = "sweep"
WORDS = ("genesis_seed", "quorum")  # settings that are text also where they look like numbers
_CHECK_FAILED = 3
SettingsOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting, as rule=krum or gate_texts=64.")
]
OnChainOption = Annotated[
    bool, typer.Option("--on-chain", help="Mirror stakes and slashings to the staking contract of the devnet.")
]


@group.command()
def run(
    context: typer.Context,
    scenario: Annotated[
        str, typer.Argument(metavar="SCENARIO", help="A name of 'learn scenarios', a .toml, or 'sweep'.")
    ],
    validators: Annotated[int | None, typer.Option(metavar="N", help="How many at genesis.")] = None,
    slots: Annotated[int | None, typer.Option(metavar="N", help="How long it runs.")] = None,
    genesis_seed: Annotated[str | None, typer.Option(metavar="HEX", help="64 digits: all keys come of it.")] = None,
    transport: Annotated[str | None, typer.Option(metavar="sim|dht", help="The DHT: in process, or hivemind.")] = None,
    training: Annotated[
        str | None, typer.Option(metavar="replayed|real", help="Recorded deltas, or training here and now.")
    ] = None,
    settings: SettingsOption = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND[@SLOT][:WHO]", help="Put a fault in, as offline@8:1,2 or dht_kill@4:0."),
    ] = None,
    on_chain: OnChainOption = False,
    csv: Annotated[Path | None, typer.Option(metavar="OUT.csv", help="Of a sweep: every cell, full precision.")] = None,
    json: JsonOption = False,
) -> None:
    """Run a scenario and check its outcome. Exit status 3 when the chain did not do what the scenario says."""
    given = {"validators": validators, "slots": slots, "genesis_seed": genesis_seed, "transport": transport}
    values = {**{k: v for k, v in given.items() if v is not None}, **read_settings(settings or [], WORDS)}
    if training is not None:
        values["training"] = training
    if values.get("transport") == "dht":
        values.setdefault("clock", "wall")
    if scenario == SWEEP:
        _run_sweep(context.obj, values, csv)
        return
    from engine.learning.service.specs import LearnSpec

    faults = tuple(_fault(text) for text in fault or [])
    _run(context.obj, LearnSpec(scenario, values, faults, on_chain=on_chain))


@group.command()
def up(
    context: typer.Context,
    env: Annotated[Path | None, typer.Option("--env", metavar=".env", help="Seed, quorum, model and ports.")] = None,
    scenario: Annotated[str, typer.Option(metavar="NAME", help="Where it starts from.")] = "real",
    free_ports: Annotated[bool, typer.Option("--free-ports", help="Take any that are free.")] = False,
    settings: SettingsOption = None,
    on_chain: OnChainOption = False,
    json: JsonOption = False,
) -> None:
    """Keep a chain running with its HTTP services (beacon, engine, eth, DHT peers) until Ctrl+C."""
    import dataclasses
    import os

    from engine.learning.env import NAMES, Ports, read
    from engine.learning.service.specs import LearnSpec

    output: Output = context.obj
    named = {name: os.environ[name] for name in NAMES if name in os.environ}
    environment = read(named if env is None else env.expanduser())
    for note in environment.notes:
        output.note(note)
    ports = dataclasses.asdict(Ports.automatic() if free_ports else environment.ports)
    values = {**environment.settings(), **read_settings(settings or [], WORDS)}
    _run(output, LearnSpec(scenario, values, (), on_chain=on_chain, services=True, ports=ports, endless=True))


@group.command()
def resume(
    context: typer.Context,
    run_id: Annotated[
        int, typer.Argument(metavar="RUN", min=1, max=2**31, help="Its number; see 'nashboard learn list'.")
    ],
    json: JsonOption = False,
) -> None:
    """Go on with a run that was interrupted: what it did is played again from its journal, nothing is trained twice."""
    from app.commands.session import run_engine

    output: Output = context.obj

    async def work(runtime: Runtime) -> LearnResult:
        with _progress(output, runtime.bus):
            return await _outcome(output, await runtime.learning.resume(run_id))

    _show(output, run_engine(output, work))


@group.command(name="list")
def list_runs(context: typer.Context, json: JsonOption = False) -> None:
    """List the runs of this data directory, newest first."""
    from app.commands.session import run_engine

    output: Output = context.obj

    async def work(runtime: Runtime) -> list[Any]:
        return [record.to_json() for record in runtime.learning.runs()]

    found = run_engine(output, work)
    lines = [(r["run_id"], r["scenario"], r["state"], r["slots"] or "", (r["trace_hash"] or "")[:16]) for r in found]
    heads = ("run", "scenario", "state", "slots", "trace hash")
    output.result(found, table(heads, lines) if lines else "There are no runs yet.")


@group.command()
def scenarios(context: typer.Context, json: JsonOption = False) -> None:
    """List the scenarios: what each shows, and what must come of it."""
    from engine.learning.scenario import SCENARIOS

    output: Output = context.obj
    found = [{"name": s.name, "title": s.title, "sentence": s.sentence} for s in SCENARIOS.values()]
    found.append({"name": SWEEP, "title": "Byzantine sweep", "sentence": "Every attack by every rule, as a table."})
    output.result(found, table(("name", "what it shows"), [(item["name"], item["sentence"]) for item in found]))


def _run(output: Output, spec: LearnSpec) -> None:
    from app.commands.session import run_engine

    spec.resolve()  # settings that are wrong are told before anything starts

    async def work(runtime: Runtime) -> LearnResult:
        if spec.on_chain:
            await runtime.devnet.up()
        with _progress(output, runtime.bus):
            return await _outcome(output, await runtime.learning.start(spec))

    _show(output, run_engine(output, work))


def _run_sweep(output: Output, values: dict[str, Any], csv: Path | None) -> None:
    from app.commands.session import run_engine
    from engine.learning.events import SweepProgressed
    from engine.learning.sweep import SweepSpec, to_csv

    spec = SweepSpec.read(values)

    async def work(runtime: Runtime) -> Sweep:
        def progressed(event: SweepProgressed) -> None:
            if event.done % 20 == 0 or event.done == event.total:
                output.note(f"{event.done} of {event.total} cells")

        subscription = runtime.bus.subscribe(progressed, SweepProgressed)
        try:
            return await (await runtime.learning.sweep(spec)).result()
        finally:
            subscription.close()

    found = run_engine(output, work)
    if csv is not None:
        from engine.core.files import write_atomically

        write_atomically(csv.expanduser(), to_csv(found).encode())
        output.note(f"Written: {csv}")
    output.result(found.to_json(), describe_sweep(found))


async def _outcome(output: Output, run: LearnRun) -> LearnResult:
    """Wait for a run's end; say how to go on with it where something came between."""
    output.resumable("learn", run.run_id)
    result = await run.result()
    output.resume_hint = ""
    return result


@contextlib.contextmanager
def _progress(output: Output, bus: EventBus) -> Iterator[None]:
    """Tell on stderr how a run goes."""
    from engine.learning.events import LearnFault, LearnFinality, LearnRefused, LearnServices, LearnSlashed, LearnUpdate

    finalized = 0
    told: set[tuple[int, str]] = set()

    def finality(event: LearnFinality) -> None:
        nonlocal finalized
        if event.finalized_epoch > finalized:
            finalized = event.finalized_epoch
            output.note(f"slot {event.slot}: epoch {finalized} is final")

    def update(event: LearnUpdate) -> None:
        round_, stage = event.update["round"], event.update["stage"]
        if stage in ("included", "rejected", "expired", "rolled_back") and (round_, stage) not in told:
            told.add((round_, stage))
            output.note(f"slot {event.slot}: round {round_} {stage}. {event.update['explanation']}")

    def say(event: LearnSlashed | LearnRefused | LearnFault) -> None:
        output.note(f"slot {event.slot}: {event.text}")

    def opened(event: LearnServices) -> None:
        for name, address in event.addresses.items():
            output.note(f"{name}: {address}")

    subscriptions = [
        bus.subscribe(finality, LearnFinality),
        bus.subscribe(update, LearnUpdate),
        bus.subscribe(say, LearnSlashed),
        bus.subscribe(say, LearnFault),
        bus.subscribe(opened, LearnServices),
    ]
    if output.verbose:
        subscriptions.append(bus.subscribe(say, LearnRefused))
    try:
        yield
    finally:
        for subscription in subscriptions:
            subscription.close()


def _show(output: Output, result: LearnResult) -> None:
    output.result(result.to_json(), describe(result))
    if not result.ok:
        raise typer.Exit(_CHECK_FAILED)


def _fault(text: str) -> Fault:
    from engine.learning.faults import Fault

    head, _, who = text.partition(":")
    kind, _, slot = head.partition("@")
    try:
        targets = tuple(int(number) for number in who.split(",") if number.strip())
        return Fault(int(slot or 0), kind.strip(), targets)
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is not KIND[@SLOT][:WHO], as offline@8:1,2", param_hint="--fault"
        ) from error
