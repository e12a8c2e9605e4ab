"""Jobs: every piece of long work has an owner, progress, and a cancel that works."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from engine.core.bus import EventBus
from engine.core.errors import EngineError
from engine.core.events import JobEnded, JobProgressed, JobStarted

T = TypeVar("T")
_log = logging.getLogger(__name__)


class JobContext:
    """What the work itself sees of its job."""

    def __init__(self, job_id: int, bus: EventBus) -> None:
        self.job_id = job_id
        self._bus = bus

    def progress(self, done: int, total: int = 0, note: str = "") -> None:
        """Say how far the work is; ``total`` 0 means unknown."""
        self._bus.publish(JobProgressed(self.job_id, done, total, note))


Work = Callable[[JobContext], Awaitable[T]]


class Job(Generic[T]):
    """Handle of running work."""

    def __init__(self, job_id: int, title: str, task: asyncio.Task[T]) -> None:
        self.job_id = job_id
        self.title = title
        self._task = task

    @property
    def done(self) -> bool:
        """Whether the work has ended, in whatever way."""
        return self._task.done()

    def cancel(self) -> None:
        """Ask the work to stop; it ends at its next await."""
        self._task.cancel()

    def cancel_soon(self) -> None:
        """Ask the work to stop at the loop's next turn: a job that has not begun would never say that it ended."""
        asyncio.get_running_loop().call_soon(self.cancel)

    async def result(self) -> T:
        """Wait for the work and return what it returned, or raise what it raised."""
        return await asyncio.shield(self._task)

    async def outcome(self, cancelled: EngineError) -> T:
        """Wait as ``result`` does, and raise ``cancelled`` where the work, and not whoever waits, was cancelled."""
        try:
            return await self.result()
        except asyncio.CancelledError:
            if not self.done:
                raise  # it is the caller who was cancelled
            raise cancelled from None


class Jobs:
    """Owns all jobs of one runtime; ``close`` cancels and collects them."""

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        self._ids = itertools.count(1)
        self._running: dict[int, Job[Any]] = {}

    def start(self, title: str, work: Work[T], *, cancellable: bool = True) -> Job[T]:
        """Start ``work`` as a job on the running loop."""
        job_id = next(self._ids)
        self._bus.publish(JobStarted(job_id, title, cancellable))
        task = asyncio.get_running_loop().create_task(self._run(job_id, work), name=f"job {job_id}: {title}")
        task.add_done_callback(_retrieve)
        job = Job(job_id, title, task)
        self._running[job_id] = job
        return job

    async def run(self, title: str, work: Work[T]) -> T:
        """Do ``work`` as a job and wait for it; it ends with whoever waits."""
        job = self.start(title, work)
        try:
            return await job.result()
        except asyncio.CancelledError:
            if not job.done:
                job.cancel_soon()
            raise

    @property
    def busy(self) -> bool:
        """Whether any job runs."""
        return bool(self._running)

    def get(self, job_id: int) -> Job[Any] | None:
        """Return the running job of that id."""
        return self._running.get(job_id)

    async def close(self) -> None:
        """Cancel all jobs and wait until they ended."""
        jobs = list(self._running.values())
        for job in jobs:
            job.cancel()
        await asyncio.gather(*(job._task for job in jobs), return_exceptions=True)

    async def _run(self, job_id: int, work: Work[T]) -> T:
        outcome, message = "failed", ""
        try:
            result = await work(JobContext(job_id, self._bus))
            outcome = "done"
            return result
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        except EngineError as error:
            message = str(error)
            raise
        except OSError as error:
            message = str(error)  # a full disk, say: no fault of the program; whoever waits tells it
            _log.warning("job %d failed: %s", job_id, error)
            raise
        except Exception as error:
            message = repr(error)
            _log.exception("job %d failed", job_id)
            raise
        finally:
            self._running.pop(job_id, None)
            self._bus.publish(JobEnded(job_id, outcome, message))


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Mark a failure as seen: it went out as JobEnded, and ``result`` still raises it."""
    if not task.cancelled():
        task.exception()
