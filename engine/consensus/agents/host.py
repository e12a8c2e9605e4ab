"""Agents whose models run in a process of their own: a model that hangs, crashes or eats memory harms no window."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from engine.consensus.agents.host_worker import HostedSpec, Opening, serve
from engine.consensus.agents.identity import checked_name
from engine.consensus.errors import ConsensusError
from engine.consensus.participants import Proposal, Signer
from engine.consensus.tasks import Task
from engine.core.errors import EngineError
from engine.core.optional import need_torch
from engine.core.process import use_one_thread
from engine.games.games import Floats

__all__ = ["AgentHost", "HostedAgent", "HostedSpec"]

MAX_AGENTS = 1_024
DEADLINE_S = 2.0  # of one model's answer
GRACE_S = 8.0  # beyond the deadline, for a process that says nothing at all
START_S = 120.0  # torch takes seconds to import, on a busy machine many
MEMORY_BYTES = 6 << 30  # that the process may reserve beyond what torch has at start


class HostedAgent:
    """An agent whose model runs in the host's process; a :class:`engine.consensus.participants.Participant`."""

    def __init__(self, host: AgentHost, spec: HostedSpec, signer: Signer) -> None:
        self._host = host
        self._spec = spec
        self._signer = signer

    @property
    def agent_id(self) -> str:
        """Its name."""
        return self._spec.name

    @property
    def strategy(self) -> str:
        """pure, mixed or adaptive."""
        return self._spec.config.strategy_type

    @property
    def signer(self) -> Signer:
        """Who signs for it, in this process."""
        return self._signer

    async def propose(self, task: Task, state: Floats | None, iteration: int) -> Proposal:
        """Return its proposal. Raises ConsensusError where its model fails or hangs, or the process is lost."""
        position, confidence = await self._host.ask("propose", self.agent_id, task, state)
        return Proposal(position, confidence)

    async def learn(self, task: Task, outcome: Floats) -> None:
        """Take in how a task came out. Raises ConsensusError as ``propose`` does."""
        await self._host.ask("learn", self.agent_id, task, outcome)


