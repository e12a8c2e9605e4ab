"""The record of a running node: lets another program of the same data directory find it, stop it, or see it is gone."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from engine.core.hashing import parse_json


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """A node that was started from here. ``started`` is the process's own start time: process ids come again."""

    pid: int
    started: float
    port: int
    chain_id: int
    version: str
    detached: bool

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def alive(self) -> bool:
        """Whether that very process still runs."""
        try:
            process = psutil.Process(self.pid)
            return bool(process.create_time() == self.started and process.status() != psutil.STATUS_ZOMBIE)
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
