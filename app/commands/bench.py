"""``nashboard bench``: ours against the plain way, measured in the same run."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from app.commands.output import JsonOption, Output


class Field(StrEnum):
    """What can be measured."""

    LEAGUE = "league"


def bench(
    context: typer.Context,
    field: Annotated[Field, typer.Argument(help="What to measure.")] = Field.LEAGUE,
    json: JsonOption = False,
) -> None:
    """Measure rates beside those of the plain way.

    Needs a source checkout."""
    import importlib.util

    from engine.core.errors import DependencyError
    from engine.core.paths import source_root

    output: Output = context.obj
    path = source_root() / "tests" / "bench" / f"bench_{field.value}.py"
    spec = importlib.util.spec_from_file_location(path.stem, path) if path.is_file() else None
    if spec is None or spec.loader is None:
        raise DependencyError(
            "The benchmarks are not here", f"{path} is missing", "Run it in a source checkout: make bench."
        )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    value = module.measure(output.note)
    output.result(value, module.describe(value))
