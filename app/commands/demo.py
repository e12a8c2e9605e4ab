"""``nashboard demo``: the main job, unattended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from app.commands.output import JsonOption, Output

if TYPE_CHECKING:
    from engine.demo import DemoStep
    from engine.runtime import Runtime


def demo(context: typer.Context, json: JsonOption = False) -> None:
    """Run the main job from chain to settlement.

    Starts a chain, deploys, plays a league round, anchors it, slashes a false claim, settles, verifies all of it.
    """
    from app.commands.session import run_engine

    output: Output = context.obj

    async def work(runtime: Runtime) -> dict[str, Any]:
        from engine.demo import STEPS, Demo

        titles = {key: title for key, title, _ in STEPS}

        def report(step: DemoStep) -> None:
            if step.state == "running":
                output.note(f"{titles[step.key]} ...")
            else:
                output.note(f"  {step.state}: {step.result}")

        return await Demo(runtime, report).run()

    value = run_engine(output, work)
    output.result(value, _text(value))


def _text(value: dict[str, Any]) -> str:
    """Return what is worth keeping: where things stand, for a look at them afterwards."""
    anchored = value["round"]["anchored"]
    lines = [
        ("round", value["round"]["round_id"]),
        ("results", value["round"]["results_hash"]),
        ("root", f"{anchored['root']} in block {anchored['block']}"),
        ("bundle", value["verification"]["bundle"]),
    ]
    lines += [(name, address) for name, address in value["contracts"].items()]
    return "\n".join(["Everything held.", *(f"  {key:<14} {item}" for key, item in lines)])
