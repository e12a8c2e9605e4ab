"""One run from its spec to its kept result: parts are opened, the world runs, the parts are closed in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from engine.core.errors import EngineError
from engine.core.jobs import JobContext
from engine.learning.events import LearnEnded, LearnServices
from engine.learning.results import LearnResult
from engine.learning.service.records import Records
from engine.learning.service.run import LearnRun
from engine.learning.service.specs import faults_json

if TYPE_CHECKING:
    from engine.learning.run.world import World
    from engine.learning.service.service import LearnParts

_log = logging.getLogger(__name__)
ENDLESS = 100_000  # slots: two weeks of twelve seconds


class RunPlay:
    """Plays one run. What hinders a ``resumed`` one before its chain is there leaves its record as it was."""

    def __init__(self, parts: LearnParts, records: Records, run: LearnRun, *, resumed: bool = False) -> None:
        self._parts = parts
        self._records = records
        self._run = run
        self._untouched = resumed
        self._world: World | None = None
        self._started = time.monotonic()

    async def play(self, job: JobContext) -> LearnResult:
        """Run to the end; keep and tell how it ended, whatever happened."""
        try:
            return await self._play_to_the_end(job)
        finally:
            if self._world is not None:
                await self._world.close()

    async def _play_to_the_end(self, job: JobContext) -> LearnResult:
        try:
            result = await self._play(job)
        except asyncio.CancelledError:
            self._end("cancelled", "it was cancelled", None)
            raise
        except EngineError as error:
            self._end("failed", str(error), None)
            raise
        except Exception as error:
            self._end("failed", repr(error), None)
            raise
        self._end("done", "", result)
        return result

    async def _play(self, job: JobContext) -> LearnResult:
        from engine.learning.ai.brain import open_brain
        from engine.learning.run.journal import Journal
        from engine.learning.run.scheduler import open_scheduler
        from engine.learning.run.world import World
        from engine.learning.transport import open_dht

        run = self._run
        async with contextlib.AsyncExitStack() as stack:
            note = {"faults": faults_json(run.scenario.faults), "deposits": list(run.scenario.deposits)}
            journal = stack.enter_context(Journal.open(self._records.journal(run.run_id), run.config, note=note))
            brain = open_brain(run.config, self._parts.cache, self._parts.workers)
            stack.push_async_callback(brain.close)
            dht = await open_dht(run.config, now=journal.last_time)
            stack.push_async_callback(dht.close)
            scheduler = open_scheduler(run.config, journal)
            stack.push_async_callback(scheduler.close)
            world = self._world = await World.open(
                run.config,
                brain,
                dht,
                scheduler,
                scenario=run.scenario,
                emit=self._parts.bus.publish,
                run_id=run.run_id,
            )
            run.take(world)
            await self._open_services(stack, world)
            await self._open_mirror(stack, world)
            slots = ENDLESS if run.spec.endless else run.config.slots

            async def before_phase(slot: int, phase: str) -> None:
                job.progress(slot, slots, f"slot {slot}: {phase}")
                await run.before_phase(slot, phase)

            self._untouched = False
            await world.run(slots, before_phase)
            return await world.result()
        raise AssertionError("unreachable")

    async def _open_services(self, stack: contextlib.AsyncExitStack, world: World) -> None:
        if not self._run.spec.services:
            return
        from engine.learning.services import Services

        folder = self._records.folder(self._run.run_id)
        services = await stack.enter_async_context(Services(world.view(), self._run.spec.ports, folder / "jwt.hex"))
        self._run.addresses = dict(services.addresses)
        self._parts.bus.publish(LearnServices(self._run.run_id, self._run.addresses))

    async def _open_mirror(self, stack: contextlib.AsyncExitStack, world: World) -> None:
        if not self._run.spec.on_chain:
            return
        from engine.learning.service.chainside import ChainSide

        created = self._records.get(self._run.run_id).created
        await stack.enter_async_context(ChainSide(self._parts, self._run, world, created))

    def _end(self, state: str, message: str, result: LearnResult | None) -> None:
        run = self._run
        try:
            if not self._untouched:
                self._records.end(run.run_id, state, message, None if result is None else result.to_json())
        except (EngineError, OSError):
            _log.exception("the end of run %d could not be kept", run.run_id)
        run.end(state)
        self._parts.bus.publish(
            LearnEnded(
                run.run_id,
                state,
                run.slot if result is None else result.slots,
                "" if result is None else result.trace_hash,
                -1 if result is None else result.finalized_epoch,
                0.0 if result is None else result.loss_first,
                0.0 if result is None else result.loss_last,
                0 if result is None else len(result.slashings),
                () if result is None else tuple((check.name, check.ok, check.text) for check in result.checks),
                time.monotonic() - self._started,
                message,
            )
        )
