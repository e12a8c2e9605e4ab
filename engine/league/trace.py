"""The trace of a match: records as the referee wrote them, their hashes, and proofs of single steps.

This is the clear reference; :mod:`engine.league.hasher` computes the same leaves and root faster.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from engine.core.hashing import ACTION, FAULT, OBSERVATION, sha
from engine.core.merkle import EMPTY_TRACE_ROOT, TraceTree
from engine.league.engines import MAX_TRACE_BYTES
from engine.league.errors import TraceError
from engine.league.referee import FLAG_FAULT, FLAG_MAILBOX, MAX_OBSERVATION, RECORD_HEADER

RECORD: Final = struct.Struct("<IHHIIQQ")
_LEAF: Final = b"\x00"
CAUSE_NAMES: Final = {
    1: "OUT_OF_GAS",
    2: "STACK",
    3: "ILLEGAL_ACTION",
    4: "BAD_OBSERVATION_BUFFER",
    16: "TRAP UNREACHABLE",
    17: "TRAP MEMORY_OUT_OF_BOUNDS",
    18: "TRAP TABLE_OUT_OF_BOUNDS",
    19: "TRAP NULL_INDIRECT_CALL",
    20: "TRAP BAD_SIGNATURE",
    21: "TRAP INTEGER_OVERFLOW",
    22: "TRAP DIVISION_BY_ZERO",
    23: "TRAP BAD_CONVERSION",
    24: "TRAP OTHER_TRAP",
}
ILLEGAL: Final = 3


@dataclass(frozen=True, slots=True)
class Record:
    """One step. ``observation`` is exactly what the seat was shown; ``action`` is unsigned 64 bits, and holds the
    code of the fault when ``fault`` is not None."""

    step: int
    seat: int
    mailbox: bool
    packed: int
    action: int
    gas_used: int
    fault: int | None
    observation: bytes

    @property
    def cause(self) -> str | None:
        """The fault's name, None when the step has none."""
        return None if self.fault is None else CAUSE_NAMES[self.fault]

    @property
    def legal(self) -> bool | None:
        """Whether the action was legal; None when a fault left no action to judge."""
        if self.fault is None:
            return True
        return False if self.fault == ILLEGAL else None

    def body(self) -> bytes:
        """Return what the step's leaf hashes: the step, the observation's hash, the action's or the fault's hash."""
        shown = sha(OBSERVATION, self.observation)
        done = sha(ACTION, self.action.to_bytes(8, "little")) if self.fault is None else sha(FAULT, bytes([self.fault]))
        return self.step.to_bytes(8, "big") + shown + done

    def leaf(self) -> bytes:
        """Return the step's leaf hash, 32 bytes."""
        return sha(_LEAF, self.body())


class Trace:
    """A view over a trace's bytes. Construction checks the structure and raises TraceError naming what is wrong."""

    def __init__(self, data: bytes, seats: int) -> None:
        self.data = data
        self._offsets = _offsets(data, seats)

    def __len__(self) -> int:
        return len(self._offsets)

    def __getitem__(self, step: int) -> Record:
        if not 0 <= step < len(self._offsets):
            raise IndexError(f"step {step} is outside a trace of {len(self._offsets)}")
        return _record(self.data, self._offsets[step])

    def __iter__(self) -> Iterator[Record]:
        return (_record(self.data, offset) for offset in self._offsets)

    @cached_property
    def tree(self) -> TraceTree:
        """The Merkle tree over the steps."""
        return TraceTree([record.leaf() for record in self])

    @property
    def root(self) -> bytes:
        """The trace root, 32 bytes."""
        return self.tree.root if self._offsets else EMPTY_TRACE_ROOT

    def path(self, step: int) -> list[bytes]:
        """Return the audit path of a step, from the leaf up."""
        return self.tree.path(step)


def trace_root(data: bytes, seats: int) -> bytes:
    """Return the root over a trace's bytes by the clear way."""
    return Trace(data, seats).root


def first_difference(left: bytes, right: bytes, seats: int) -> int | None:
    """Return the first step in which two traces differ, None when they are equal; a missing step differs."""
    if left == right:
        return None
    ours, theirs = list(Trace(left, seats)), list(Trace(right, seats))
    for step, (mine, other) in enumerate(zip(ours, theirs, strict=False)):
        if mine != other:
            return step
    return min(len(ours), len(theirs))


def _record(data: bytes, offset: int) -> Record:
    step, seat, flags, size, gas, packed, action = RECORD.unpack_from(data, offset)
    start = offset + RECORD_HEADER
    return Record(
        step,
        seat,
        bool(flags & FLAG_MAILBOX),
        packed,
        action,
        gas,
        action if flags & FLAG_FAULT else None,
        data[start : start + size],
    )


def _offsets(data: bytes, seats: int) -> list[int]:
    """Return where the records begin; every field that has one possible form is held to it."""
    if len(data) > MAX_TRACE_BYTES:
        raise TraceError("The trace is too long", f"{len(data)} bytes, at most {MAX_TRACE_BYTES} are possible")
    offsets: list[int] = []
    pos, end = 0, len(data)
    while pos < end:
        number = len(offsets)
        if end - pos < RECORD_HEADER:
            raise _broken(number, "it is cut off")
        step, seat, flags, size, _gas, packed, action = RECORD.unpack_from(data, pos)
        padded = size + 7 & ~7
        if size > MAX_OBSERVATION or end - pos - RECORD_HEADER < padded:
            raise _broken(number, f"an observation of {size} bytes does not fit")
        body = pos + RECORD_HEADER
        if step != number or seat >= seats or flags & ~(FLAG_FAULT | FLAG_MAILBOX):
            raise _broken(number, f"it says step {step}, seat {seat}, flags {flags:#x}")
        if flags & FLAG_FAULT and (action not in CAUSE_NAMES or body + padded != end):
            raise _broken(number, f"a fault of code {action} that is unknown or not the last step")
        if not flags & FLAG_MAILBOX and data[body : body + size] != packed.to_bytes(8, "little"):
            raise _broken(number, "its observation is not the packed one")
        if any(data[body + size : body + padded]):
            raise _broken(number, "its padding is not zero")
        offsets.append(pos)
        pos = body + padded
    return offsets


def _broken(step: int, why: str) -> TraceError:
    return TraceError(f"Step {step} of the trace is malformed", why, step=step)
