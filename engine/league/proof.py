"""The proof of one step: all that is needed to check, without the trace, that a committed match had this step."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from engine.core.hashing import ACTION, FAULT, OBSERVATION, sha
from engine.core.merkle import trace_root_from_path
from engine.league.bundle import Bundle
from engine.league.errors import TraceError
from engine.league.match import match_commitment

_FIELDS: Final = {"format", "version", "step", "steps", "observation", "action", "fault", "path", "trace_root",
                  "header", "commitment"}  # fmt: skip
_MAX_PATH: Final = 64


@dataclass(frozen=True, slots=True)
class StepProof:
    """Step ``step`` of ``steps``: what was shown, what was done (or the fault's code), the audit path, and the header
    with which the trace root makes the commitment."""

    step: int
    steps: int
    observation: bytes
    action: int | None
    fault: int | None
    path: tuple[bytes, ...]
    trace_root: bytes
    header: bytes
    commitment: bytes

    @classmethod
    def of(cls, bundle: Bundle, step: int) -> StepProof:
        """Return the proof of a bundle's step. Raises TraceError outside the match."""
        if not 0 <= step < bundle.steps:
            raise TraceError(f"There is no step {step}", f"the match has {bundle.steps} steps, counted from 0")
        record = bundle.records[step]
        action = record.action if record.fault is None else None
        path = tuple(bundle.records.path(step))
        return cls(
            step, bundle.steps, record.observation, action, record.fault, path, bundle.trace_root, bundle.header,
            bundle.commitment,
        )  # fmt: skip

    @property
    def observation_hash(self) -> bytes:
        """Hash of what was shown, as a chain checks it."""
        return sha(OBSERVATION, self.observation)

    @property
    def action_hash(self) -> bytes:
        """Hash of the action or of the fault."""
        if self.action is not None:
            return sha(ACTION, self.action.to_bytes(8, "little"))
        return sha(FAULT, bytes([self.fault or 0]))

    @property
    def leaf(self) -> bytes:
        """The step's leaf hash."""
        return sha(b"\x00", self.step.to_bytes(8, "big"), self.observation_hash, self.action_hash)

    def check(self, root: bytes | None = None) -> None:
        """Raise TraceError unless the step belongs to the trace root (``root``, when given) and to the commitment."""
        reached = trace_root_from_path(self.leaf, self.step, self.steps, self.path)
        if reached is None:
            raise TraceError("The proof does not hold", "its path does not fit its position", step=self.step)
        if reached != self.trace_root:
            raise TraceError("The proof does not hold", f"its path leads to {reached.hex()}", step=self.step)
        if root is not None and root != self.trace_root:
            raise TraceError("The proof is of another match", f"its root is {self.trace_root.hex()}", step=self.step)
        if match_commitment(self.header, self.trace_root, self.steps) != self.commitment:
            raise TraceError("The proof does not hold", "its commitment does not bind its root", step=self.step)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form that ``nashboard trace prove`` writes."""
        return {
            "format": "nets-step",
            "version": 1,
            "step": self.step,
            "steps": self.steps,
            "observation": self.observation.hex(),
            "action": None if self.action is None else str(self.action),
            "fault": self.fault,
            "path": [item.hex() for item in self.path],
            "trace_root": self.trace_root.hex(),
            "header": self.header.decode(),
            "commitment": self.commitment.hex(),
        }

    @classmethod
    def from_json(cls, value: Any) -> StepProof:
        """Return the proof in a JSON value. Raises TraceError naming the field that is wrong."""
        if not isinstance(value, dict) or set(value) != _FIELDS:
            raise _malformed(f"its fields are not {', '.join(sorted(_FIELDS))}")
        if (value["format"], value["version"]) != ("nets-step", 1):
            raise _malformed("it is of another format or version")
        path = value["path"]
        if not isinstance(path, list) or len(path) > _MAX_PATH:
            raise _malformed("path is not a short list")
        action, fault = value["action"], value["fault"]
        if (action is None) == (fault is None):
            raise _malformed("it must have either an action or a fault")
        if not isinstance(value["header"], str):
            raise _malformed("header is not text")
        return cls(
            _number(value["step"], "step", 2**32),
            _number(value["steps"], "steps", 2**32),
            _hex(value["observation"], "observation"),
            None if action is None else _decimal(action),
            None if fault is None else _number(fault, "fault", 256),
            tuple(_hex(item, "path", 32) for item in path),
            _hex(value["trace_root"], "trace_root", 32),
            value["header"].encode(),
            _hex(value["commitment"], "commitment", 32),
        )


def _malformed(why: str) -> TraceError:
    return TraceError("This is not the proof of a step", why)


def _number(value: Any, name: str, limit: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < limit:
        raise _malformed(f"{name} is not a number below {limit}")
    return value


def _decimal(value: Any) -> int:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,20}", value) or int(value) >= 2**64:
        raise _malformed("action is not an unsigned 64-bit number in decimal")
    return int(value)


def _hex(value: Any, name: str, size: int | None = None) -> bytes:
    if not isinstance(value, str) or not re.fullmatch(r"([0-9a-f]{2})*", value):
        raise _malformed(f"{name} is not lower-case hex")
    if size is not None and len(value) != 2 * size:
        raise _malformed(f"{name} does not have {size} bytes")
    return bytes.fromhex(value)
