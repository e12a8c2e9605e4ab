"""``nashboard demo``: the main job, unattended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from app.commands.output import JsonOption, Output

if TYPE_CHECKING:
    from engine.runtime import Runtime


def demo(context: typer.Context, json: JsonOption = False) -> None:
    """Run the main job from chain to settlement.

    Starts a chain, deploys, plays a league round, anchors it, slashes a false claim, settles, verifies all of it.
    """
    from app.commands.progress import round_progress
    from app.commands.session import run_engine

    output: Output = context.obj

    async def work(runtime: Runtime) -> dict[str, Any]:
        with round_progress(output, runtime.bus):
            return await runtime.demo(output.note)

    value = run_engine(output, work)
    output.result(value, "\n".join(f"{key:<16} {item}" for key, item in value.items() if not isinstance(item, list)))
