"""What a node prints. Anvil greets with its accounts' keys: they are public, but no log should teach to print keys."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

from engine.chain.errors import DevnetError
from engine.chain.events import DevnetLine
from engine.core.bus import EventBus

_LISTENING = re.compile(r"Listening on \S+:(\d+)")
# A line that numbers a key, or names the phrase that they come from; hashes of transactions stand in other lines.
_KEY = re.compile(r"^\s*(?:\(\d+\) 0x[0-9a-f]{64}|Mnemonic:.*)\s*$", re.MULTILINE)
_BLANK = "(a key of the development accounts)"


class NodeOutput:
    """What the node prints: passed on to the log, searched for the port, its end kept for error messages."""

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        self._lines: list[str] = []
        self._port: int | None = None
        self._read = 0

    def take(self, line: str) -> None:
        """Look at one line, and pass it on without the keys that Anvil greets with."""
        line = _KEY.sub(_BLANK, line)
        self._lines = [*self._lines[-19:], line]
        found = _LISTENING.search(line)
        if found:
            self._port = int(found.group(1))
        if line.strip():
            self._bus.publish(DevnetLine(line))

    async def port(self, gone: Callable[[], bool], log: Path | None) -> int:
        """Wait for the port, in the lines taken or in the file that a detached node writes. Raises DevnetError."""
        while self._port is None:
            ended = gone()
            if log is not None:
                lines = _lines(log)
                for line in lines[self._read :]:
                    self.take(line)
                self._read = len(lines)
            if self._port is None and ended:
                await asyncio.sleep(0.05)  # its last lines may still be on their way
                raise DevnetError("Anvil did not start", self.tail() or "it ended at once", "See the node's log.")
            await asyncio.sleep(0.01)
        return self._port

    def tail(self) -> str:
        """Return the last lines that say something."""
        return " ".join(line.strip() for line in self._lines[-6:] if line.strip())


def blank_keys(log: Path) -> None:
    """Write over the keys in the file that a node is writing to: in their places, since it goes on behind them."""
    with log.open("r+b") as file:
        for found in re.finditer(_KEY.pattern.encode(), file.read(), re.MULTILINE):
            file.seek(found.start())
            file.write(re.sub(rb"[^\s]", b"*", found[0]))


def _lines(log: Path) -> list[str]:
    return log.read_text("utf-8", "replace").splitlines()
