"""The service of the learning chain: starts runs as jobs, keeps them, goes on with them, sweeps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.core.bus import EventBus
from engine.core.handles import Handles
from engine.core.jobs import Jobs
from engine.core.optional import is_there, need_torch
from engine.core.paths import how_to_get
from engine.learning.errors import LearnExtraMissingError, LearningError
from engine.learning.service.play import RunPlay
from engine.learning.service.records import Records, RunRecord
from engine.learning.service.run import LearnRun
from engine.learning.service.specs import LearnSpec
from engine.learning.service.sweeps import SweepRun

if TYPE_CHECKING:
    from engine.chain.session import Chain
    from engine.learning.scenario import Scenario
    from engine.learning.sweep import SweepSpec
    from engine.store.database import Store

EXTRA = ("hivemind", "transformers", "peft")


@dataclass(frozen=True, slots=True)
class LearnParts:
    """What runs are built of. ``connect`` gives the devnet's chain, or raises EngineError where none runs."""

    store: Store
    bus: EventBus
    jobs: Jobs
    connect: Callable[[], Awaitable[Chain]]
    cache: Path
    workers: int


class LearnService:
    """Runs of one data directory, kept in ``folder``."""

    def __init__(self, parts: LearnParts, folder: Path) -> None:
        self._parts = parts
        self._records = Records(folder)
        self._runs: Handles[LearnRun] = Handles()
        self._sweeps: Handles[SweepRun] = Handles()
        self._swept = 0

    def scenarios(self) -> tuple[Scenario, ...]:
        """Return the scenarios that come with the program."""
        from engine.learning.scenario import SCENARIOS

        return tuple(SCENARIOS.values())

    def missing(self) -> str:
        """Return what real training and the real DHT lack here, "" where they lack nothing."""
        lacking = [name for name in EXTRA if not is_there(name)]
        return f"{', '.join(lacking)} missing: {how_to_get('learn')}" if lacking else ""

    async def start(self, spec: LearnSpec) -> LearnRun:
        """Start a run as a job. Raises LearnSettingError for a spec that cannot be run, LearnExtraMissingError,
        DependencyError without torch."""
        return self._begin(self._records.create(spec) if self._checked(spec) else 0, spec)

    async def resume(self, run_id: int) -> LearnRun:
        """Go on with a run that is not over, as a job. Raises UsageError, LearningError, JournalError."""
        record = self._records.get(run_id)
        running = self._runs.get(run_id)
        if running is not None and not running.done:
            raise LearningError(f"The run {run_id} is running")
        if not record.resumable:
            raise LearningError(f"The run {run_id} is over", record.message or "it has a result", "Start another one.")
        self._checked(record.spec)
        return self._begin(run_id, record.spec, resumed=True)

    def runs(self) -> list[RunRecord]:
        """Return the runs that are kept, newest first; one that is at work counts as running."""
        return [self._as_it_is(record) for record in self._records.all()]

    def run(self, run_id: int) -> LearnRun | None:
        """Return the handle of a run of this program; of those that are over only the newest are kept."""
        return self._runs.get(run_id)

    async def sweep(self, spec: SweepSpec) -> SweepRun:
        """Start a byzantine sweep as a job. Raises LearnSettingError."""
        self._swept += 1
        sweep = SweepRun(self._swept, spec, self._parts.bus)
        self._sweeps.put(sweep.sweep_id, sweep)
        sweep.begin(self._parts.jobs, self._parts.cache, self._parts.workers)
        return sweep

    async def close(self) -> None:
        """Cancel what runs, and wait for it."""
        work: list[LearnRun | SweepRun] = [*self._runs.working(), *self._sweeps.working()]
        for item in work:
            item.cancel()
        await asyncio.gather(*(item.result() for item in work), return_exceptions=True)

    def _checked(self, spec: LearnSpec) -> bool:
        _, config = spec.resolve()
        need_torch("The learning chain cannot run")  # committees evaluate updates for real, whoever trained them
        missing = self.missing()
        if missing and (config.training == "real" or config.transport == "dht"):
            raise LearnExtraMissingError(
                "Real training and the real DHT need the learn extra",
                missing,
                "Or run it simulated: training replayed, transport sim.",
            )
        return True

    def _begin(self, run_id: int, spec: LearnSpec, *, resumed: bool = False) -> LearnRun:
        scenario, config = spec.resolve()
        run = LearnRun(run_id, spec, scenario, config, self._parts.bus)
        self._runs.put(run_id, run)
        play = RunPlay(self._parts, self._records, run, resumed=resumed)
        run.begin(self._parts.jobs, lambda _, job: play.play(job))
        return run

    def _as_it_is(self, record: RunRecord) -> RunRecord:
        from dataclasses import replace

        run = self._runs.get(record.run_id)
        return record if run is None or run.done else replace(record, state="running")
