"""A byzantine sweep at work."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from engine.core.bus import EventBus
from engine.core.jobs import Job, JobContext, Jobs
from engine.learning.errors import LearningError
from engine.learning.events import SweepProgressed

if TYPE_CHECKING:
    from engine.learning.sweep import Sweep, SweepCell, SweepSpec


class SweepRun:
    """The handle of one sweep."""

    def __init__(self, sweep_id: int, spec: SweepSpec, bus: EventBus) -> None:
        self.sweep_id = sweep_id
        self.spec = spec
        self._bus = bus
        self._job: Job[Sweep] | None = None
        self._stopping = False

    @property
    def done(self) -> bool:
        """Whether it is over, in whatever way."""
        return self._job is not None and self._job.done

    def cancel(self) -> None:
        """Ask it to stop; it does within two seconds."""
        if self._job is not None and not self._stopping:
            self._stopping = True  # a second time would cut off how the workers are ended
            self._job.cancel_soon()

    async def result(self) -> Sweep:
        """Wait for the end. Raises EngineError where it failed, LearningError where it was cancelled."""
        assert self._job is not None
        return await self._job.outcome(LearningError("The sweep was cancelled"))

    # For the service

    def begin(self, jobs: Jobs, cache: Path, workers: int) -> None:
        """Start the work."""
        self._job = jobs.start("Byzantine sweep", lambda job: self._play(job, cache, workers))

    async def _play(self, job: JobContext, cache: Path, workers: int) -> Sweep:
        from engine.learning.ai.brain import open_brain
        from engine.learning.config import LearnConfig
        from engine.learning.sweep import run_sweep

        def on_cell(cell: SweepCell, done: int, total: int) -> None:
            job.progress(done, total, f"{cell.attack} by {cell.rule}")
            self._bus.publish(SweepProgressed(self.sweep_id, done, total, dataclasses.asdict(cell)))

        brain = open_brain(LearnConfig(), cache, workers)
        try:
            return await run_sweep(self.spec, brain, on_cell)
        finally:
            await brain.close()
