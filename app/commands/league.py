"""``nashboard league``: rounds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.output import JsonOption, Output
from app.commands.tables import show_crosstable, show_round, show_season

if TYPE_CHECKING:
    from engine.league.claims import ClaimOutcome
    from engine.league.config import RoundConfig
    from engine.league.disputes.published import Dishonesty
    from engine.league.results import RoundResult
    from engine.league.seasons import Season
    from engine.runtime import Runtime

group = typer.Typer(help="League rounds: play, resume, look at, settle.", no_args_is_help=True)
RoundArgument = Annotated[str | None, typer.Argument(metavar="[ROUND]", help="Its id or the beginning of it.")]
Workers = Annotated[int | None, typer.Option(min=1, max=256, help="Processes that play. Default: one a processor.")]
Cluster = Annotated[str, typer.Option(metavar="ADDRESS", help="A dask scheduler, such as tcp://10.0.0.1:8786.")]


@group.command()
def run(
    context: typer.Context,
    files: Annotated[list[Path] | None, typer.Argument(metavar="[LEAGUE.toml]", help="A league file.")] = None,
    system: Annotated[str | None, typer.Option(metavar="ID", help="What is played.")] = None,
    agents: Annotated[list[Path] | None, typer.Option("--agents", metavar="FILES...", help="Who plays.")] = None,
    matches: Annotated[int | None, typer.Option(min=1, help="Matches an agent; games a pairing.")] = None,
    form: Annotated[str | None, typer.Option("--format", help="solo, round_robin, swiss or ladder.")] = None,
    stages: Annotated[int | None, typer.Option(min=0, help="Rounds of a Swiss, sweeps of a ladder.")] = None,
    preset: Annotated[str | None, typer.Option(metavar="ID", help="The System's parameters by name.")] = None,
    param: Annotated[list[str] | None, typer.Option(metavar="NAME=N", help="One parameter of the System.")] = None,
    capacity: Annotated[int | None, typer.Option(min=0, help="How many may take part, the richest first.")] = None,
    suspension: Annotated[int | None, typer.Option(min=0, help="Rounds to sit out when disqualified.")] = None,
    seed: Annotated[str | None, typer.Option(metavar="N", help="Seed of the round, 64 bits; 0x is understood.")] = None,
    budget: Annotated[int | None, typer.Option(metavar="GAS", help="Gas a decision.")] = None,
    tier: Annotated[str | None, typer.Option(help="bronze, silver or gold.")] = None,
    name: Annotated[str | None, typer.Option(help="The league's name.")] = None,
    stake: Annotated[str | None, typer.Option(metavar="ETH", help="What a new agent stakes.")] = None,
    reward: Annotated[str | None, typer.Option(metavar="ETH", help="Base reward.")] = None,
    workers: Workers = None,
    cluster: Cluster = "",
    recheck: Annotated[int, typer.Option(min=0, max=100, metavar="PERCENT", help="Played again elsewhere.")] = 0,
    anchor: Annotated[bool, typer.Option("--anchor", help="Stake, post and slash on the running devnet.")] = False,
    dishonest: Annotated[
        str | None,
        typer.Option(metavar="HOW", help="Let the host cheat: inflate, inflate_total, alter, withhold or equivocate."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Play a round of a league file, or of --system, --agents, --matches and --seed.

    All words after --agents that are no options are agents too. Options override what the file says.
    """
    given = {"system": system, "matches": matches, "budget": budget, "name": name, "tier": tier, "seed": seed}
    given |= {"format": form, "stages": stages, "preset": preset, "capacity": capacity, "suspension": suspension}
    given |= {"params": param, "stake": stake, "reward": reward, "cluster": cluster, "recheck_percent": recheck}
    config = _config(files or [], agents or [], given, count(workers))
    how = _dishonesty(dishonest)
    result = _play(
        context.obj, lambda runtime: runtime.league.run_round(config, anchor=anchor, dishonesty=how), count(workers)
    )
    for agent in result.ineligible:
        context.obj.note(f"kept out: {agent}")
    show_round(context.obj, result)


@group.command()
def resume(
    context: typer.Context,
    round_id: RoundArgument = None,
    workers: Workers = None,
    cluster: Cluster = "",
    json: JsonOption = False,
) -> None:
    """Go on with an interrupted round: no match is lost, none is played twice. Default: the latest."""
    output: Output = context.obj

    async def work(runtime: Runtime) -> RoundResult:
        chosen = choose(runtime, round_id, unfinished=True)
        return await runtime.league.resume(chosen, workers=count(workers), cluster=cluster)

    show_round(output, _play(output, work, count(workers)))


@group.command()
def standings(context: typer.Context, round_id: RoundArgument = None, json: JsonOption = False) -> None:
    """Show a round's table. Default: the latest round's."""
    from app.commands.session import run_engine

    async def work(runtime: Runtime) -> RoundResult:
        return runtime.league.round(choose(runtime, round_id))

    show_round(context.obj, run_engine(context.obj, work))


@group.command()
def crosstable(context: typer.Context, round_id: RoundArgument = None, json: JsonOption = False) -> None:
    """Show who did what against whom. Default: the latest round's."""
    from app.commands.session import run_engine

    async def work(runtime: Runtime) -> tuple[RoundResult, Any]:
        chosen = choose(runtime, round_id)
        return runtime.league.round(chosen), runtime.league.crosstable(chosen)

    show_crosstable(context.obj, *run_engine(context.obj, work))


