"""Running the engine for one command: a loop, a runtime, progress on stderr, and an orderly end on a signal."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from app.commands.output import Output

if TYPE_CHECKING:
    from engine.runtime import Runtime

T = TypeVar("T")


def run_async(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run ``work`` in a loop of its own. SIGINT and SIGTERM cancel it, so that it can end in order."""

    async def main() -> T:
        task = asyncio.current_task()
        assert task is not None
        terminated = False

        def terminate() -> None:
            nonlocal terminated
            terminated = True
            task.cancel()

        with contextlib.suppress(NotImplementedError):  # Windows loops take no signal handlers
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminate)
        try:
            return await work()
        except asyncio.CancelledError:
            if terminated:
                raise KeyboardInterrupt from None
            raise

    with asyncio.Runner() as runner:
        return runner.run(main())


def run_engine(output: Output, work: Callable[[Runtime], Awaitable[T]], *, workers: int | None = None) -> T:
    """Open the runtime on the data directory, run ``work`` with it, and close it whatever happens."""
    data = output.data()

    async def main() -> T:
        from engine.runtime import Runtime

        async with await Runtime.open(data, workers=workers) as runtime:
            return await work(runtime)

    with logged(output):  # the runtime writes the log file itself
        return run_async(main)


@contextlib.contextmanager
def logged(output: Output, folder: Path | None = None) -> Iterator[None]:
    """Show warnings (with --verbose information too) on stderr; write the log file in ``folder``."""
    from engine.core.logs import log_to_file

    to_stderr = logging.StreamHandler(sys.stderr)
    to_stderr.setLevel(logging.INFO if output.verbose else logging.WARNING)
    to_stderr.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    handlers: list[logging.Handler] = [to_stderr, *([log_to_file(folder)] if folder is not None else [])]
    ours = logging.getLogger("engine")
    ours.setLevel(logging.INFO)
    for handler in handlers:
        ours.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            ours.removeHandler(handler)
            handler.close()
