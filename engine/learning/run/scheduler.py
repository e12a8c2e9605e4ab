"""Time and order of a run: an event heap that nothing waits for, and the same heap by a clock that passes.

Order is (time, rank, sequence): what a run planned itself has rank 0; answers of a passing clock and acts of an
operator have rank 1, so that they come after all that was planned for their time, or rank -1 where nothing of that
time was done yet. With times and sequence numbers on record, a run is played again in exactly the order it had.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from types import GeneratorType
from typing import Any

from engine.core.errors import EngineError
from engine.core.turns import own_turn
from engine.learning.config import LearnConfig
from engine.learning.errors import JournalError
from engine.learning.ports import Steps
from engine.learning.run.journal import Act, Answer, Journal

BREATH = 0.0005  # seconds of work after which the loop gets its turn, so that a window stays smooth
IN_ORDER = "dht/"  # questions of this name reach the simulated DHT one after the other, and again when played again

Seconds = float | Callable[[Any], float]


@dataclass(frozen=True, slots=True)
class Question:
    """Work asked for outside."""

    name: str
    work: Callable[[], Awaitable[Any]]
    then: Callable[[Any], Steps]
    seconds: Seconds


class EventHeap(ABC):
    """What both schedulers share: the heap, the operator's acts, the record."""

    def __init__(self, journal: Journal | None = None) -> None:
        self._journal = journal
        self._heap: list[tuple[float, int, int, Callable[..., Steps], tuple[Any, ...]]] = []
        self._planned = 0
        self._sequence = journal.sequence if journal else 0
        self._now = 0.0
        self._untouched = True  # nothing of the present time was done yet
        self._names: set[str] = set()
        self._held: list[tuple[str, Any]] = []  # acts that came while the past was played again
        self._breath = time.perf_counter()
        self.on_act: Callable[[str, Any], None] = lambda name, value: None
        for act in journal.acts if journal else ():
            self._push(act.time, act.order, act.sequence, self._acted, (act.name, act.value))

    def at(self, when: float, action: Callable[..., Steps], *arguments: Any) -> None:
        """Run an action at a time; at once where that is past."""
        self._planned += 1
        self._push(max(when, self._now), 0, self._planned, action, arguments)

    def act(self, name: str, value: Any) -> None:
        """Take an operator's act in, now, after the past that is on record; it goes on record and to ``on_act``."""
        if self.replaying:
            self._held.append((name, value))
            return
        self._sequence += 1
        when = self.present
        act = Act(when, -1 if self._untouched and when == self._now else 1, self._sequence, name, value)
        if self._journal:
            self._journal.act(act)
        self._push(act.time, act.order, act.sequence, self._acted, (name, value))

    @property
    @abstractmethod
    def present(self) -> float:
        """The time by the clock, outside of any action."""

    @property
    def replaying(self) -> bool:
        """Whether the run is still in the past that is on record."""
        return self._journal is not None and self._now < self._journal.last_time

    def mark(self, slot: int, trace: str) -> None:
        """Put the end of a slot on record. Raises JournalError where it is there already and differs."""
        if self._journal:
            self._journal.slot(slot, self._now, trace)

    async def kept(self) -> None:
        """Wait until the record is on the disk, in a thread: a disk may take a tenth of a second."""
        if self._journal and not self.replaying:
            await asyncio.to_thread(self._journal.sync)

    def _take_held(self) -> None:
        """Take in the acts that waited for the end of the past."""
        while self._held and not self.replaying:
            self.act(*self._held.pop(0))

    def _acted(self, name: str, value: Any) -> None:
        self.on_act(name, value)

    def _push(self, when: float, rank: int, sequence: int, action: Callable[..., Steps], arguments: Any) -> None:
        heapq.heappush(self._heap, (when, rank, sequence, action, arguments))

    def _run_next(self) -> Iterable[None]:
        """Begin the next action; what is returned is to be gone through, breathing, before any other."""
        self._now, _, _, action, arguments = heapq.heappop(self._heap)
        self._untouched = False
        steps = action(*arguments)
        return steps if isinstance(steps, GeneratorType) else ()

    def _arrive(self, when: float) -> None:
        if when > self._now:
            self._now, self._untouched = when, True

    def _named(self, name: str) -> None:
        if name in self._names:
            raise ValueError(f"two questions have the name {name!r}")
        self._names.add(name)

    async def _breathe(self) -> None:
        if time.perf_counter() - self._breath > BREATH:
            await own_turn()
            self._breath = time.perf_counter()

    @abstractmethod
    async def close(self) -> None:
        """End what is under way."""


