"""``nashboard demo``: the main job, unattended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from app.commands.output import JsonOption, Output

if TYPE_CHECKING:
    from engine.demo import DemoStep
    from engine.runtime import Runtime


def demo(context: typer.Context, json: JsonOption = False) -> None:
    """Walk through everything, from an empty chain to a merged update.

    Starts a chain, deploys, plays and anchors a league round, replays and proves a match, slashes a dishonest host and
    a false claim, settles, lets agents agree, runs the learning chain; all of it is verified.
    """
    from app.commands.session import run_engine

    output: Output = context.obj

    async def work(runtime: Runtime) -> dict[str, Any]:
        from engine.demo import STEPS, Demo

        steps = {step.key: step for step in STEPS}

        def report(step: DemoStep) -> None:
            if step.state == "running":
                output.note(f"{steps[step.key].title} ... {steps[step.key].why}")
            elif step.state == "skipped":
                output.note(f"{steps[step.key].title}: {step.result}")
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
    skipped = f" Left out: {', '.join(value['skipped'])}." if value["skipped"] else ""
    return "\n".join([f"Everything held.{skipped}", *(f"  {key:<14} {item}" for key, item in lines)])
