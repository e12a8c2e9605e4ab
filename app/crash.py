"""Bugs: every way an exception can get lost ends here, in a report file and a dialog; never in a bare traceback."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from PySide6.QtCore import QtMsgType, qInstallMessageHandler

_log = logging.getLogger(__name__)
_QT_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}
KEPT = 20  # reports; the oldest go
FAULTS = "fault.log"  # where the last words of a process go that ends without Python: its signal, and where it was
LONGEST = 100_000  # characters of them that are read


class CrashHandler:
    """Catches what nobody else caught; ``show`` puts the report before the operator, on the loop's thread."""

    def __init__(self, logs: Path, show: Callable[[str, str, Path], None]) -> None:
        self._logs = logs
        self._show = show
        self._loop: asyncio.AbstractEventLoop | None = None
        self._fault_file: IO[str] | None = None
        self._previous: tuple[Any, Any] = (sys.excepthook, threading.excepthook)
        self._shown: set[str] = set()

    def take_last(self) -> tuple[str, str, Path] | None:
        """Return how the session before this one ended, if by a fault: in a sentence, its report, and its file.

        Call it before ``install``. The report is kept under a name of its own, and told once.
        """
        left = self._logs / FAULTS
        try:
            text = left.read_text("utf-8", "replace")[:LONGEST]
            if not text.strip():
                return None
            path = self._logs / f"crash-{time.strftime('%Y%m%d-%H%M%S', time.localtime(left.stat().st_mtime))}.txt"
            with path.open("a", encoding="utf-8") as stream:
                stream.write(f"{_head('The session before this one')}{text}\n")
            left.unlink()
        except OSError:
            return None
        first = next(line.strip() for line in text.splitlines() if line.strip())
        return f"The last session ended at once, by a fault: {first}", path.read_text("utf-8", "replace"), path

    def install(self) -> None:
        """Take over the hooks that need no loop."""
        # Whoever enabled it already keeps it: doing so again would also take the signals back that a sandbox in this
        # process turns into traps.
        if not faulthandler.is_enabled():
            with contextlib.suppress(OSError):
                self._fault_file = (self._logs / FAULTS).open("a", encoding="utf-8")
                faulthandler.enable(self._fault_file)
        self._previous = (sys.excepthook, threading.excepthook)
        sys.excepthook = self._on_exception
        threading.excepthook = self._on_thread_exception
        qInstallMessageHandler(self._on_qt_message)

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take over the handler of the loop, and use the loop to reach its thread."""
        self._loop = loop
        loop.set_exception_handler(self._on_loop_exception)

    def uninstall(self) -> None:
        """Give the hooks back."""
        sys.excepthook, threading.excepthook = self._previous
        qInstallMessageHandler(None)
        self._loop = None
        if self._fault_file is not None:
            faulthandler.disable()
            self._fault_file.close()
            self._fault_file = None
            with contextlib.suppress(OSError):
                if not (self._logs / FAULTS).stat().st_size:
                    (self._logs / FAULTS).unlink()

    def report(self, error: BaseException, where: str) -> None:
        """Write the report and show it; the same fault is shown once a session and only logged after that."""
        text = _report_text(error, where)
        _log.critical("%s", text)
        frames = traceback.extract_tb(error.__traceback__)
        fault = f"{type(error).__name__}@{frames[-1].filename}:{frames[-1].lineno}" if frames else repr(error)
        if fault in self._shown:
            return
        self._shown.add(fault)
        path = self._write(text)
        summary = f"{where}: {type(error).__name__}: {error}" if str(error) else f"{where}: {type(error).__name__}"
        if self._loop is not None and threading.current_thread() is not threading.main_thread():
            self._loop.call_soon_threadsafe(self._show, summary, text, path)
        else:
            self._show(summary, text, path)

    def _write(self, text: str) -> Path:
        path = self._logs / f"crash-{time.strftime('%Y%m%d-%H%M%S')}.txt"
        with contextlib.suppress(OSError), path.open("a", encoding="utf-8") as stream:
            stream.write(text + "\n")
        for old in sorted(self._logs.glob("crash-*.txt"))[:-KEPT]:
            with contextlib.suppress(OSError):
                old.unlink()
        return path

    def _on_exception(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            return
        self.report(error.with_traceback(trace), "The window")

    def _on_thread_exception(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and args.exc_type is not SystemExit:
            self.report(args.exc_value, f"Thread {args.thread.name if args.thread else 'unknown'}")

    def _on_loop_exception(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, BaseException):
            self.report(error, str(context.get("message") or "The loop"))
        else:
            _log.error("loop: %s", context.get("message"))

    def _on_qt_message(self, kind: QtMsgType, context: Any, message: str) -> None:
        if "propagateSizeHints" in message:  # the offscreen platform says it at every resize
            return
        logging.getLogger("qt").log(_QT_LEVELS.get(kind, logging.WARNING), "%s", message)
        if kind == QtMsgType.QtFatalMsg and self._fault_file is not None:  # Qt ends the process when this returns
            with contextlib.suppress(OSError, ValueError):
                self._fault_file.write(f"Qt: {' '.join(message.split())}\n")
                self._fault_file.flush()


def _report_text(error: BaseException, where: str) -> str:
    return _head(where) + "".join(traceback.format_exception(error))


def _head(where: str) -> str:
    import platform
    from importlib.metadata import PackageNotFoundError, version

    try:
        release = version("nashboard")
    except PackageNotFoundError:
        release = "from source"
    head = [
        f"Nashboard {release}, Python {platform.python_version()}, {platform.platform()}",
        time.strftime("%Y-%m-%d %H:%M:%S %z"),
        f"Where: {where}",
        "",
    ]
    return "\n".join(head)
