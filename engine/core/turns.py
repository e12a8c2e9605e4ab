"""Turns of the loop: of all the work that is done in pieces, one piece a turn.

``asyncio.sleep(0)`` lets others go first, but all that do so come back in the same turn of the loop: with a league, a
chain and a window at work, pieces of two milliseconds each make turns of twenty, and a key pressed waits for all of
them. Who waits here instead is let go alone, in the order in which they came.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Turns:
    """The queue of one loop. Qt may deliver what is left when the loop has ended: so it asks for no running one."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)  # a queue is kept as long as its loop, not the other way round
        self._waiting: deque[asyncio.Future[None] | Callable[[], None]] = deque()
        self._planned = False

    def ask(self) -> asyncio.Future[None]:
        """Return what is done when the turn has come."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._plan()
        return turn

    def call(self, piece: Callable[[], None]) -> None:
        """Do a piece when its turn has come."""
        self._waiting.append(piece)
        self._plan()

    def _plan(self) -> None:
        loop = self._loop()
        if not self._planned and self._waiting and loop is not None and not loop.is_closed():
            self._planned = True
            getattr(loop, "call_last", loop.call_soon)(self._let_one_go)  # a loop may know what can wait

    def _let_one_go(self) -> None:
        self._planned = False
        while self._waiting:
            turn = self._waiting.popleft()
            if not isinstance(turn, asyncio.Future):
                self._plan()
                turn()
                return
            if not turn.done():  # a task that was cancelled takes no turn
                turn.set_result(None)
                break
        self._plan()


_of: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Turns] = weakref.WeakKeyDictionary()


def turns() -> Turns:
    """Return the queue of the running loop."""
    loop = asyncio.get_running_loop()
    found = _of.get(loop)
    if found is None:
        found = _of[loop] = Turns(loop)
    return found


async def own_turn() -> None:
    """Wait for a turn of the loop in which no other piece of work is done: between two pieces of long work."""
    await turns().ask()


async def beside(work: Callable[[Callable[[], None]], T]) -> T:
    """Do work in a thread that mostly computes outside Python. It is given what to call between its steps.

    When nobody waits for it any more, that call ends it: a thread that goes on would keep the program from ending.
    """
    left = threading.Event()

    def go_on() -> None:
        if left.is_set():
            raise asyncio.CancelledError

    try:
        return await asyncio.to_thread(work, go_on)
    finally:
        left.set()
