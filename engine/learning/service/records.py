"""The folders of runs: what was asked for, the journal, the result. A run without a result can be gone on with."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.core.errors import UsageError
from engine.core.files import write_atomically
from engine.core.hashing import parse_json
from engine.learning.errors import LearningError
from engine.learning.service.specs import LearnSpec

LARGEST = 64 * 2**20  # bytes of a kept run
STATES = ("interrupted", "done", "cancelled", "failed")
KEPT = 200  # runs; the oldest that are over go first


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A kept run. ``state``: interrupted, done, cancelled, failed; ``result``: the JSON form, None before the end."""

    run_id: int
    spec: LearnSpec
    created: float
    state: str
    message: str
    result: dict[str, Any] | None

    @property
    def resumable(self) -> bool:
        """Whether it can be gone on with."""
        return self.state in ("interrupted", "cancelled")

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        found = self.result or {}
        return {
            "run_id": self.run_id,
            "scenario": self.spec.scenario,
            "state": self.state,
            "created": self.created,
            "message": self.message,
            "slots": found.get("slots"),
            "trace_hash": found.get("trace_hash"),
            "ok": found.get("ok"),
        }


class Records:
    """The runs in a folder, a folder each, named by their numbers."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def create(self, spec: LearnSpec) -> int:
        """Keep a new run and return its number. Raises LearningError where the folder cannot be written."""
        try:
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
            number = max(self._numbers(), default=0) + 1
            while True:
                try:
                    self.folder(number).mkdir(mode=0o700)
                    break
                except FileExistsError:  # another program on this folder took it
                    number += 1
            self._write(number, spec, time.time(), "interrupted", "", None)
        except OSError as error:
            why = f"{self._root}: {error.strerror or error!r}"
            raise LearningError("The run cannot be kept", why, "Free some space or choose another folder.") from error
        self._drop_old()
        return number

    def folder(self, run_id: int) -> Path:
        """Where a run lies."""
        return self._root / str(run_id)

    def journal(self, run_id: int) -> Path:
        """A run's journal."""
        return self.folder(run_id) / "journal"

    def end(self, run_id: int, state: str, message: str, result: dict[str, Any] | None) -> None:
        """Keep how a run ended."""
        record = self.get(run_id)
        self._write(run_id, record.spec, record.created, state, message, result)

    def get(self, run_id: int) -> RunRecord:
        """Return a run. Raises UsageError for an unknown one, LearningError for one that cannot be read."""
        path = self.folder(run_id) / "run.json"
        try:
            return _record(run_id, parse_json(_bounded(path)))
        except FileNotFoundError:
            numbers = ", ".join(map(str, self._numbers()[-8:])) or "none yet"
            raise UsageError(f"There is no run {run_id}", f"the last ones are {numbers}") from None
        except (OSError, ValueError, KeyError, TypeError, LearningError) as error:
            raise LearningError(
                f"The run {run_id} cannot be read", f"{path}: {error}", "Remove its folder, or restore it from a copy."
            ) from error

    def all(self) -> list[RunRecord]:
        """Return the runs that can be read, newest first."""
        found = []
        for number in reversed(self._numbers()):
            try:
                found.append(self.get(number))
            except (LearningError, UsageError):
                continue  # `get` says what is wrong with it when it is asked for
        return found

    def _write(
        self, run_id: int, spec: LearnSpec, created: float, state: str, message: str, result: dict[str, Any] | None
    ) -> None:
        document = {"spec": spec.to_json(), "created": created, "state": state, "message": message, "result": result}
        write_atomically(self.folder(run_id) / "run.json", json.dumps(document).encode())

    def _numbers(self) -> list[int]:
        if not self._root.is_dir():
            return []
        return sorted(int(entry.name) for entry in self._root.iterdir() if entry.name.isdigit() and entry.is_dir())

    def _drop_old(self) -> None:
        over = [number for number in self._numbers()[:-KEPT] if self._is_over(number)]
        for number in over:
            shutil.rmtree(self.folder(number), ignore_errors=True)

    def _is_over(self, run_id: int) -> bool:
        try:
            return not self.get(run_id).resumable
        except (LearningError, UsageError):
            return False


def _bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"it has more than {LARGEST:,} bytes")
    return data


def _record(run_id: int, document: Any) -> RunRecord:
    """Return the record in a document. Raises ValueError, TypeError, KeyError, LearnSettingError for any other."""
    spec = LearnSpec.from_json(document["spec"])
    created, state, message, result = (document[name] for name in ("created", "state", "message", "result"))
    if state not in STATES or not isinstance(message, str) or not isinstance(result, dict | None):
        raise ValueError("it does not say how a run ended")
    return RunRecord(run_id, spec, float(created), state, message, result)
