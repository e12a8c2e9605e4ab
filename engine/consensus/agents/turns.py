"""Models of this process take turns, in threads of their own: one that hangs silences nobody but itself."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from engine.consensus.errors import ConsensusError

T = TypeVar("T")
PATIENCE = 0.4  # seconds that a model may keep others waiting
_LOOK = 0.05  # how often a waiting one looks whether the other hangs


class _Turns:
    """One at a time, since models share torch's threads and its generator; but never behind one that hangs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since = 0.0

    def take(self, call: Callable[[], T]) -> T:
        """Return what the call returns, made alone where that does not take too long."""
        while not self._lock.acquire(timeout=_LOOK):
            if time.monotonic() - self._since > PATIENCE:
                return call()
        try:
            self._since = time.monotonic()
            return call()
        finally:
            self._lock.release()


_turns = _Turns()


async def in_turn(name: str, call: Callable[[], T]) -> T:
    """Return what a model's call returns; ``name`` is for the thread.

    The thread is none of the loop's: the loop's are few, and the program's end waits for them. What the call raises is
    raised here, but a model that wants to end the program has failed (ConsensusError).
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def tell(value: T | None, error: BaseException | None) -> None:
        if answer.done():  # nobody waits any more
            return
        if error is None:
            answer.set_result(value)  # type: ignore[arg-type]
        elif isinstance(error, Exception):
            answer.set_exception(error)
        else:
            answer.set_exception(ConsensusError("The model failed", f"it raised {type(error).__name__}"))

    def work() -> None:
        value, problem = None, None
        try:
            value = _turns.take(call)
        except BaseException as error:
            problem = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to hear it
            loop.call_soon_threadsafe(tell, value, problem)

    threading.Thread(target=work, name=f"model of {name}", daemon=True).start()
    return await answer
