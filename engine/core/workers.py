"""Spawned processes that compute: one by one, so that one that is killed takes nobody along.

Not ``concurrent.futures``: all processes of its pool answer through one pipe, whose writing end this process holds too.
After half an answer of a process that was killed it waits for the other half for good; and an order that was cancelled
before ends its thread. Here every worker has a pipe, whose other end is its own alone.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from queue import SimpleQueue
from typing import Any, NamedTuple, ParamSpec, TypeVar
from weakref import WeakSet

from engine.core.process import die_with_parent, use_one_thread

P = ParamSpec("P")
R = TypeVar("R")

_END = b""  # the last message to a worker
_JOIN_S = 5.0  # for a process that was ended


class WorkerEndedError(Exception):
    """A worker ended in the middle of its work, or could not be started, or the workers were closed before."""


class Workers:
    """Processes of one BLAS and torch thread each, started when first needed; they end with this process.

    ``each`` says how many orders one has at a time: with two, it begins the next while this process is busy.
    """

    def __init__(self, count: int, each: int = 1) -> None:
        self._workers: list[_Worker | None] = [None] * max(1, count)
        self._orders = [0] * len(self._workers)  # of each
        self._each = each
        self._room: asyncio.Semaphore | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self.ended = 0
        """How many orders were lost with their worker."""

    @property
    def count(self) -> int:
        """How many workers there are at most."""
        return len(self._workers)

    @property
    def pids(self) -> list[int]:
        """Ids of the processes that were started, those at work first."""
        return [worker.pid for worker in self._started()]

    async def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what ``work`` returns in a worker. Raises what it raises, and WorkerEndedError."""
        loop = asyncio.get_running_loop()
        if self._room is None or self._loop is not loop:  # a semaphore belongs to one loop, workers do not
            self._room, self._loop = asyncio.Semaphore(self._each * len(self._workers)), loop
        async with self._room:
            if self._closed:
                raise WorkerEndedError("the workers were closed")
            number = min(range(len(self._workers)), key=self._orders.__getitem__)
            worker = self._workers[number]
            if worker is None or worker.over:
                worker = self._workers[number] = _Worker()
            self._orders[number] += 1
            try:
                answer: R = await asyncio.wrap_future(worker.ask((work, args, kwargs)))
                return answer
            except WorkerEndedError:
                self.ended += 1
                raise
            finally:
                self._orders[number] -= 1

    def kill_one(self) -> int | None:
        """End a worker as by SIGKILL, one that works if any does; return its process id, None where none runs."""
        for worker in self._started():
            pid = worker.pid
            worker.kill()
            return pid
        return None

    def drop(self) -> None:
        """Let the processes go when they have done what they were asked."""
        for worker in self._taken():
            worker.dismiss()

    async def close(self) -> None:
        """End all processes, also those that work, and wait for them, off the loop."""
        self._closed = True
        workers = self._taken()
        for worker in workers:
            worker.kill()
        for worker in workers:
            await asyncio.to_thread(worker.join)

    def _started(self) -> list[_Worker]:
        order = sorted(range(len(self._workers)), key=lambda number: not self._orders[number])
        return [worker for number in order if (worker := self._workers[number]) is not None and worker.pid]

    def _taken(self) -> list[_Worker]:
        workers = [worker for worker in self._workers if worker is not None]
        self._workers = [None] * len(self._workers)
        return workers


class _Order(NamedTuple):
    call: tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]
    answer: Future[Any]


