"""``nashboard dispute``: audit anchored rounds, act on dishonest hosts, list what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.league import RoundArgument, Workers, choose, count
from app.commands.output import JsonOption, Output, table

if TYPE_CHECKING:
    from engine.league.disputes.audit import Audit
    from engine.league.disputes.cases import DisputeView
    from engine.runtime import Runtime

group = typer.Typer(help="Disputes on anchored rounds: check, open, list.", no_args_is_help=True)


@group.command()
def check(
    context: typer.Context, round_id: RoundArgument = None, workers: Workers = None, json: JsonOption = False
) -> None:
    """Audit an anchored round against the chain, change nothing. Exit status 3 when its host cheated.

    The posted numbers are checked first, then every match is played again. Default: the latest round.
    """
    from app.commands.session import run_engine

    async def work(runtime: Runtime) -> Audit:
        return await runtime.league.disputes.check(choose(runtime, round_id), workers=count(workers))

    found = run_engine(context.obj, work, workers=count(workers))
    context.obj.result(found.to_json(), _audit_text(found))
    if not found.clean:
        raise typer.Exit(3)


@group.command("open")
def open_dispute(
    context: typer.Context,
    round_id: RoundArgument = None,
    match: Annotated[int | None, typer.Option(min=0, metavar="N", help="Dispute this match, right or wrong.")] = None,
    withheld: Annotated[bool, typer.Option("--withheld", help="Demand the match instead: it was not shown.")] = False,
    offline: Annotated[int, typer.Option(min=0, max=4, metavar="N", help="Simulate verifiers that are away.")] = 0,
    two_faced: Annotated[int, typer.Option(min=0, max=4, metavar="N", help="Simulate verifiers that sign both.")] = 0,
    workers: Workers = None,
    json: JsonOption = False,
) -> None:
    """Audit a round and bring what is wrong before the chain, until it is decided.

    What was open is brought to its end first: after an interruption, call it again. Default: the latest round.
    """
    from app.commands.session import run_engine

    output: Output = context.obj

    async def work(runtime: Runtime) -> list[DisputeView]:
        from engine.core.errors import UsageError
        from engine.league.disputes.panel import Conduct

        if withheld and match is None:
            raise UsageError("--withheld needs a match", "", "Name it by --match N.")
        conduct, chosen = Conduct(offline, two_faced), choose(runtime, round_id)
        with _steps(output, runtime):
            return await runtime.league.disputes.open(
                chosen, match=match, withheld=withheld, conduct=conduct, workers=count(workers)
            )

    _show(output, run_engine(output, work, workers=count(workers)))


@group.command("list")
def list_disputes(context: typer.Context, round_id: RoundArgument = None, json: JsonOption = False) -> None:
    """List disputes and proofs of fraud, newest first: of one round, or of all."""
    from app.commands.session import run_engine

    async def work(runtime: Runtime) -> list[DisputeView]:
        return runtime.league.disputes.all(None if round_id is None else choose(runtime, round_id))

    _show(context.obj, run_engine(context.obj, work))


def _steps(output: Output, runtime: Runtime) -> Any:
    """Say on stderr what happens, while the context lasts."""
    from contextlib import closing

    from engine.core.events import Event
    from engine.league.events import DisputeMoved, DisputeOpened, DisputeResolved

    def tell(event: Event) -> None:
        if isinstance(event, DisputeOpened):
            where = "" if event.match is None else f" about match {event.match}"
            output.note(f"opened: {event.what}{where}")
        elif isinstance(event, DisputeMoved):
            output.note(f"  {event.step}")
        elif isinstance(event, DisputeResolved):
            output.note(f"ended: {event.outcome}")

    return closing(runtime.bus.subscribe(tell, DisputeOpened, DisputeMoved, DisputeResolved))


def _audit_text(found: Audit) -> str:
    row = found.stored.row
    head = f"{row.name} #{row.number}: {found.replayed} matches played again, {found.compared} tree nodes compared"
    if found.clean:
        return f"{head}\nNothing is wrong: the posted root is the one that the replay gives."
    lines = [(fraud.kind.value, found.fixture(fraud), fraud.detail) for fraud in found.frauds]
    rows = [(kind, "-" if match is None else match, detail) for kind, match, detail in lines]
    return f"{head}\n\n{table(('fraud', 'match', 'what'), rows)}"


def _show(output: Output, found: list[DisputeView]) -> None:
    from engine.league.config import format_eth

    rows = [
        (
            view.dispute_id[:8] + view.dispute_id[32:],
            view.round_name,
            view.kind,
            "-" if view.match is None else view.match,
            format_eth(view.bond_wei),
            f"{sum(not ballot.confirms for ballot in view.ballots)} of {len(view.ballots)}",
            view.outcome,
        )
        for view in found
    ]
    text = table(("dispute", "round", "kind", "match", "bond ETH", "against", "outcome"), rows) if rows else "None."
    output.result({"disputes": [view.to_json() for view in found]}, text)
