"""Whether a model can be used: asked of a process like the one that would run it; the window never loads torch."""

from __future__ import annotations

from pathlib import Path

from engine.consensus.models import FAMILIES
from engine.core.errors import EngineError


async def problem_of(model: str) -> str:
    """Return why a model is refused, "" where it is taken. The process is gone on every way out."""
    if model.partition(":")[0] in FAMILIES:
        return ""
    try:
        there = Path(model).expanduser().is_file()
    except (OSError, ValueError):
        there = False
    if not there:
        return f"There is no model {model[:80]!r}: it is no file, and what ships is {', '.join(FAMILIES)}."
    from engine.consensus.host import AgentHost, HostedSpec

    try:
        async with AgentHost.start([HostedSpec("It", model=str(Path(model).expanduser()))]):
            return ""
    except EngineError as error:
        return str(error)
