"""What came to a run from outside, line by line, so that a run that was killed can be played again to the same state.

A line is the SHA-256 over the one before and its own text, a blank, and the text: a JSON list that begins with what
it is. ``begin`` holds program version and settings, ``answer`` what a worker or the DHT answered, ``act`` what an
operator did, ``slot`` how a slot ended and the hash of the run so far. Every line is handed to the system at once,
so that the end of the process loses none; the disk is waited for once a slot, so that a power cut loses a slot.
A lock beside the file keeps two programs from going on with one run.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from engine.core.errors import EngineError
from engine.core.hashing import parse_json
from engine.learning.config import LearnConfig
from engine.learning.errors import JournalError
from engine.learning.run.codec import Codec

FORMAT = 1
START = "0" * 64
GENESIS = -1  # the "slot" under which the first block is on record
LONGEST = 64 * 2**20  # bytes of a line: sixty-four deltas of 150,000 bytes as base64 are a fifth of it
RESUME_NEXT = "Delete the run, or restore the file from a copy."


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it came: the time and the sequence number of its arrival, and the answer."""

    time: float
    sequence: int
    value: Any


@dataclass(frozen=True, slots=True)
class Act:
    """An operator's act. ``order`` is -1 before all else of that time, 1 after all that was planned for it."""

    time: float
    order: int
    sequence: int
    name: str
    value: Any


def program_version() -> str:
    """Return the version that a journal is bound to."""
    try:
        return version("nashboard")
    except PackageNotFoundError:
        return "0"


