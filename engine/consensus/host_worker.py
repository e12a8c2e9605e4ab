"""The process in which hosted models run: it loads them, asks them, and gives up on those that hang."""

from __future__ import annotations

import contextlib
import hashlib
import os
import queue
import signal
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from engine.consensus.config import AgentConfig
from engine.consensus.errors import ConsensusError
from engine.consensus.tasks import Task, task_of
from engine.core.errors import EngineError
from engine.core.process import die_with_parent

if TYPE_CHECKING:
    from engine.consensus.mind import Mind

LOAD_S = 30.0  # of one model


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
            worker = _Worker(opening)
        except EngineError as error:
            connection.send((0, error))
            return
        connection.send((0, os.getpid()))
        while True:
            documents, requests = connection.recv()
            tasks = {key: task_of(document) for key, document in documents.items()}
            for number, verb, name, key, value in requests:
                connection.send((number, worker.answer(verb, name, tasks.get(key), value)))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # nobody waits any more


class _Worker:
    def __init__(self, opening: Opening) -> None:
        import torch

        torch.set_num_threads(1)
        _limit_memory(opening.memory_bytes)
        self._deadline_s = opening.deadline_s
        self._hung: set[str] = set()
        self._thread = _Thread()
        self._minds = {spec.name: self._load(spec, opening.seed) for spec in opening.specs}

    def answer(self, verb: str, name: str, task: Task | None, value: Any) -> Any:
        """Return the answer to a request, or the EngineError that it ended in."""
        if verb == "snapshot":
            return {name: mind.learner.to_bytes() for name, mind in self._minds.items() if mind.learner.used}
        if name in self._hung:
            return _hangs(name, self._deadline_s)
        assert task is not None
        try:
            return self._within(name, self._deadline_s, lambda: self._act(verb, self._minds[name], task, value))
        except EngineError as error:
            return error

    @staticmethod
    def _act(verb: str, mind: Mind, task: Task, value: Any) -> Any:
        if verb == "learn":
            return mind.learn(task, value)
        proposal = mind.propose(task, value)
        return proposal.position, proposal.confidence

    def _load(self, spec: HostedSpec, seed: int) -> Mind:
        from engine.consensus.mind import Mind
        from engine.consensus.models import resolve

        own = spec.seed if spec.seed is not None else _seed(seed, spec.name)
        try:
            model = self._within(spec.name, LOAD_S, lambda: resolve(spec.model, own))
            mind = Mind(spec.name, model, spec.config, "cpu", openness=spec.openness, seed=own)
            if spec.learned is not None:
                mind.learner.load(spec.learned)
        except EngineError as error:
            raise type(error)(f"The agent {spec.name} cannot start: {error.what}", error.why, error.next_step) from None
        return mind

    def _within(self, name: str, seconds: float, work: Callable[[], Any]) -> Any:
        """Return what the work gives. A model that takes longer is left behind on its thread, at the lowest priority.

        That works since torch lets go of the interpreter while it computes, TorchScript's loops included.
        """
        done = self._thread.run(work)
        try:
            good, result = done.get(timeout=seconds)
        except queue.Empty:
            self._thread.give_up()
            self._thread = _Thread()
            self._hung.add(name)
            raise _hangs(name, seconds) from None
        if good:
            return result
        if isinstance(result, EngineError):
            raise result
        what = "ran out of memory" if isinstance(result, MemoryError) else "failed"
        raise ConsensusError(f"The model of {name} {what}", "".join(traceback.format_exception_only(result)).strip())


class _Thread:
    """A thread that does one piece of work after the other."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def run(self, work: Callable[[], Any]) -> queue.SimpleQueue[tuple[bool, Any]]:
        """Do some work; its end is put into what is returned."""
        done: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()
        self._work.put((work, done))
        return done

    def give_up(self) -> None:
        """Expect nothing more of it, and let it disturb others as little as possible."""
        with contextlib.suppress(OSError, AttributeError, TypeError):
            os.setpriority(os.PRIO_PROCESS, self._thread.native_id or 0, 19)

    def _serve(self) -> None:
        while True:
            work, done = self._work.get()
            try:
                done.put((True, work()))
            except Exception as error:
                done.put((False, error))


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


def _seed(seed: int, name: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest(), "little") >> 1
