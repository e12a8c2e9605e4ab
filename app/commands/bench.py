"""``nashboard bench``: ours against the plain way or the best library, measured in the same run."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from app.commands.output import Device, JsonOption, Output


class Field(StrEnum):
    """What can be measured."""

    LEAGUE = "league"
    GAMES = "games"
    CHAIN = "chain"
    CONSENSUS = "consensus"
    LEARNING = "learning"
    GUI = "gui"


def bench(
    context: typer.Context,
    field: Annotated[Field, typer.Argument(help="What to measure.")] = Field.LEAGUE,
    part: Annotated[list[str] | None, typer.Option(help="Only this part of it, of learning or gui.")] = None,
    device: Annotated[Device, typer.Option(help="Where games are solved.")] = Device.CPU,
    json: JsonOption = False,
) -> None:
    """Measure beside the plain way, or the best library for the same work.

    Needs a source checkout."""
    import importlib.util

    from engine.core.errors import DependencyError, UsageError
    from engine.core.paths import source_root
    from engine.core.process import use_one_thread

    use_one_thread()
    output: Output = context.obj
    if device is not Device.CPU and field is not Field.GAMES:
        raise UsageError(f"The {field.value} is not measured on {device.value}", "only games are")
    path = source_root() / "tests" / "bench" / f"bench_{field.value}.py"
    spec = importlib.util.spec_from_file_location(path.stem, path) if path.is_file() else None
    if spec is None or spec.loader is None:
        raise DependencyError(
            "The benchmarks are not here", f"{path} is missing", "Run it in a source checkout: make bench."
        )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    where: dict[str, Any] = {"device": device.value} if field is Field.GAMES else {}
    if part:
        known = getattr(module, "PARTS", ())
        wrong = [name for name in part if name not in known]
        if wrong:
            why = f"its parts are {', '.join(known)}" if known else "it has no parts"
            raise UsageError(f"There is no part {wrong[0]} of {field.value}", why)
        where["parts"] = tuple(part)
    value = module.measure(output.note, **where)
    output.result(value, module.describe(value))