class Journal:
    """An append-only record of one run, open for that run alone."""

    def __init__(self, path: Path, file: BinaryIO, lock: FileLock) -> None:
        self.path = path
        self._file = file
        self._lock = lock
        self._last = START
        self._codec = Codec()
        self._answers: dict[str, Answer] = {}
        self.acts: list[Act] = []
        self.slots: dict[int, str] = {}
        self.last_time = 0.0
        self.sequence = 0

    @classmethod
    def open(cls, path: Path, config: LearnConfig, *, note: dict[str, Any] | None = None) -> Journal:
        """Open the record of a run, or begin one.

        ``note`` is further data that must be the same (scenario, faults). A last line that was not written to its
        end is dropped. Raises JournalError where a line is damaged, where the record is of another run or program,
        and where a program is at work on it.
        """
        begin = [FORMAT, program_version(), config.model_dump(mode="json"), note or {}]
        try:
            file = path.open("r+b" if path.exists() else "x+b")
        except OSError as error:
            raise JournalError(f"{path.name} cannot be opened", str(error.strerror), "Check the folder.") from error
        lock = FileLock(path.with_name(f"{path.name}.lock"), timeout=0)
        try:
            lock.acquire()
        except (Timeout, OSError) as error:
            file.close()
            why = "another Nashboard is at work on this run" if isinstance(error, Timeout) else str(error.strerror)
            raise JournalError(f"{path.name} cannot be opened", why, "Wait for its end, or stop it.") from error
        journal = cls(path, file, lock)
        try:
            journal._load(json.loads(json.dumps(begin)))
        except BaseException:
            journal.close()
            raise
        return journal

    def _load(self, begin: list[Any]) -> None:
        good, number = 0, 0
        raw = self._line(1)
        while raw:
            number += 1
            following = self._line(number + 1)
            hashed, _, body = raw.rstrip(b"\n").partition(b" ")
            if not raw.endswith(b"\n") or hashed.decode("ascii", "replace") != _link(self._last, body):
                if following:
                    why = f"its line {number} does not have its hash"
                    raise JournalError(f"{self.path.name} is damaged", why, RESUME_NEXT, line=number)
                break
            self._last = hashed.decode()
            self._take(body, begin, number)
            good += len(raw)
            raw = following
        self._file.seek(good)
        self._file.truncate()
        if good == 0:
            self._write(["begin", *begin])
            self.sync()

    def _line(self, number: int) -> bytes:
        raw = self._file.readline(LONGEST + 1)
        if len(raw) > LONGEST:
            why = f"its line {number} has more than {LONGEST:,} bytes"
            raise JournalError(f"{self.path.name} is damaged", why, RESUME_NEXT, line=number)
        return raw

    def _take(self, body: bytes, begin: list[Any], number: int) -> None:
        """Take a line in. Its hash holds, but anybody can compute a hash: it may be anything."""
        try:
            kind, *rest = parse_json(body)
        except (ValueError, TypeError) as error:
            raise JournalError(f"{self.path.name} is damaged", f"its line {number}: {error}", RESUME_NEXT) from error
        if (kind == "begin") is not (number == 1):
            raise JournalError(f"{self.path.name} is damaged", f"its line {number} is out of place", RESUME_NEXT)
        if kind == "begin":
            _same(rest, begin, self.path.name)
            return
        try:
            self._keep(kind, rest)
        except (ValueError, TypeError, LookupError, OverflowError, EngineError) as error:
            raise JournalError(f"{self.path.name} is damaged", f"its line {number}: {error}", RESUME_NEXT) from error

    def _keep(self, kind: str, rest: list[Any]) -> None:
        if kind == "slot":
            slot, when, trace = rest
            self.slots[int(slot)] = str(trace)
            self.last_time = max(self.last_time, _seconds(when))
            return
        when, sequence = _seconds(rest[0]), int(rest[1])
        self.last_time, self.sequence = max(self.last_time, when), max(self.sequence, sequence)
        if kind == "answer":
            self._answers[rest[2]] = Answer(when, sequence, self._codec.decode(rest[3]))
        elif kind == "act":
            self.acts.append(Act(when, int(rest[2]), sequence, rest[3], self._codec.decode(rest[4])))
        else:
            raise ValueError(f"there is no line of kind {kind!r}")

    @property
    def unused(self) -> int:
        """How many answers were not asked for yet."""
        return len(self._answers)

    def take(self, name: str) -> Answer | None:
        """Return the answer that is on record for a question, once."""
        return self._answers.pop(name, None)

    def answer(self, name: str, answer: Answer) -> None:
        """Write an answer down."""
        self._write(["answer", answer.time, answer.sequence, name, self._codec.encode(answer.value)])

    def act(self, act: Act) -> None:
        """Write an operator's act down, on the disk: it was done by hand."""
        self._write(["act", act.time, act.sequence, act.order, act.name, self._codec.encode(act.value)])
        self.sync()

    def slot(self, slot: int, time: float, trace: str) -> None:
        """Write down how a slot ended; where that is on record, check it. Raises JournalError where it differs.

        It survives the program at once, and the machine once ``sync`` was called.
        """
        if slot in self.slots:
            if self.slots[slot] != trace:
                why = f"slot {slot} came out otherwise than it is on record"
                if slot == GENESIS:
                    why = "it begins with another block or another model than this one"
                raise JournalError("The run does not follow its own record", why, "Start the run anew.", slot=slot)
            return
        self.slots[slot] = trace
        self._write(["slot", slot, time, trace])

    def _write(self, line: list[Any]) -> None:
        body = json.dumps(line, separators=(",", ":")).encode()
        self._last = _link(self._last, body)
        try:
            self._file.write(self._last.encode() + b" " + body + b"\n")
            self._file.flush()
        except OSError as error:
            why = str(error.strerror)
            raise JournalError(f"{self.path.name} cannot be written", why, "Free space on the disk.") from error

    def sync(self) -> None:
        """Wait for the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self._lock.release()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _link(last: str, body: bytes) -> str:
    return sha256(last.encode() + body).hexdigest()


def _seconds(value: Any) -> float:
    when = float(value)
    if not 0.0 <= when < 1e12:
        raise ValueError(f"{when} is no time of a run")
    return when


def _same(found: list[Any], begin: list[Any], name: str) -> None:
    if found == begin:
        return
    if len(found) != len(begin) or not isinstance(found[2], dict):
        raise JournalError(f"{name} is damaged", "its line 1 is not how a record begins", RESUME_NEXT)
    if found[:2] != begin[:2]:
        why = f"it was written by version {found[1]} of the program, this is {begin[1]}"
        raise JournalError(f"{name} cannot be gone on with", why, "Use that version, or start the run anew.")
    changed = sorted(key for key in begin[2] if found[2].get(key) != begin[2][key])
    why = f"its settings are others: {', '.join(changed)}" if changed else "its scenario or faults are others"
    raise JournalError(f"{name} cannot be gone on with", why, "Give it the settings that it began with.")
