"""Between the engine's bus and the window: owns every task; views hear of changes at most 30 times a second."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from app.errors import Notice, is_expected, notice_of
from engine.core.bus import EventBus, Subscription
from engine.core.events import Event
from engine.core.turns import turns

PERIOD = 1 / 30
REST = 2.0  # times as long as a flush with its painting took, the loop is left to others
LONGEST = 0.25  # seconds between two flushes, however long they take
_log = logging.getLogger(__name__)


class Bridge:
    """Delivers events to view-models, flushes their states, and runs their intents as tasks that it owns."""

    def __init__(
        self,
        bus: EventBus,
        *,
        notify: Callable[[Notice], None],
        crash: Callable[[BaseException, str], None],
    ) -> None:
        self.bus = bus
        self.notify = notify
        self._crash = crash
        self._tasks: set[asyncio.Task[Any]] = set()
        self._subscriptions: list[Subscription] = []
        self._dirty: dict[Callable[[], None], None] = {}
        self._timer: asyncio.TimerHandle | asyncio.Handle | None = None
        self._last_flush = -1.0
        self._left = 0  # flushes under way that wait for their turn
        self._took = 0.0
        self._period = PERIOD
        self._closed = False

    def subscribe(self, handler: Callable[[Any], None], *types: type[Event]) -> None:
        """Deliver events of these types to ``handler`` until the bridge closes."""
        self._subscriptions.append(self.bus.subscribe(handler, *types))

    def changed(self, flush: Callable[[], None]) -> None:
        """Call ``flush`` soon, once, however often it was announced since the last time."""
        if self._closed:
            return
        self._dirty[flush] = None
        self._plan()

    def _plan(self) -> None:
        if self._timer is None and not self._left:
            loop = asyncio.get_running_loop()
            wait = max(0.0, self._last_flush + self._period - loop.time())
            self._timer = loop.call_later(wait, self._spread)

    def spawn(self, work: Coroutine[Any, Any, Any], name: str, *, key: str = "") -> asyncio.Task[Any]:
        """Run ``work`` as a task of the bridge. Expected failures become a notice, others reach the crash dialog."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._collect(done, key))
        return task

    def report(self, error: BaseException, where: str, *, key: str = "") -> None:
        """Tell the operator about ``error`` in the fitting way."""
        if is_expected(error):
            _log.warning("%s: %s", where, error)
            self.notify(notice_of(error, key=key))
        else:
            _log.error("%s failed", where, exc_info=error)
            self._crash(error, where)

    @property
    def busy(self) -> int:
        """How many tasks run."""
        return len(self._tasks)

    async def close(self) -> None:
        """End all deliveries, cancel all tasks and wait for them."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.close()
        self._subscriptions.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _collect(self, task: asyncio.Task[Any], key: str) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not (self._closed and is_expected(error)):
            self.report(error, task.get_name(), key=key)

    def _flush(self) -> None:
        """Show at once all that changed: for who must see it before the loop's next turn."""
        pending, self._dirty = list(self._dirty), {}
        for flush in pending:
            flush()

    def _spread(self) -> None:
        """Give each that is to hear of a change a turn of its own: all of them at once take longer than a frame."""
        self._timer = None
        self._last_flush = asyncio.get_running_loop().time()
        self._took = 0.0
        pending, self._dirty = list(self._dirty), {}
        self._left = len(pending)
        for flush in pending:
            turns().call(partial(self._flush_one, flush))

    def _flush_one(self, flush: Callable[[], None]) -> None:
        self._left -= 1
        if self._closed:  # the loop may have ended by then
            return
        loop = asyncio.get_running_loop()
        self._dirty.pop(flush, None)  # what changed while it waited is shown now
        start = loop.time()
        try:
            flush()
        finally:
            loop.call_soon(self._measure, start)  # by then what changed has been painted

    def _measure(self, start: float) -> None:
        """Flush less often where showing takes long: what is shown late is better than a window that is late."""
        if self._closed:
            return
        self._took += asyncio.get_running_loop().time() - start
        if self._left:
            return
        self._period = min(LONGEST, max(PERIOD, (1 + REST) * self._took))
        if self._dirty:
            self._plan()
