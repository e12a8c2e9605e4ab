"""The jobs tray: what runs for more than a second, how far it is, and how to stop it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from app.viewmodels.base import ViewModel
from engine.core.events import JobEnded, JobProgressed, JobStarted
from engine.core.jobs import Jobs

if TYPE_CHECKING:
    from app.bridge import Bridge

SHOWN_AFTER = 1.0
TICK = 0.5
STEP = 0.1  # seconds between two pictures of how far a job is: nobody reads more


@dataclass(frozen=True, slots=True)
class JobView:
    """One running job; ``total`` 0 means that nobody knows how much there is to do."""

    job_id: int
    title: str
    done: int = 0
    total: int = 0
    note: str = ""
    elapsed: float = 0.0
    cancellable: bool = True
    cancelling: bool = False


@dataclass(frozen=True, slots=True)
class JobsState:
    """The jobs that are worth showing, oldest first; ``ended`` is the number and the end of the last one shown."""

    jobs: tuple[JobView, ...] = ()
    ended: tuple[int, str] = (0, "")


class JobsViewModel(ViewModel[JobsState]):
    """Follows the job events; shows a job from its second on, so that short ones do not flicker."""

    def __init__(self, bridge: Bridge, jobs: Jobs) -> None:
        super().__init__(bridge, JobsState())
        self._jobs = jobs
        self._running: dict[int, JobView] = {}
        self._started: dict[int, float] = {}
        self._ticking = False
        self._published = 0.0
        bridge.subscribe(self._on_started, JobStarted)
        bridge.subscribe(self._on_progress, JobProgressed)
        bridge.subscribe(self._on_ended, JobEnded)

    def cancel(self, job_id: int) -> None:
        """Ask a job to stop."""
        job = self._jobs.get(job_id)
        if job is not None and job_id in self._running:
            self._running[job_id] = replace(self._running[job_id], cancelling=True)
            self._publish()
            job.cancel_soon()

    def _on_started(self, event: JobStarted) -> None:
        self._running[event.job_id] = JobView(event.job_id, event.title, cancellable=event.cancellable)
        self._started[event.job_id] = time.monotonic()
        if not self._ticking:
            self._ticking = True
            self.bridge.spawn(self._tick(), "jobs tray")

    def _on_progress(self, event: JobProgressed) -> None:
        view = self._running.get(event.job_id)
        if view is not None:
            self._running[event.job_id] = replace(view, done=event.done, total=event.total, note=event.note)
            if time.monotonic() - self._published >= STEP:  # else the next step or tick shows it
                self._publish()

    def _on_ended(self, event: JobEnded) -> None:
        view, started = self._running.pop(event.job_id, None), self._started.pop(event.job_id, 0.0)
        if view is not None and time.monotonic() - started >= SHOWN_AFTER:
            words = f"{view.title}: {event.outcome}{'. ' if event.message else ''}{event.message}"
            self.update(ended=(event.job_id, words))
        self._publish()

    async def _tick(self) -> None:
        while self._running:
            await asyncio.sleep(TICK)
            self._publish()
        self._ticking = False

    def _publish(self) -> None:
        now = self._published = time.monotonic()
        shown = []
        for job_id, view in self._running.items():
            elapsed = now - self._started[job_id]
            if elapsed >= SHOWN_AFTER or view.cancelling:
                shown.append(replace(view, elapsed=round(elapsed, 1)))
        self.update(jobs=tuple(shown))
