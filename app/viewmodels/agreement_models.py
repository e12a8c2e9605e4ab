"""Whether a model can be used: asked of a process like the one that would run it; the window never loads torch."""

from __future__ import annotations

import asyncio
from pathlib import Path

from engine.consensus.agents.models import FAMILIES
from engine.core.errors import EngineError


async def problem_of(model: str) -> str:
    """Return why a model is refused, "" where it is taken. The process is gone on every way out."""
    if model.partition(":")[0] in FAMILIES:
        return ""
    path = await asyncio.to_thread(_file, model)
    if path is None:
        return f"There is no model {model[:80]!r}: it is no file, and what ships is {', '.join(FAMILIES)}."
    from engine.consensus.agents.host import AgentHost, HostedSpec

    try:
        async with AgentHost.start([HostedSpec("It", model=str(path))]):
            return ""
    except EngineError as error:
        return str(error)


def _file(model: str) -> Path | None:
    """Return the file that a text names, None where there is none."""
    try:
        path = Path(model).expanduser()
        return path if path.is_file() else None
    except (OSError, ValueError, RuntimeError):
        return None
