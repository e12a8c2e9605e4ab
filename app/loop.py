"""The one loop: asyncio on Qt's event loop, with timers that do not fire early."""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections import deque
from collections.abc import Callable
from typing import Any

os.environ.setdefault("QT_API", "pyside6")  # qasync would try PyQt5 first

import qasync
from PySide6.QtCore import QCoreApplication, QDeadlineTimer, QObject, Qt, QThread, QTimerEvent

TURN_S = 0.001  # after which what is ready waits for the next turn
PATIENCE = 4  # turns that what can wait lets others go first


class Waiting(asyncio.Handle):
    """A call that waits for its time. Cancelled, it lets its timer and all that it holds go at once.

    Most of what waits is a deadline that is not met: left alone, thousands of timers would run on for nothing.
    """

    __slots__ = ("timer", "timers")

    def __init__(self, callback: Callable[..., object], args: Any, loop: Any, context: Any, timers: Any) -> None:
        super().__init__(callback, args, loop, context)
        self.timers = timers
        self.timer = 0

    def cancel(self) -> None:
        """Never run."""
        if not self.cancelled():
            super().cancel()
            self.timers.drop(self)


class PreciseTimers(QObject):
    """Qt timers behind the loop's ``call_later``, and a queue with one timer behind its ``call_soon``.

    qasync's own use coarse timers, which fire up to 5% early; a coroutine that sleeps until a deadline and then
    reads the clock would find itself before it. And they take a timer for each call that is to be made at once, of
    which a busy window has thousands a second: Qt's bookkeeping then takes as long as many of the calls.
    """

    def __init__(self) -> None:
        super().__init__()
        self._handles: dict[int, asyncio.Handle] = {}
        self._ready: deque[asyncio.Handle] = deque()
        self._last: deque[asyncio.Handle] = deque()  # those that can wait
        self._put_off = 0  # for so many turns
        self._soon = 0  # the timer of those that are ready; it fires when neither input nor painting is due

    def add_callback(self, handle: asyncio.Handle, delay: float = 0) -> asyncio.Handle:
        """Run ``handle`` after ``delay`` seconds."""
        timer = self.startTimer(math.ceil(max(0.0, delay) * 1000), Qt.TimerType.PreciseTimer)
        self._handles[timer] = handle
        if isinstance(handle, Waiting):
            handle.timer = timer
        return handle

    def add_ready(self, handle: asyncio.Handle, *, last: bool = False) -> None:
        """Run ``handle`` in the loop's next turn, or in the next that has time left."""
        (self._last if last else self._ready).append(handle)
        self._wake()

    def _wake(self) -> None:
        if (self._ready or self._last) and not self._soon:
            self._soon = self.startTimer(0, Qt.TimerType.PreciseTimer)

    def drop(self, handle: Waiting) -> None:
        """Forget a call that was cancelled. Its time may have come before: then its timer's number is another's."""
        if self._handles.get(handle.timer) is handle:
            del self._handles[handle.timer]
            self.killTimer(handle.timer)

    def __len__(self) -> int:
        """Return how many wait for their time."""
        return len(self._handles)

    def timerEvent(self, event: QTimerEvent) -> None:
        """Run what is due; each timer fires once."""
        timer = event.timerId()
        self.killTimer(timer)
        if timer == self._soon:
            self._run_ready()
            return
        handle = self._handles.pop(timer, None)
        if handle is not None and not handle.cancelled():
            handle._run()

    def _run_ready(self) -> None:
        """Run those that are ready by now; what they call for is the next turn's.

        Where they take long, the rest of them is the next turn's too: input, painting and deadlines come in between.
        Work in pieces would fill every turn: it is done in what is left of one, or has been put off for long enough.
        """
        self._soon = 0
        ready, waits, end = self._ready, bool(self._last), time.perf_counter() + TURN_S
        if self._put_off == PATIENCE:
            self._put_off = 0
            ready.appendleft(self._last.popleft())
        for _ in range(len(ready)):
            if not ready:  # a loop within a call has run them
                return
            self._run(ready.popleft())
            if time.perf_counter() > end:
                self._put_off += bool(self._last)
                return
        if waits and self._last:
            self._put_off = 0
            self._run(self._last.popleft())

    def _run(self, handle: asyncio.Handle) -> None:
        self._wake()  # before it: a call that opens a dialog comes back late
        if not handle.cancelled():
            handle._run()

    def stop(self) -> None:
        """Drop everything that is still waiting."""
        for timer in (*self._handles, *([self._soon] if self._soon else [])):
            self.killTimer(timer)
        self._handles.clear()
        self._ready.clear()
        self._last.clear()
        self._soon = self._put_off = 0

    def set_debug(self, enabled: bool) -> None:
        """Accept what qasync passes on; there is nothing to trace."""


class ConsoleLoop(qasync.QEventLoop):  # type: ignore[misc]
    """qasync's loop with :class:`PreciseTimers`; use it as ``asyncio.Runner(loop_factory=ConsoleLoop)``."""

    def __init__(self, app: QCoreApplication | None = None) -> None:
        super().__init__(app)
        self._timer = PreciseTimers()

    def end_threads(self, wait_ms: int) -> None:
        """Begin nothing more in threads, and wait a little for what runs there: an import takes no end, a file does."""
        executor = getattr(self, "_QEventLoop__default_executor", None)  # made when it is first needed
        if executor is not None:
            executor.shutdown(wait=False)
            deadline = QDeadlineTimer(wait_ms)
            for worker in executor._QThreadExecutor__workers:
                QThread.wait(worker, deadline)  # qasync's own takes no deadline

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any, context: Any = None) -> Waiting:
        """Call ``callback`` after ``delay`` seconds; cancelling the handle ends the timer."""
        if not callable(callback):
            raise TypeError(f"{callback!r} cannot be called")
        handle = Waiting(callback, args, self, context, self._timer)
        self._timer.add_callback(handle, delay)
        return handle

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Any = None) -> asyncio.Handle:
        """Call ``callback`` in the next turn."""
        if not callable(callback):
            raise TypeError(f"{callback!r} cannot be called")
        handle = asyncio.Handle(callback, args, self, context)
        self._timer.add_ready(handle)
        return handle

    def call_last(self, callback: Callable[..., object], *args: Any) -> asyncio.Handle:
        """Call ``callback`` in the next turn in which little else is ready."""
        handle = asyncio.Handle(callback, args, self)
        self._timer.add_ready(handle, last=True)
        return handle

    def set_debug(self, enabled: bool) -> None:
        """Keep asyncio's debug switch; called once by the base class before the timers exist."""
        super().set_debug(enabled)


def new_loop() -> asyncio.AbstractEventLoop:
    """Return a loop on the running application."""
    loop: Any = ConsoleLoop(QCoreApplication.instance())
    return loop