class AgentHost:
    """Owns the process with the models. Made by :meth:`start`."""

    def __init__(self, specs: Sequence[HostedSpec], deadline_s: float) -> None:
        self.specs = {spec.name: spec for spec in specs}
        self._deadline_s = deadline_s
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._tasks: dict[bytes, Task] = {}  # of the requests that are not sent yet
        self._requests: list[tuple[int, str, str, Any, Any]] = []
        self._outbox: deque[Any] = deque()
        self._wake = asyncio.Event()
        self._heard = 0.0
        self._pid = 0
        self._lost: ConsensusError | None = None
        self._loop = asyncio.get_running_loop()

    @classmethod
    @contextlib.asynccontextmanager
    async def start(
        cls, specs: Sequence[HostedSpec], seed: int = 0, *, deadline_s: float = DEADLINE_S
    ) -> AsyncIterator[AgentHost]:
        """Start the process and load the models; on leaving it is ended, within a second.

        ``seed`` and its name make an agent's seed where the spec has none. A model that gives no answer in
        ``deadline_s`` seconds is asked nothing more. Raises ConsensusError for specs that do not fit together,
        ModelRefusedError, naming the agent, for a model that is not to be loaded, DependencyError without torch.
        """
        _check(specs)
        need_torch("Agents with models cannot run")
        host = cls(specs, deadline_s)
        use_one_thread()
        ours, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=serve, args=(theirs, os.getpid()), daemon=True)
        process.start()
        theirs.close()
        reader = threading.Thread(target=host._read, args=(ours,), daemon=True, name="agent host")
        reader.start()
        pump = asyncio.create_task(host._pump(ours), name="agent host")
        watch = asyncio.create_task(host._watch(process), name="agent host watch")
        try:
            await host._open(Opening(tuple(specs), seed, deadline_s, MEMORY_BYTES))
            yield host
        finally:
            host._fail(ConsensusError("The agents' process was ended", "its host was closed"))
            for task in (pump, watch):
                task.cancel()
            process.kill()
            await asyncio.gather(pump, watch, return_exceptions=True)
            await asyncio.to_thread(_join, process, reader, ours)

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._pid

    def participants(self, signers: Mapping[str, Signer]) -> list[HostedAgent]:
        """Return the agents, in the order of the specs, each with its signer. Raises ConsensusError where one lacks."""
        for name in self.specs:
            if name not in signers:
                raise ConsensusError(f"The agent {name} has no signer", "each needs one, by its name")
        return [HostedAgent(self, spec, signers[name]) for name, spec in self.specs.items()]

    async def snapshot(self) -> dict[str, bytes]:
        """Return what the adaptive agents have learned, by name: give it back as ``HostedSpec.learned``."""
        found: dict[str, bytes] = await self._request("snapshot", "", None, None)
        return found

    async def ask(self, verb: str, name: str, task: Task, value: Floats | None) -> Any:
        """Ask an agent's model; requests of one turn of the loop travel together. Raises ConsensusError."""
        self._tasks[task.hash] = task
        return await self._request(verb, name, task.hash, None if value is None else np.asarray(value, np.float64))

    # Inside

    async def _open(self, opening: Opening) -> None:
        future = self._future(0)
        self._outbox.append(opening)
        self._wake.set()
        self._heard = self._loop.time() + START_S
        self._pid = await future

    async def _request(self, verb: str, name: str, task: bytes | None, value: Any) -> Any:
        if self._lost is not None:
            raise ConsensusError(self._lost.what, self._lost.why, self._lost.next_step)
        number = next(self._ids)
        future = self._future(number)
        if not self._requests:
            self._loop.call_soon(self._flush)
        self._requests.append((number, verb, name, task, value))
        return await future

    def _future(self, number: int) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self._loop.create_future()
        if not self._waiting:
            self._heard = self._loop.time()
        self._waiting[number] = future
        future.add_done_callback(lambda _: self._waiting.pop(number, None))
        return future

    def _flush(self) -> None:
        self._outbox.append((self._tasks, self._requests))
        self._tasks, self._requests = {}, []
        self._wake.set()

    async def _pump(self, connection: Connection) -> None:
        """Send what is to be sent. In a thread: a large task fills the pipe before the process reads it."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._outbox:
                message = self._outbox.popleft()
                try:
                    await asyncio.to_thread(connection.send, message)
                except OSError:
                    continue  # the reader finds out
                except Exception as error:  # a part of a task that does not travel between processes
                    refusal = ConsensusError("The task cannot be sent to the agents' process", f"{error}"[:200])
                    for number, *_ in message[1]:
                        self._take((number, refusal))

    async def _watch(self, process: Any) -> None:
        """End a process that owes answers and says nothing."""
        while True:
            await asyncio.sleep(0.25)
            if self._waiting and self._loop.time() - self._heard > self._deadline_s + GRACE_S:
                self._fail(ConsensusError("The agents' process was ended", "it said nothing for too long"))
                process.kill()
                return

    def _read(self, connection: Connection) -> None:
        """Take what the process says, in a thread of its own."""
        while True:
            try:
                message = connection.recv()
            except (EOFError, OSError):
                self._call(self._fail, ConsensusError("The agents' process was lost", "it ended", "Start again."))
                return
            self._call(self._take, message)

    def _call(self, function: Callable[[Any], None], value: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(function, value)

    def _take(self, message: tuple[int, Any]) -> None:
        number, answer = message
        self._heard = self._loop.time()
        future = self._waiting.get(number)
        if future is None or future.done():
            return  # whoever asked waits no more
        if isinstance(answer, EngineError):
            future.set_exception(answer)
        else:
            future.set_result(answer)

    def _fail(self, error: ConsensusError) -> None:
        self._lost = self._lost or error
        for future in tuple(self._waiting.values()):
            if not future.done():
                future.set_exception(ConsensusError(error.what, error.why, error.next_step))


def _check(specs: Sequence[HostedSpec]) -> None:
    if not 1 <= len(specs) <= MAX_AGENTS:
        raise ConsensusError(f"There cannot be {len(specs)} agents", f"a host runs 1 to {MAX_AGENTS}")
    seen: set[str] = set()
    for spec in specs:
        if checked_name(spec.name) in seen:
            raise ConsensusError(f"Two agents are called {spec.name}", "names are unique in a round")
        seen.add(spec.name)


def _join(process: Any, reader: threading.Thread, connection: Connection) -> None:
    process.join()
    reader.join()
    connection.close()
    process.close()
