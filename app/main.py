"""The composition root: constructs and wires; nothing else does. Qt is imported only once a window is asked for."""

from __future__ import annotations

import asyncio
import builtins
import gc
import importlib
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from app.display import require_window
from engine.core.paths import DataDir

if TYPE_CHECKING:
    from app.console import Console
    from app.instance import SingleInstance

Leave = Callable[[int], object]
SWITCH_S = 0.0005  # until the loop's thread gets its turn beside one that imports or counts; Python's own is 5 ms
THREADS_MS = 250  # that an export under way has, when the window is closed


def open_window(root: Path | None, files: list[Path]) -> int:
    """Open the console where a window can be opened; ``root`` None: the platform's own place. Raises EngineError."""
    require_window()
    return run_console(DataDir.open(root), files, leave_at_once)


def run_console(data: DataDir, files: list[Path], leave: Leave | None = None) -> int:
    """Open the console on a data directory and return its exit status when it is closed.

    A second console of the same directory passes its files to the first and ends. ``leave`` is called with the status
    when everything is closed; it need not return.
    """
    os.environ.setdefault("NASHBOARD_NICE", "10")  # what computes gives way to the window
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # nothing large is multiplied here; a pool waits in turns
    gc.disable()  # until all is imported and built, of which next to nothing is garbage
    sys.setswitchinterval(SWITCH_S)
    os.environ.setdefault("QT_API", "pyside6")  # qasync would try PyQt5 first
    os.environ.setdefault("QT_LOGGING_RULES", "qt.qpa.services=false")
    from PySide6.QtWidgets import QApplication

    import_plainly()
    from app.console import Console
    from app.instance import SingleInstance
    from app.loop import new_loop

    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    app.setApplicationName("Nashboard")
    app.setDesktopFileName("nashboard")
    app.setQuitOnLastWindowClosed(False)  # the loop must outlive the window until everything is stopped
    instance = SingleInstance(data.root)
    if not instance.acquire():
        return 0 if instance.hand_over(files) else _no_answer(data, instance)
    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(_life(Console(app, data, instance), instance, files, leave))
    finally:
        gc.enable()
        instance.release()


def import_plainly() -> None:
    """Let Python import modules by itself again, once Qt is there.

    PySide6 puts a function of its own before it, for ``from __feature__ import``, which nobody here uses. That reads
    the source of every module to see whether it speaks of PySide6, and Python keeps what was read: 25 MiB.
    """
    builtins.__import__ = getattr(builtins, "__orig_import__", builtins.__import__)


def leave_at_once(status: int) -> None:
    """End the process. Taking two thousand widgets and the interpreter apart takes longer than all that matters."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(status)


async def _life(console: Console, instance: SingleInstance, files: list[Path], leave: Leave | None) -> int:
    """Run the console; in the end see to what its process holds beside it."""
    from app.loop import ConsoleLoop

    built = asyncio.create_task(settle(console), name="settling")
    status = await console.run(files)
    built.cancel()
    loop = asyncio.get_running_loop()
    if leave is not None and isinstance(loop, ConsoleLoop):
        loop.end_threads(THREADS_MS)
        instance.release()
        leave(status)
    return status


async def settle(console: Console) -> None:
    """Import what plots need, then see to when the collector looks at what: to look all of it through takes 0.1 s."""
    await console.wait_ready()
    await asyncio.to_thread(importlib.import_module, "widgets.curve_item")  # pyqtgraph with it: 0.3 s on the loop
    from app.collector import Collector

    wiring = console.wiring
    await Collector(lambda: wiring is not None and wiring.runtime.jobs.busy).run()


def _no_answer(data: DataDir, instance: SingleInstance) -> int:
    text = f"Another Nashboard uses {data.root} and does not answer."
    holder = instance.holder()
    what_next = f"Close it{f' (process {holder})' if holder else ''}, or choose another --data-dir."
    print(text, what_next, file=sys.stderr)  # noqa: T201
    from PySide6.QtWidgets import QApplication, QMessageBox

    seen = QApplication.platformName() not in ("offscreen", "minimal")
    if seen and (sys.stderr is None or not sys.stderr.isatty()):  # started from a menu: nobody reads that
        QMessageBox(QMessageBox.Icon.Warning, "Nashboard", f"{text}\n\n{what_next}").exec()
    return 1
