"""A round at work: paused, stepped, slowed, disturbed, cancelled by its handle."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from engine.consensus.errors import ConsensusError
from engine.consensus.negotiation.byzantine import Misbehaving, misbehave
from engine.consensus.participants import Participant
from engine.consensus.results import ConsensusResult
from engine.consensus.rounds.records import CANCELLED, DONE, FAILED
from engine.consensus.specs import RunSpec
from engine.core.jobs import Job, JobContext, Jobs

STARTING, RUNNING, PAUSED, ON_CHAIN = "starting", "running", "paused", "on chain"
Play = Callable[["ConsensusRun", JobContext], Awaitable[ConsensusResult]]


class Pace:
    """When the next iteration may begin."""

    def __init__(self) -> None:
        self.paused = False
        self._credits = 0
        self._speed = 0.0
        self._last = 0.0
        self._changed = asyncio.Event()

    def pause(self) -> None:
        """Begin no more iterations until told."""
        self.paused, self._credits = True, 0
        self._changed.set()

    def resume(self) -> None:
        """Go on."""
        self.paused, self._credits = False, 0
        self._changed.set()

    def step(self, count: int) -> None:
        """Let so many iterations begin, and no more."""
        self.paused = True
        self._credits += max(0, count)
        self._changed.set()

    def set_speed(self, per_second: float) -> None:
        """Let at most so many iterations begin in a second; 0 for no limit."""
        self._speed = max(0.0, per_second)
        self._changed.set()

    async def wait(self) -> None:
        """Wait until the next iteration may begin."""
        loop = asyncio.get_running_loop()
        while True:
            self._changed.clear()
            if self.paused and not self._credits:
                await self._changed.wait()
                continue
            left = self._last + 1 / self._speed - loop.time() if self._speed else 0.0
            if left <= 0:
                break
            try:
                async with asyncio.timeout(left):
                    await self._changed.wait()
            except TimeoutError:
                break
        self._credits -= 1 if self._credits else 0
        self._last = loop.time()


class ConsensusRun:
    """The handle of one round. Made by :class:`engine.consensus.rounds.service.ConsensusService`."""

    def __init__(self, run_id: int, spec: RunSpec, task_hash: bytes) -> None:
        self.run_id = run_id
        self.spec = spec
        self.task_hash = task_hash
        self.iteration = 0
        self._state = STARTING
        self._pace = Pace()
        self._behaviours = {agent.name: agent.behaviour for agent in spec.agents}
        self._seats: dict[str, Misbehaving] = {}
        self._job: Job[ConsensusResult] | None = None

    @property
    def state(self) -> str:
        """starting, running, paused, on chain, done, cancelled or failed."""
        return PAUSED if self._state == RUNNING and self._pace.paused else self._state

    @property
    def done(self) -> bool:
        """Whether it is over, in whatever way."""
        return self._job is not None and self._job.done

    @property
    def behaviours(self) -> dict[str, str]:
        """How each agent behaves now."""
        return dict(self._behaviours)

    def pause(self) -> None:
        """Begin no more iterations until told."""
        self._pace.pause()

    def resume(self) -> None:
        """Go on."""
        self._pace.resume()

    def step(self, count: int = 1) -> None:
        """Do some single iterations, and pause."""
        self._pace.step(count)

    def set_speed(self, per_second: float) -> None:
        """Limit the iterations a second; 0 for none."""
        self._pace.set_speed(per_second)

    def inject(self, agent: str, behaviour: str) -> None:
        """Let an agent behave so from now on; "honest" brings it back. Raises ConsensusError."""
        if agent not in self._behaviours:
            raise ConsensusError(f"There is no agent {agent!r}", f"there are {', '.join(self._behaviours)}")
        check_behaviour(behaviour)
        self._behaviours[agent] = behaviour
        if agent in self._seats:
            self._seats[agent].become(behaviour)

    def cancel(self) -> None:
        """Ask it to stop; it does within two seconds. ``result`` raises then."""
        if self._job is not None:
            self._job.cancel_soon()

    async def result(self) -> ConsensusResult:
        """Wait for the end. Raises EngineError where the round failed, ConsensusError where it was cancelled."""
        assert self._job is not None
        what_next = f"Resume it: its number is {self.run_id}."
        return await self._job.outcome(ConsensusError("The round was cancelled", "", what_next))

    # For the service

    def begin(self, jobs: Jobs, play: Play) -> None:
        """Start the work as a job."""
        self._job = jobs.start(f"Consensus: {self.spec.task.title}", lambda job: play(self, job))

    def enter(self, state: str) -> None:
        """Go over to a state; at the end the agents rise, and their models' process is let go of."""
        self._state = state
        if state in (DONE, CANCELLED, FAILED):
            self._seats.clear()

    def seat(self, participants: Sequence[Participant]) -> list[Participant]:
        """Return the participants with their behaviours, which ``inject`` changes."""
        for participant in participants:
            name = participant.agent_id
            self._seats[name] = misbehave(participant, self._behaviours[name])
        return list(self._seats.values())

    async def before(self, iteration: int) -> None:
        """Wait until an iteration may begin."""
        await self._pace.wait()
        self.iteration = iteration


def check_behaviour(behaviour: str) -> None:
    """Refuse a behaviour that there is not. Raises ConsensusError."""
    from engine.consensus.negotiation.byzantine import BEHAVIOURS, HONEST

    if behaviour != HONEST and behaviour not in BEHAVIOURS:
        raise ConsensusError(f"There is no behaviour {behaviour!r}", f"known are {', '.join((HONEST, *BEHAVIOURS))}")
