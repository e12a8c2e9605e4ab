"""The log: lines as they come, handed to the view in batches."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.viewmodels.base import ViewModel
from engine.core.events import LogLine

if TYPE_CHECKING:
    from app.bridge import Bridge

WAITING = 20_000


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line: when (Unix seconds), how bad, from where, what."""

    time: float
    level: str
    source: str
    text: str


@dataclass(frozen=True, slots=True)
class LogState:
    """How many lines there were; ``warnings`` and ``errors`` since the operator last looked."""

    lines: int = 0
    warnings: int = 0
    errors: int = 0


def line_level(text: str) -> str:
    """Return how much a line of the node matters: the names of the requests it answers are for debugging only."""
    words = text.split()
    if len(words) == 1 and words[0].partition("_")[0] in ("eth", "evm", "anvil", "web3", "net", "debug"):
        return "debug"
    return "warning" if "error" in text.lower() or "panic" in text.lower() else "info"


class LogViewModel(ViewModel[LogState]):
    """Collects log lines until the view takes them; what nobody takes is bounded."""

    def __init__(self, bridge: Bridge) -> None:
        super().__init__(bridge, LogState())
        self._waiting: deque[LogEntry] = deque(maxlen=WAITING)
        bridge.subscribe(self._on_line, LogLine)

    def add(self, level: str, source: str, text: str) -> None:
        """Append a line that came from elsewhere than the engine's log."""
        self._waiting.append(LogEntry(time.time(), level, source, text))
        state = self.state
        self.update(
            lines=state.lines + 1,
            warnings=state.warnings + (level == "warning"),
            errors=state.errors + (level in ("error", "critical")),
        )

    def take(self) -> list[LogEntry]:
        """Return the lines that came since the last call."""
        taken = list(self._waiting)
        self._waiting.clear()
        return taken

    def seen(self) -> None:
        """Forget the counts of warnings and errors: the operator looked."""
        self.update(warnings=0, errors=0)

    def _on_line(self, event: LogLine) -> None:
        self.add(event.level, event.source, event.text)