class SimScheduler(EventHeap):
    """A clock that passes only from event to event: the same run takes the same course on every machine."""

    @property
    def now(self) -> float:
        """Seconds since genesis."""
        return self._now

    @property
    def present(self) -> float:
        """The same: this clock stands while nothing happens."""
        return self._now

    def __init__(self, journal: Journal | None = None) -> None:
        super().__init__(journal)
        self._questions: list[Question] = []

    def ask(
        self, name: str, work: Callable[[], Awaitable[Any]], then: Callable[[Any], Steps], *, seconds: Seconds = 0.0
    ) -> None:
        """Do work outside, before any other action, and hand its answer to ``then`` that many seconds later."""
        self._named(name)
        self._questions.append(Question(name, work, then, seconds))

    async def run_until(self, when: float) -> None:
        """Run all actions before a time, and stand at it."""
        self._take_held()
        await self._settle()
        while self._heap and self._heap[0][0] < when:
            for _ in self._run_next():
                await self._breathe()
            await self._settle()
            await self._breathe()
        self._arrive(when)

    async def _settle(self) -> None:
        while self._questions:
            batch, self._questions = self._questions, []
            answers = await asyncio.gather(*(self._beside(one) for one in batch))
            for question, answer in zip(batch, answers, strict=True):
                value = await _outcome(question.work) if question.name.startswith(IN_ORDER) else answer
                later = question.seconds if isinstance(question.seconds, int | float) else _span(question, value)
                self.at(self._now + later, question.then, value)
                await self._breathe()

    async def _beside(self, question: Question) -> Any:
        """Ask what does not depend on the order of asking: workers do several at once."""
        if question.name.startswith(IN_ORDER):
            return None
        await self._breathe()
        kept = self._journal.take(question.name) if self._journal else None
        if kept is not None:
            return kept.value
        value = await _outcome(question.work)
        if self._journal:
            self._sequence += 1
            self._journal.answer(question.name, Answer(self._now, self._sequence, value))
        return value

    def pause(self) -> None:
        """Nothing to stop: this clock passes only while ``run_until`` runs."""

    def resume(self) -> None:
        """Nothing to start."""

    def set_speed(self, speed: float) -> None:
        """Nothing to set."""

    async def close(self) -> None:
        """Nothing is under way between two actions."""


