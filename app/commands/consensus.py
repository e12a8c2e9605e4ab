"""``nashboard consensus``: agents agree on a task, the chain checks it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.output import JsonOption, Output, table
from app.commands.output import settings as read_settings

if TYPE_CHECKING:
    from engine.consensus.onchain.verification import Verification
    from engine.consensus.results import ConsensusResult
    from engine.consensus.rounds.run import ConsensusRun
    from engine.consensus.specs import RunSpec
    from engine.core.bus import EventBus
    from engine.runtime import Runtime

group = typer.Typer(help="Agents agree on a task; the chain checks it.", no_args_is_help=True)
_NOT_CONVERGED = 1
_DIFFERS = 3
TaskHash = Annotated[str, typer.Argument(metavar="TASKHASH", help="0x and 64 digits, or the beginning of it.")]


@group.command()
def run(
    context: typer.Context,
    task: Annotated[Path, typer.Argument(metavar="TASK.json", help="What to agree on.")],
    agents: Annotated[Path | None, typer.Option(metavar="FILE", help="Who agrees: JSON or TOML.")] = None,
    off_chain: Annotated[bool, typer.Option("--off-chain", help="Agree without a chain.")] = False,
    seed: Annotated[int | None, typer.Option(metavar="N", min=0, help="Decides all that is left to chance.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting, as epsilon=1e-9.")
    ] = None,
    byzantine: Annotated[
        list[str] | None, typer.Option(metavar="AGENT=HOW", help="Let an agent misbehave, as agent_1=equivocating.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Let agents agree on a task, and certify the result on the devnet, which is started where none runs.

    Exit status 1 when they did not come to agree, 3 when the chain holds something else than what was computed."""
    from app.commands.session import run_engine

    output: Output = context.obj
    spec = _spec(task, agents, off_chain, seed, settings or [], byzantine or [])

    async def work(runtime: Runtime) -> ConsensusResult:
        if spec.on_chain and not spec.task.chains:
            await runtime.devnet.up()
        with _progress(output, runtime.bus):
            started = await runtime.consensus.start(spec)
            return await _outcome(output, started)

    _show(output, run_engine(output, work))


@group.command()
def resume(
    context: typer.Context,
    run_id: Annotated[
        int, typer.Argument(metavar="RUN", min=1, max=2**63 - 1, help="Its number; see 'nashboard consensus list'.")
    ],
    json: JsonOption = False,
) -> None:
    """Go on with a round that was interrupted: nothing is submitted or paid twice."""
    from app.commands.session import run_engine

    output: Output = context.obj

    async def work(runtime: Runtime) -> ConsensusResult:
        await runtime.devnet.up()
        with _progress(output, runtime.bus):
            return await _outcome(output, await runtime.consensus.resume(run_id))

    _show(output, run_engine(output, work))


@group.command()
def verify(context: typer.Context, task_hash: TaskHash, json: JsonOption = False) -> None:
    """Recompute a result from what the chain recorded, and compare it with the contract and with what was kept.

    Exit status 3 when anything differs."""
    from app.commands.session import run_engine

    output: Output = context.obj

    async def work(runtime: Runtime) -> Verification:
        await runtime.devnet.up()
        return await runtime.consensus.verify(task_hash)

    found = run_engine(output, work)
    lines = [(check.name, "ok" if check.ok else "FAILED", check.text) for check in found.checks]
    verdict = "Everything holds." if found.ok else "Something differs."
    output.result(found.to_json(), f"{table(('check', '', 'found'), lines)}\n\n{verdict}")
    if not found.ok:
        raise typer.Exit(_DIFFERS)


@group.command(name="list")
def list_runs(context: typer.Context, json: JsonOption = False) -> None:
    """List the rounds of this data directory, newest first."""
    from app.commands.session import run_engine

    output: Output = context.obj

    async def work(runtime: Runtime) -> list[Any]:
        return list(runtime.consensus.runs())

    found = [record.to_json() for record in run_engine(output, work)]
    lines = [(item["run_id"], item["task_hash"], item["title"], item["state"]) for item in found]
    output.result(found, table(("run", "task", "title", "state"), lines) if lines else "There are no rounds yet.")


