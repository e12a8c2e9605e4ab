"""The process in which hosted models run: it loads them, asks them, and gives up on those that hang."""

from __future__ import annotations

import contextlib
import hashlib
import os
import queue
import signal
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from engine.consensus.config import AgentConfig
from engine.consensus.errors import ConsensusError
from engine.consensus.tasks import Task
from engine.core.errors import EngineError
from engine.core.process import die_with_parent

if TYPE_CHECKING:
    from engine.consensus.agents.mind import Mind

LOAD_S = 30.0  # of one model
MOMENT_S = 0.05  # after which a model counts as slow
LOOK_S = 0.02  # between two looks at slow models
MAX_SLOW = 8  # at the same time


@dataclass(frozen=True)
class HostedSpec:
    """An agent to be hosted. ``model`` is a family (``builtin``, ``builtin:bold``, ``builtin:bold:7``) or a file.

    ``seed`` None: from the host's seed and the name. ``learned`` is a snapshot of what it learned before.
    """

    name: str
    config: AgentConfig = field(default_factory=AgentConfig)
    model: str = "builtin"
    seed: int | None = None
    openness: float | None = None
    learned: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Opening:
    """The first message: who is to be hosted, and the limits."""

    specs: tuple[HostedSpec, ...]
    seed: int
    deadline_s: float
    memory_bytes: int


def serve(connection: Connection, parent: int) -> None:
    """Load models and answer for them until the connection ends."""
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        opening: Opening = connection.recv()
        try:
            worker = _Worker(opening, connection.send)
        except EngineError as error:
            connection.send((0, error))
            return
        connection.send((0, os.getpid()))
        while True:
            if connection.poll(LOOK_S if worker.slow else None):
                worker.take(*connection.recv())
            worker.look()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # nobody waits any more


class _Worker:
    def __init__(self, opening: Opening, send: Callable[[Any], None]) -> None:
        import torch

        torch.set_num_threads(1)
        _limit_memory(opening.memory_bytes)
        self.slow: list[_Job] = []
        self._send = send
        self._deadline_s = opening.deadline_s
        self._hung: set[str] = set()
        self._later: list[_Job] = []
        self._threads = [_Thread()]
        self._minds = {spec.name: self._load(spec, opening.seed) for spec in opening.specs}

    def take(self, tasks: Mapping[bytes, Task], requests: Sequence[tuple[int, str, str, bytes, Any]]) -> None:
        """Answer requests; what takes longer than a moment is left to its thread, so that it holds up nobody."""
        for number, verb, name, key, value in requests:
            if verb == "snapshot":
                known = self._minds.items()
                self._send((number, {name: mind.learner.to_bytes() for name, mind in known if mind.learner.used}))
                continue
            job = _Job(number, name, partial(_act, verb, self._minds[name], tasks[key], value))
            if any(other.name == name for other in (*self.slow, *self._later)):
                self._later.append(job)
            else:
                self._begin(job)

    def look(self) -> None:
        """Take the answers of slow models, and give up those that are over the deadline."""
        now = time.monotonic()
        for job in tuple(self.slow):
            if job.wait(0.0):
                self._threads.append(job.thread)
                self._send((job.number, self._answer(job)))
            elif now - job.started > self._deadline_s:
                job.thread.give_up()
                self._hung.add(job.name)
                self._send((job.number, _hangs(job.name, self._deadline_s)))
            else:
                continue
            self.slow.remove(job)
        busy = {job.name for job in self.slow}
        waiting, self._later = self._later, []
        for job in waiting:
            if job.name in busy:
                self._later.append(job)
            else:
                busy.add(job.name)
                self._begin(job)

    def _begin(self, job: _Job) -> None:
        while len(self.slow) >= MAX_SLOW:
            time.sleep(LOOK_S)
            self.look()
        if job.name in self._hung:
            self._send((job.number, _hangs(job.name, self._deadline_s)))
            return
        job.start(self._threads.pop() if self._threads else _Thread())
        if job.wait(MOMENT_S):
            self._threads.append(job.thread)
            self._send((job.number, self._answer(job)))
        else:
            self.slow.append(job)

    def _load(self, spec: HostedSpec, seed: int) -> Mind:
        from engine.consensus.agents.mind import Mind
        from engine.consensus.agents.models import resolve

        own = spec.seed if spec.seed is not None else seed_of(seed, spec.name)
        try:
            job = _Job(0, spec.name, partial(resolve, spec.model, own))
            job.start(self._threads[0])
            found = self._answer(job) if job.wait(LOAD_S) else _hangs(spec.name, LOAD_S)
            if isinstance(found, EngineError):
                raise found
            mind = Mind(spec.name, found, spec.config, "cpu", openness=spec.openness, seed=own)
            if spec.learned is not None:
                mind.learner.load(spec.learned)
        except EngineError as error:
            raise type(error)(f"The agent {spec.name} cannot start: {error.what}", error.why, error.next_step) from None
        return mind

    @staticmethod
    def _answer(job: _Job) -> Any:
        result = job.result
        if not isinstance(result, Exception) or isinstance(result, EngineError):
            return result
        what = "ran out of memory" if isinstance(result, MemoryError) else "failed"
        why = "".join(traceback.format_exception_only(result)).strip()
        return ConsensusError(f"The model of {job.name} {what}", why[:500])


def _act(verb: str, mind: Mind, task: Task, value: Any) -> Any:
    if verb == "learn":
        return mind.learn(task, value)
    proposal = mind.propose(task, value)
    return proposal.position, proposal.confidence


class _Job:
    """A piece of work for one agent's model, done on a thread."""

    thread: _Thread

    def __init__(self, number: int, name: str, work: Callable[[], Any]) -> None:
        self.number = number
        self.name = name
        self.work = work
        self.result: Any = None  # an exception where the work raised one
        self.started = 0.0
        self._done = threading.Event()

    def start(self, thread: _Thread) -> None:
        """Have it done."""
        self.thread = thread
        self.started = time.monotonic()
        thread.work.put(self)

    def run(self) -> None:
        """Do it, on the thread."""
        try:
            self.result = self.work()
        except Exception as error:
            self.result = error
        self._done.set()

    def wait(self, seconds: float) -> bool:
        """Return whether it is done, within some time."""
        return self._done.wait(seconds)


class _Thread:
    """A thread that does one job after the other.

    A model can be left behind on one: torch lets go of the interpreter while it computes, TorchScript's loops included.
    """

    def __init__(self) -> None:
        self.work: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def give_up(self) -> None:
        """Expect nothing more of it, and let it disturb others as little as possible."""
        with contextlib.suppress(OSError, AttributeError, TypeError):
            os.setpriority(os.PRIO_PROCESS, self._thread.native_id or 0, 19)

    def _serve(self) -> None:
        while True:
            self.work.get().run()


def _hangs(name: str, seconds: float) -> ConsensusError:
    return ConsensusError(f"The model of {name} hangs", f"it gave no answer in {seconds:g} s and is asked nothing more")


def _limit_memory(room: int) -> None:
    """Let this process reserve no more than some bytes beyond what it has; without effect where that is unknown."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource
        from pathlib import Path

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + room
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def seed_of(seed: int, name: str) -> int:
    """Return the seed of an agent, by the seed of its host and its name."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest(), "little") >> 1