class LiveScheduler(EventHeap):
    """A clock that passes, ``speed`` seconds of the chain in one of the wall, while ``run_until`` runs."""

    def __init__(self, journal: Journal | None = None, speed: float = 1.0) -> None:
        super().__init__(journal)
        self._speed = speed
        self._base = journal.last_time if journal else 0.0
        self._anchor: float | None = None  # perf_counter when the clock was started, None while it stands
        self._paused = False
        self._in_action = False
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: list[Question] = []  # asked in the past and not answered before the end: asked again
        self._failure: BaseException | None = None

    @property
    def now(self) -> float:
        """Seconds since genesis: within an action the time that it was planned for."""
        return self._now if self._in_action else self.present

    @property
    def present(self) -> float:
        """The time by the clock."""
        if self._anchor is None:
            return max(self._base, self._now)
        return max(self._now, self._base + (time.perf_counter() - self._anchor) * self._speed)

    def ask(
        self, name: str, work: Callable[[], Awaitable[Any]], then: Callable[[Any], Steps], *, seconds: Seconds = 0.0
    ) -> None:
        """Do work beside everything else; its answer comes when it ends. ``seconds`` are those that pass."""
        self._named(name)
        question = Question(name, work, then, seconds)
        kept = self._journal.take(name) if self._journal else None
        if kept is not None:
            self._push(kept.time, 1, kept.sequence, then, (kept.value,))
        elif self.replaying:
            self._waiting.append(question)
        else:
            self._begin(question)

    def _begin(self, question: Question) -> None:
        task = asyncio.get_running_loop().create_task(self._work(question))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, question: Question) -> None:
        try:
            value = await _outcome(question.work)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._failure = error
            self._wake.set()
            return
        self._sequence += 1
        answer = Answer(self.present, self._sequence, value)
        if self._journal:
            self._journal.answer(question.name, answer)
        self._push(answer.time, 1, answer.sequence, question.then, (value,))
        self._wake.set()

    def act(self, name: str, value: Any) -> None:
        """Take an operator's act in, now."""
        super().act(name, value)
        self._wake.set()

    async def run_until(self, when: float) -> None:
        """Run all actions before a time as it comes, and stand at it."""
        await self._replay(min(when, self._journal.last_time if self._journal else 0.0))
        if self.replaying:
            return
        self._go_on()
        self._take_held()
        self._start()
        try:
            while await self._turn(when):
                await self._breathe()
        finally:
            self._stop()
        self._arrive(when)

    async def _replay(self, end: float) -> None:
        """Play what is on record, without waiting: all that the run had come to when its last line was written."""
        last = self._journal.last_time if self._journal else 0.0
        while self._now < last and self._heap and self._heap[0][0] < end:
            await self._act_now()
            await self._breathe()
        if self._now < end:
            self._arrive(end)

    def _go_on(self) -> None:
        """Leave the past: ask again what was under way when the run was killed."""
        waiting, self._waiting = self._waiting, []
        for question in waiting:
            kept = self._journal.take(question.name) if self._journal else None
            if kept is not None:
                self._push(kept.time, 1, kept.sequence, question.then, (kept.value,))
            else:
                self._begin(question)

    async def _turn(self, when: float) -> bool:
        """Run the next action if it is due, else wait for it; False once the time has come."""
        if self._failure is not None:
            raise self._failure
        present = self.present
        due = self._heap[0][0] if self._heap else when
        if due < when and due <= present:
            await self._act_now()
            return True
        if present >= when:
            return False
        await self._wait(min(due, when) - present)
        return True

    async def _wait(self, seconds: float) -> None:
        self._wake.clear()
        if self._paused:
            await self._wake.wait()
            return
        try:
            await asyncio.wait_for(self._wake.wait(), max(seconds / self._speed, 0.0))
        except TimeoutError:
            return

    async def _act_now(self) -> None:
        self._in_action = True
        try:
            for _ in self._run_next():
                await self._breathe()
        finally:
            self._in_action = False

    def _start(self) -> None:
        if not self._paused and self._anchor is None:
            self._base, self._anchor = self.present, time.perf_counter()

    def _stop(self) -> None:
        self._base, self._anchor = self.present, None

    def pause(self) -> None:
        """Let the clock stand; work outside goes on."""
        self._stop()
        self._paused = True

    def resume(self) -> None:
        """Let the clock go on."""
        self._paused = False
        self._start()
        self._wake.set()

    def set_speed(self, speed: float) -> None:
        """Change how fast the clock goes."""
        running = self._anchor is not None
        self._stop()
        self._speed = speed
        if running:
            self._start()
        self._wake.set()

    async def close(self) -> None:
        """End the work that is under way."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _outcome(work: Callable[[], Awaitable[Any]]) -> Any:
    try:
        return await work()
    except EngineError as error:
        return error


def _span(question: Question, value: Any) -> float:
    if isinstance(value, EngineError) or not callable(question.seconds):
        return 0.0
    return float(question.seconds(value))


def open_scheduler(config: LearnConfig, journal: Journal | None = None) -> SimScheduler | LiveScheduler:
    """Return the scheduler that the settings ask for."""
    if config.clock == "simulated":
        return SimScheduler(journal)
    return LiveScheduler(journal, config.speed if config.clock == "scaled" else 1.0)


def ended(journal: Journal | None) -> None:
    """Check, at the end of a run, that everything on record was asked for. Raises JournalError."""
    if journal is not None and journal.unused:
        why = f"{journal.unused} answers on record were never asked for"
        raise JournalError("The run does not follow its own record", why, "Start the run anew.")
