"""Log files: rotating, five of five megabytes, and a handler that turns records into events."""

from __future__ import annotations

import logging
import logging.handlers
from pathlib import Path

from engine.core.bus import EventBus
from engine.core.events import LogLine

_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def log_to_file(folder: Path, level: int = logging.INFO) -> logging.Handler:
    """Write the records of the program's own loggers to ``folder/nashboard.log``; the caller removes the handler."""
    handler = logging.handlers.RotatingFileHandler(
        folder / "nashboard.log", maxBytes=5_000_000, backupCount=4, encoding="utf-8", delay=True
    )
    handler.setFormatter(logging.Formatter(_FORMAT))
    handler.setLevel(level)
    return handler


class BusHandler(logging.Handler):
    """Publishes records as LogLine events. Only for records of the loop's thread; others go to the file alone."""

    def __init__(self, bus: EventBus) -> None:
        super().__init__(logging.INFO)
        self._bus = bus

    def emit(self, record: logging.LogRecord) -> None:
        """Publish one record, except those about the bus itself, which would come back here."""
        if record.name != "engine.core.bus" and record.threadName == "MainThread":
            self._bus.publish(LogLine(record.levelname.lower(), record.name, record.getMessage()))
