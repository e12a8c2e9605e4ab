"""The guided demo as the console walks it: by itself, or a step at a time while the operator looks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from app.links import made_link
from engine.demo import STEPS, Demo, DemoStep

if TYPE_CHECKING:
    from engine.core.jobs import JobContext
    from engine.runtime import Runtime


@dataclass(frozen=True, slots=True)
class StepView:
    """One step of the guided demo. ``state`` is pending, next (it waits for the operator), running, done, failed or
    skipped; ``detail`` is what came out, ``link`` leads to what the step made."""

    key: str
    title: str
    text: str
    state: str = "pending"
    detail: str = ""
    link: str = ""


FRESH = tuple(StepView(step.key, step.title, step.why) for step in STEPS)
Tell = Callable[[tuple[StepView, ...], str], None]


class DemoWalk:
    """One pass at a time. ``tell`` hears of the steps and of the whole: idle, running, waiting, done or failed."""

    def __init__(self, runtime: Runtime, tell: Tell) -> None:
        self._runtime = runtime
        self._tell = tell
        self._steps = FRESH
        self._state = "idle"
        self._alone = True
        self._go = asyncio.Event()
        self._job: Any = None

    def begin(self, *, alone: bool) -> None:
        """Begin to walk through all steps; ``alone`` waits for nobody."""
        self._alone, self._steps = alone, FRESH
        self._job = self._runtime.jobs.start("Guided demo", self._run)
        self._show("running")

    async def end(self) -> None:
        """Wait for the end. Raises EngineError where a step fails."""
        outcome = "failed"
        try:
            await self._job.result()
            outcome = "done"
        except asyncio.CancelledError:
            outcome = "idle"
        finally:
            self._job = None
            broken = {"running": "failed", "next": "pending"}
            self._steps = tuple(replace(s, state=broken.get(s.state, s.state)) for s in self._steps)
            self._show(outcome)

    def go_on(self) -> None:
        """Let the next step begin."""
        self._go.set()

    def run_rest(self) -> None:
        """Wait for nobody any more."""
        self._alone = True
        self._go.set()

    def cancel(self) -> None:
        """Stop; what was done stays."""
        if self._job is not None:
            self._job.cancel_soon()

    async def _run(self, job: JobContext) -> dict[str, Any]:
        async def turn(key: str) -> None:
            number = next(n for n, step in enumerate(self._steps) if step.key == key)
            job.progress(number, len(self._steps), self._steps[number].title)
            if number and not self._alone:  # whoever began the demo began its first step
                await self._wait(key)

        return await Demo(self._runtime, self._on_step, turn).run()

    async def _wait(self, key: str) -> None:
        self._go.clear()
        self._mark(key, state="next")
        self._show("waiting")
        await self._go.wait()
        self._show("running")

    def _on_step(self, step: DemoStep) -> None:
        self._mark(step.key, state=step.state, detail=step.result, link=made_link(step.made))
        self._show(self._state)

    def _mark(self, key: str, **changes: Any) -> None:
        self._steps = tuple(replace(s, **changes) if s.key == key else s for s in self._steps)

    def _show(self, state: str) -> None:
        self._state = state
        self._tell(self._steps, state)
