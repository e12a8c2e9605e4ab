"""Log files: rotating, five of five megabytes, and a handler that turns records into events."""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
from pathlib import Path

from engine.core.bus import EventBus
from engine.core.events import LogLine

_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


SIZE = 5_000_000  # bytes of one file
FILES = 5
LONGEST = 64_000  # characters of one record: one alone must not fill a file


def log_to_file(folder: Path, level: int = logging.INFO) -> logging.Handler:
    """Write the records of the program's own loggers to ``folder/nashboard.log``; the caller removes the handler."""
    handler = _Rotating(folder / "nashboard.log", maxBytes=SIZE, backupCount=FILES - 1, encoding="utf-8", delay=True)
    handler.setFormatter(_Bounded(_FORMAT))
    handler.setLevel(level)
    return handler


class _Rotating(logging.handlers.RotatingFileHandler):
    """Follows the file when another program on this data directory rotated it: both write to the newest one."""

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802 - logging's name
        """Return whether the record needs a new file; look first whether the file is still ours."""
        if self.stream is not None and not self._is_ours():
            self.stream.close()
            self.stream = None  # it is opened again for the record
        return bool(super().shouldRollover(record))

    def doRollover(self) -> None:  # noqa: N802 - logging's name
        """Start a new file; another program may be doing so at this moment, then its file is ours too."""
        with contextlib.suppress(FileNotFoundError):
            super().doRollover()

    def _is_ours(self) -> bool:
        with contextlib.suppress(OSError):
            assert self.stream is not None
            return os.path.samestat(os.fstat(self.stream.fileno()), Path(self.baseFilename).stat())
        return False


class _Bounded(logging.Formatter):
    """Cuts records that are too long, and says so."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's text."""
        text = super().format(record)
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text) - LONGEST:,} characters more)"


class BusHandler(logging.Handler):
    """Publishes records as LogLine events. Only for records of the loop's thread; others go to the file alone."""

    def __init__(self, bus: EventBus) -> None:
        super().__init__(logging.INFO)
        self._bus = bus

    def emit(self, record: logging.LogRecord) -> None:
        """Publish one record, except those about the bus itself, which would come back here."""
        if record.name != "engine.core.bus" and record.threadName == "MainThread":
            self._bus.publish(LogLine(record.levelname.lower(), record.name, record.getMessage()))
