"""Whether a model can be used: asked of a process of its own, since the window never loads torch."""

from __future__ import annotations

import asyncio

from engine.core.errors import EngineError
from engine.core.process import worker_pool

DEADLINE_S = 60.0


async def problem_of(model: str) -> str:
    """Return why a model is refused, "" where it is taken."""
    with worker_pool(1) as pool:
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await asyncio.get_running_loop().run_in_executor(pool, load, model)
        except TimeoutError:
            return f"Its model could not be read within {DEADLINE_S:g} s."
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def load(model: str) -> str:
    """Load a model and return what is wrong with it. Runs in the worker."""
    from engine.consensus.models import resolve

    try:
        resolve(model, 0)
    except EngineError as error:
        return str(error)
    return ""