def _spec(
    task: Path, agents: Path | None, off_chain: bool, seed: int | None, settings: list[str], byzantine: list[str]
) -> RunSpec:
    from engine.consensus.agents.agent_file import default_agents, read_agents
    from engine.consensus.config import ConsensusConfig
    from engine.consensus.specs import RunSpec
    from engine.consensus.tasks import read_task

    found = read_task(task.expanduser())
    values = read_settings(settings)
    if seed is not None:
        values["seed"] = seed
    specs = default_agents(found) if agents is None else read_agents(agents.expanduser())
    return RunSpec(found, _misbehaving(specs, byzantine), ConsensusConfig.of(values), on_chain=not off_chain)


def _misbehaving(specs: Any, byzantine: list[str]) -> Any:
    from dataclasses import replace

    from engine.core.errors import UsageError

    wanted = dict(text.partition("=")[::2] for text in byzantine)
    unknown = set(wanted) - {spec.name for spec in specs}
    if unknown:
        names = ", ".join(spec.name for spec in specs)
        raise UsageError(f"There is no agent {min(unknown)!r}", f"there are {names}")
    return tuple(replace(spec, behaviour=wanted.get(spec.name, spec.behaviour)) for spec in specs)


async def _outcome(output: Output, run: ConsensusRun) -> ConsensusResult:
    """Wait for a round's end; say how to go on with it where something came between."""
    from engine.core.errors import EngineError

    output.resumable("consensus", run.run_id)
    try:
        result = await run.result()
    except EngineError:
        if run.spec.on_chain:
            output.note(f"The round is kept. Go on with: {output.resume_hint}")
        raise
    output.resume_hint = ""
    return result


@contextlib.contextmanager
def _progress(output: Output, bus: EventBus) -> Iterator[None]:
    """Tell on stderr how a round goes."""
    from engine.consensus.events import ConsensusAgentJudged, ConsensusChainStep, ConsensusIterated

    def iterated(event: ConsensusIterated) -> None:
        if event.converged or event.iteration in (1, 2, 5) or event.iteration % 10 == 0:
            output.note(f"iteration {event.iteration}: gap {event.gap:.3g}")

    def judged(event: ConsensusAgentJudged) -> None:
        output.note(
            f"{event.agent} does not count from iteration {event.iteration}: {event.reason} {event.detail}".rstrip()
        )

    def stepped(event: ConsensusChainStep) -> None:
        if event.state != "running":
            output.note(f"chain {event.chain_id}, {event.phase}: {event.state} {event.text}".rstrip())

    subscriptions = (
        bus.subscribe(iterated, ConsensusIterated),
        bus.subscribe(judged, ConsensusAgentJudged),
        bus.subscribe(stepped, ConsensusChainStep),
    )
    try:
        yield
    finally:
        for subscription in subscriptions:
            subscription.close()


def _show(output: Output, result: ConsensusResult) -> None:
    output.result(result.to_json(), _text(result))
    if not result.converged:
        raise typer.Exit(_NOT_CONVERGED)


def _text(result: ConsensusResult) -> str:
    chain = result.on_chain
    heads = ("", "agreed", *(("on chain",) if chain else ()))
    numbers = [result.equilibrium] + ([chain.equilibrium] if chain else [])
    labels = result.task.labels if result.agents else ()  # without a quorum there are no numbers
    rows = [(label, *(f"{values[place]:.9f}" for values in numbers)) for place, label in enumerate(labels)]
    lines = [table(heads, rows), ""] if rows else []
    how = "agreed" if result.converged else "did NOT come to agree"
    lines.append(f"{len(result.agents)} agents {how} in {result.iterations} iterations; gap {result.gap:.3g}.")
    lines += [result.message] if result.message else []
    lines.append(f"task   0x{result.task_hash.hex()}")
    for one in result.chains or ((chain,) if chain else ()):
        lines.append(f"chain  {one.chain_id}, block {one.block}, {one.gas_used:,} gas, transaction {one.tx}")
    lines += [f"slashed {agent}: {wei / 10**18:g} ETH" for agent, wei in (chain.slashed_wei if chain else {}).items()]
    return "\n".join(lines)
