"""A run at work: paused, stepped, slowed, disturbed, cancelled by its handle."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from engine.core.jobs import Job, JobContext, Jobs
from engine.learning.errors import LearningError
from engine.learning.events import LearnState
from engine.learning.faults import Fault
from engine.learning.results import LearnResult
from engine.learning.service.pace import Pace

if TYPE_CHECKING:
    from engine.core.bus import EventBus
    from engine.learning.config import LearnConfig
    from engine.learning.run.world import World
    from engine.learning.scenario import Scenario
    from engine.learning.service.specs import LearnSpec

STARTING, RUNNING, PAUSED = "starting", "running", "paused"
Play = Callable[["LearnRun", JobContext], Awaitable[LearnResult]]


class LearnRun:
    """The handle of one run. Made by :class:`engine.learning.service.service.LearnService`."""

    def __init__(self, run_id: int, spec: LearnSpec, scenario: Scenario, config: LearnConfig, bus: EventBus) -> None:
        self.run_id = run_id
        self.spec = spec
        self.scenario = scenario
        self.config = config
        self.slot = 0
        self.phase = ""
        self.addresses: dict[str, str] = {}  # of the HTTP services, by their names
        self.pace = Pace()
        self._state = STARTING
        self._bus = bus
        self._world: World | None = None
        self._waiting: list[Fault] = []
        self._job: Job[LearnResult] | None = None
        self._stopping = False

    @property
    def state(self) -> str:
        """starting, running, paused, done, cancelled or failed."""
        return PAUSED if self._state == RUNNING and self.pace.paused else self._state

    @property
    def done(self) -> bool:
        """Whether it is over, in whatever way."""
        return self._job is not None and self._job.done

    def pause(self) -> None:
        """Begin no further phase; the chain's clock stands still."""
        self.pace.pause()
        self._tell()

    def resume(self) -> None:
        """Go on."""
        self.pace.resume()
        if self._world is not None:
            self._world.scheduler.resume()
        self._tell()

    def step(self, what: str = "phase") -> None:
        """Let the next phase, or the rest of this slot and the next one, pass, and pause."""
        if what == "slot":
            self.pace.step_slot(self.slot)
        else:
            self.pace.step_phase()
        if self._world is not None:
            self._world.scheduler.resume()
        self._tell()

    def set_speed(self, slots_per_second: float) -> None:
        """Limit the slots a second; 0 for none. A clock that passes takes it as its speed."""
        self.pace.set_speed(0.0 if self.config.clock != "simulated" else slots_per_second)
        if self._world is not None and slots_per_second > 0:
            self._world.scheduler.set_speed(slots_per_second * self.config.seconds_per_slot)
        self._tell()

    def inject(self, kind: str, targets: tuple[int, ...] = (), until: int | None = None, count: int = 0) -> None:
        """Put a fault in from now on, until a slot or for good. Raises LearnSettingError."""
        fault = Fault(self.slot, kind, targets, until, count)
        if self.done:
            raise LearningError("The run is over", "", "Start another one.")
        if self._world is None:
            from engine.learning.run.behaviour import check_fault

            check_fault(fault, self.config, self.config.validators)
            self._waiting.append(fault)
        else:
            self._world.inject(fault)

    def join(self) -> None:
        """Let one more validator stake. Raises LearningError where the chain is not there."""
        if self._world is None:
            raise LearningError("The chain does not run", "", "Start it first.")
        self._world.join()

    def cancel(self) -> None:
        """Ask it to stop; it does within two seconds. ``result`` raises then."""
        if self._job is not None and not self._stopping:
            self._stopping = True  # a second time would cut off how the parts are closed
            self._job.cancel_soon()

    async def result(self) -> LearnResult:
        """Wait for the end. Raises EngineError where the run failed, LearningError where it was cancelled."""
        assert self._job is not None
        what_next = f"Resume it: its number is {self.run_id}."
        return await self._job.outcome(LearningError("The run was cancelled", "", what_next))

    # For the service

    def begin(self, jobs: Jobs, play: Play) -> None:
        """Start the work."""
        self._job = jobs.start(f"Learning chain: {self.scenario.title}", lambda job: play(self, job))

    def take(self, world: World) -> None:
        """The chain is there."""
        self._world = world
        self._state = RUNNING
        for fault in self._waiting:
            world.inject(fault)
        self._waiting.clear()
        if self.pace.slots_per_second and self.config.clock != "simulated":
            world.scheduler.set_speed(self.pace.slots_per_second * self.config.seconds_per_slot)
        self._tell()

    def end(self, state: str) -> None:
        """The work is over."""
        self._state = state
        self._world = None
        self._tell()

    async def before_phase(self, slot: int, phase: str) -> None:
        """Wait until this phase may begin."""
        self.slot, self.phase = slot, phase
        if self.pace.paused and self._world is not None:
            self._world.scheduler.pause()
        await self.pace.wait(slot)
        if self._world is not None:
            self._world.scheduler.resume()

    def _tell(self) -> None:
        state = {"done": "ended", "cancelled": "ended", "failed": "ended"}.get(self.state, self.state)
        self._bus.publish(LearnState(self.run_id, state, self.slot, self.phase, self.pace.slots_per_second))
