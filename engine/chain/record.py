"""The record of a running node: lets another program of the same data directory find it, stop it, or see it is gone."""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from engine.core.hashing import parse_json


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """A node that was started from here. ``started`` is the process's own start time: process ids come again.

    ``owner`` and ``owner_started`` are the same of the program that started it, 0 where that is not known.
    """

    pid: int
    started: float
    port: int
    chain_id: int
    version: str
    detached: bool
    owner: int = 0
    owner_started: float = 0.0

    @classmethod
    def of(cls, pid: int, port: int, chain_id: int, version: str, *, detached: bool) -> NodeRecord:
        """Return the record of a node that this program just started."""
        started, own = psutil.Process(pid).create_time(), psutil.Process()
        return cls(pid, started, port, chain_id, version, detached, own.pid, own.create_time())

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def alive(self) -> bool:
        """Whether that very process still runs."""
        return _runs(self.pid, self.started)

    @property
    def orphaned(self) -> bool:
        """Whether it was to end with the program that started it, and that has ended: it answers for a moment only."""
        return not self.detached and self.owner > 0 and not _runs(self.owner, self.owner_started)

    async def gone_within(self, seconds: float) -> bool:
        """Wait for the end of its process; return whether it came."""
        end = time.monotonic() + seconds
        while self.alive and time.monotonic() < end:  # noqa: ASYNC110  (a foreign process sends no event)
            await asyncio.sleep(0.05)
        return not self.alive


def _runs(pid: int, started: float) -> bool:
    try:
        process = psutil.Process(pid)
        return bool(process.create_time() == started and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def write_record(path: Path, record: NodeRecord) -> None:
    """Write the record so that a reader sees all of it or none."""
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(asdict(record)), encoding="utf-8")
    os.replace(temporary, path)  # noqa: PTH105  (Path.replace is the same call; this one names its guarantee)


def read_record(path: Path) -> NodeRecord | None:
    """Return the record of a living node; a stale or damaged one is removed."""
    try:
        record = NodeRecord(**parse_json(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError):
        path.unlink(missing_ok=True)
        return None
    if not record.alive:
        path.unlink(missing_ok=True)
        return None
    return record
