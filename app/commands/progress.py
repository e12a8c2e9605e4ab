"""Progress of a round on stderr, and the command that goes on with it after an interruption."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from app.commands.output import Output

if TYPE_CHECKING:
    from engine.core.bus import EventBus


def resume_command(output: Output, round_id: str) -> str:
    """Return what to call to go on with a round."""
    place = f" --data-dir {shlex.quote(str(output.data_root))}" if output.data_root else ""
    return f"nashboard{place} league resume {round_id}"


@contextlib.contextmanager
def round_progress(output: Output, bus: EventBus) -> Iterator[None]:
    """Show a bar while a round is played, and each slash as it happens."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from engine.league.events import AgentSlashed, MatchesPlayed, RoundStarted

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=output.console(), transient=True) as progress:
        bar = progress.add_task("Preparing", total=None)

        def started(event: RoundStarted) -> None:
            output.resume_hint = resume_command(output, event.round_id)
            output.extra = {"round_id": event.round_id}
            progress.update(bar, description=f"Playing {event.name}", total=event.total, completed=event.done)

        def played(event: MatchesPlayed) -> None:
            progress.update(bar, completed=event.done)

        def slashed(event: AgentSlashed) -> None:
            progress.console.print(
                f"slashed {event.agent}: claimed {event.claimed}, replayed {event.replayed} (match {event.fixture})"
            )

        subscriptions = (
            bus.subscribe(started, RoundStarted),
            bus.subscribe(played, MatchesPlayed),
            bus.subscribe(slashed, AgentSlashed),
        )
        try:
            yield
        finally:
            for subscription in subscriptions:
                subscription.close()