class _Worker:
    """A process, a thread that sends to it and one that reads: an order that fills the pipe holds no answer up."""

    def __init__(self) -> None:
        use_one_thread()
        self._ours, self._theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(target=_serve, args=(self._theirs, os.getpid()))
        self._orders: SimpleQueue[_Order | None] = SimpleQueue()
        self._asked: deque[Future[Any]] = deque()  # whose answers come, in this order
        self._lock = threading.Lock()  # of what comes next, and so that nothing is asked that nobody answers
        self._started = self._killed = self._over = False
        self._lost = "it was killed, or the machine ran out of memory"
        self._sender = threading.Thread(target=self._send, daemon=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._sender.start()
        self._reader.start()
        _living.add(self)

    @property
    def over(self) -> bool:
        """Whether it answers nothing more."""
        return self._over

    @property
    def pid(self) -> int:
        """Id of the process while it runs, else 0."""
        return self._process.pid or 0 if self._started and not self._over else 0

    def ask(self, call: tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]) -> Future[Any]:
        """Return what will be the answer, or fail with WorkerEndedError. Cancelled before it is sent, it never is."""
        answer: Future[Any] = Future()
        with self._lock:
            if self._over:
                answer.set_exception(WorkerEndedError(self._lost))
            else:
                self._orders.put(_Order(call, answer))
        return answer

    def dismiss(self) -> None:
        """End it when it has answered."""
        self._orders.put(None)

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        with self._lock:
            self._killed = True
            if self._started and not self._over:
                self._process.kill()

    def join(self) -> None:
        """Wait for its end."""
        self._reader.join()

    def _send(self) -> None:
        while (order := self._orders.get()) is not None:
            if not order.answer.set_running_or_notify_cancel():
                continue
            try:
                data = ForkingPickler.dumps(order.call)
            except Exception as error:
                order.answer.set_exception(error)
                continue
            with self._lock:
                if self._over:
                    order.answer.set_exception(WorkerEndedError(self._lost))
                    continue
                self._asked.append(order.answer)
            self._write(data)
        self._write(_END)

    def _write(self, data: Any) -> None:
        with contextlib.suppress(OSError):  # it ended, which who reads hears
            self._ours.send_bytes(data)

    def _read(self) -> None:
        """Start the process, here since it ends with the thread that started it, and take its answers to its end."""
        try:
            self._start()
            while True:
                self._take(self._ours.recv_bytes())
        except EOFError:
            pass
        except OSError as error:
            if not self._started:
                self._lost = f"it cannot be started: {error.strerror or error}"
        with self._lock:
            self._over = True
            self._orders.put(None)
        for answer in self._asked:
            answer.set_exception(WorkerEndedError(self._lost))
        self._sender.join()
        self._ours.close()
        if self._started:
            self._process.join(_JOIN_S)
            self._process.kill()
            self._process.join()

    def _start(self) -> None:
        try:
            self._process.start()
        finally:
            self._theirs.close()
        with self._lock:
            self._started = True
            if self._killed:
                self._process.kill()

    def _take(self, data: bytes) -> None:
        answer = self._asked.popleft()
        try:
            done, value = ForkingPickler.loads(data)
        except Exception as error:
            done, value = False, error
        if done:
            answer.set_result(value)
        else:
            answer.set_exception(value)


_living: WeakSet[_Worker] = WeakSet()


@atexit.register
def _end_all() -> None:
    """End what nobody closed before multiprocessing waits for it."""
    for worker in list(_living):
        worker.kill()


def _serve(orders: Connection, parent: int) -> None:
    """Answer one order after the other: what runs in the worker."""
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(EOFError, OSError):  # nobody asks any more
        while order := orders.recv_bytes():
            orders.send_bytes(_answer(order))


def _answer(order: bytes) -> Any:
    try:
        work, args, kwargs = ForkingPickler.loads(order)
        return ForkingPickler.dumps((True, work(*args, **kwargs)))
    except BaseException as error:
        error.add_note("In the worker:\n" + "".join(traceback.format_exception(error)).rstrip())
        if isinstance(error, Exception):  # to exit, say, is not for this process
            with contextlib.suppress(Exception):
                data = ForkingPickler.dumps((False, error))
                ForkingPickler.loads(data)  # errors with arguments of their own do not all come back
                return data
        return ForkingPickler.dumps((False, RuntimeError(repr(error))))