@group.command()
def season(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The league's name.")],
    json: JsonOption = False,
) -> None:
    """Show a league over all its rounds: winners, ranks, ratings, promotions and relegations."""
    from app.commands.session import run_engine

    async def work(runtime: Runtime) -> Season:
        return await runtime.league.season(name)

    show_season(context.obj, run_engine(context.obj, work))


@group.command()
def settle(context: typer.Context, round_id: RoundArgument = None, json: JsonOption = False) -> None:
    """Pay a played round out, once, in the ledger and (for an anchored one) on chain. Default: the latest."""
    from app.commands.session import run_engine

    async def work(runtime: Runtime) -> RoundResult:
        return await runtime.league.settle(choose(runtime, round_id))

    show_round(context.obj, run_engine(context.obj, work))


@group.command()
def bundle(
    context: typer.Context,
    match: Annotated[int, typer.Option("--match", min=0, metavar="N", help="Number of the match in the round.")],
    out: Annotated[Path, typer.Option("--out", metavar="M.nets", help="The file to write.")],
    round_id: RoundArgument = None,
    json: JsonOption = False,
) -> None:
    """Write the bundle of a match of a round, by playing it again. Default: the latest round's."""
    from app.commands.session import run_engine

    async def work(runtime: Runtime) -> Path:
        return await runtime.league.bundle(choose(runtime, round_id), match, out.expanduser().resolve())

    path = run_engine(context.obj, work)
    context.obj.result({"path": str(path)}, f"{path} holds match {match}")


@group.command()
def claim(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="M.nets", help="The bundle whose score is claimed.")],
    round_id: RoundArgument = None,
    json: JsonOption = False,
) -> None:
    """Hand in a match bundle as a claim on a played round: a score that the replay does not give is slashed."""
    from app.commands.session import run_engine

    async def work(runtime: Runtime) -> ClaimOutcome:
        return await runtime.league.submit_claim(choose(runtime, round_id), file.expanduser())

    outcome = run_engine(context.obj, work)
    text = f"{outcome.agent} claims {outcome.claimed} in match {outcome.fixture}, the replay gives {outcome.replayed}: "
    context.obj.result(outcome.to_json(), text + outcome.note)


def _play(output: Output, work: Any, workers: int) -> RoundResult:
    from app.commands.progress import round_progress
    from app.commands.session import run_engine

    async def with_progress(runtime: Runtime) -> RoundResult:
        with round_progress(output, runtime.bus):
            return await work(runtime)

    return run_engine(output, with_progress, workers=workers)


def count(workers: int | None) -> int:
    """Return how many processes play: as many as asked for, else one a processor."""
    import os

    return (
        workers or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else workers or os.cpu_count() or 1
    )


def _config(files: list[Path], agents: list[Path], given: dict[str, Any], workers: int) -> RoundConfig:
    """Return the round's settings: the league file's, then what the options say. Raises UsageError."""
    from dataclasses import replace

    from engine.core.errors import UsageError
    from engine.league.config import AgentEntry, RoundConfig, Tier, parse_eth, parse_int, parse_params

    leagues = [path for path in files if path.suffix.lower() == ".toml"]
    players = [*agents, *(path for path in files if path not in leagues)]
    if len(leagues) > 1 or (leagues and players):
        raise UsageError("A round takes one league file, or agents, not both", "", "See 'nashboard league run --help'.")
    if not leagues and not players:
        raise UsageError("A round needs a league file or agents", "", "See 'nashboard league run --help'.")
    config = RoundConfig.from_toml(leagues[0]) if leagues else RoundConfig()
    changes = {key: value for key, value in given.items() if value is not None}
    if "seed" in changes:
        changes["seed"] = parse_int(changes["seed"], "seed")
    if "params" in changes:
        changes["params"] = {**config.params, **parse_params(changes["params"])}
    if "tier" in changes:
        changes["tier"] = Tier.of(changes["tier"])
    for key in ("stake", "reward"):
        if key in changes:
            changes[f"{key}_wei"] = parse_eth(changes.pop(key), key)
    if players:
        changes["agents"] = tuple(AgentEntry(path.expanduser().resolve()) for path in players)
    config = replace(config, **changes, workers=workers)
    from app.commands.modules import refuse_missing

    refuse_missing([entry.path for entry in config.agents])
    return config


def _dishonesty(how: str | None) -> Dishonesty:
    """Return how the host cheats. Raises UsageError for a way that it does not know."""
    from engine.core.errors import UsageError
    from engine.league.disputes.published import Dishonesty

    try:
        return Dishonesty(how or "honest")
    except ValueError:
        raise UsageError(f"A host cannot cheat by {how!r}", "", f"Choose one of {', '.join(Dishonesty)}.") from None


def choose(runtime: Runtime, wanted: str | None, *, unfinished: bool = False) -> str:
    """Return the id of the round that is meant. Raises UsageError when none is, or more than one."""
    from engine.core.errors import UsageError

    rounds = runtime.league.rounds()
    if wanted is None:
        fit = [item.round_id for item in rounds if not unfinished or item.state == "playing"] or [
            item.round_id for item in rounds
        ]
        if not fit:
            raise UsageError("There is no round yet", "", "Play one with 'nashboard league run'.")
        return fit[0]
    fit = [item.round_id for item in rounds if item.round_id.startswith(wanted)]
    if len(fit) != 1:
        why = "several rounds begin with it" if fit else "no round begins with it"
        raise UsageError(f"There is no round {wanted!r}", why, "See 'nashboard league standings' for the latest.")
    return fit[0]
