"""Trees for the views, made in a worker process of their own: the window never waits for a hash."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine.league.pools import LocalPool
from engine.league.trees import MatchTree, StepTree, load_round, load_trace

if TYPE_CHECKING:
    from engine.runtime import Runtime


class TreeLoader:
    """Loads rounds and traces, and keeps the round that it loaded last; ``close`` ends the process."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._pool = LocalPool()
        self._kept: tuple[object, MatchTree] | None = None

    @property
    def pool(self) -> LocalPool:
        """The worker process."""
        return self._pool

    async def round(self, round_id: str) -> MatchTree:
        """Return a round's tree, made again when the round has changed. Raises UsageError for an unknown round."""
        row = self._runtime.league.history.round(round_id)
        key = (row.round_id, row.state, row.root, row.results_hash)
        if self._kept is not None and self._kept[0] == key and row.state != "playing":
            return self._kept[1]
        made = await self._pool.run(load_round, self._runtime.store.path, row.round_id)
        self._kept = (key, made)
        return made

    async def trace(self, path: Path) -> StepTree:
        """Return the trace tree of a bundle. Raises BundleError."""
        return await self._pool.run(load_trace, path)

    async def close(self) -> None:
        """End the worker process."""
        await self._pool.close()
