"""Replay: any step of a bundle's match, with the state that the view draws.

The recorded actions are played back into the System, inside WebAssembly, up to the step asked for: 10,000 steps take
under a millisecond, so no snapshots are kept. What an agent was shown and did comes from the trace.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from wasmtime import wat2wasm

from engine.league.bundle import Bundle
from engine.league.errors import LeagueError
from engine.league.gate.instrument import CAUSE_EXPORT, GAS_EXPORT, STACK_EXPORT
from engine.league.gate.verdict import SystemImage
from engine.league.sandbox import Sandbox

MAX_STATE_BYTES: Final = 1024 * 1024
# Returns the recorded actions one by one; its globals are there because the referee refills every seat.
_PLAYBACK: Final = f"""
(module
  (memory (export "memory") 1 256)
  (global $next (mut i32) (i32.const 0))
  (global (export "{GAS_EXPORT}") (mut i64) (i64.const 0))
  (global (export "{STACK_EXPORT}") (mut i32) (i32.const 0))
  (global (export "{CAUSE_EXPORT}") (mut i32) (i32.const 0))
  (func (export "decide") (param i64) (result i64)
    (global.set $next (i32.add (global.get $next) (i32.const 8)))
    (i64.load (i32.sub (global.get $next) (i32.const 8)))))
"""


@lru_cache(maxsize=1)
def playback_module() -> bytes:
    """Return the assembled playback agent."""
    return bytes(wat2wasm(_PLAYBACK))


@dataclass(frozen=True, slots=True)
class StepView:
    """One step. ``state`` is the System's before the decision; ``action`` is None where a fault left none (``cause``
    names it); ``legal`` is None then too, unless the fault was the action itself. ``path`` proves ``leaf``."""

    step: int
    seat: int
    state: bytes
    observation: bytes
    packed: int
    action: int | None
    legal: bool | None
    cause: str | None
    gas_used: int
    leaf: bytes
    path: tuple[bytes, ...]


class Replay:
    """Random access to a bundle's match. ``system`` is the bundle's, through the gate; no agent runs."""

    def __init__(self, bundle: Bundle, system: SystemImage, sandbox: Sandbox) -> None:
        if system.sha256 != bundle.match.system:
            raise LeagueError("This System is not the bundle's", f"{system.sha256} instead of {bundle.match.system}")
        self.bundle = bundle
        self.system = system
        self._sandbox = sandbox
        self._actions = self._recorded()

    def __len__(self) -> int:
        return self.bundle.steps

    @property
    def trace_root(self) -> bytes:
        """The root that the steps' paths lead to."""
        return self.bundle.records.root

    def at(self, step: int) -> StepView:
        """Return a step. Raises IndexError outside the match, LeagueError when the System does not follow."""
        record = self.bundle.records[step]
        return StepView(
            step,
            record.seat,
            self.state(step),
            record.observation,
            record.packed,
            record.action if record.fault is None else None,
            record.legal,
            record.cause,
            record.gas_used,
            record.leaf(),
            tuple(self.bundle.records.path(step)),
        )

    def state(self, step: int) -> bytes:
        """Return the state before step ``step``; ``len(self)`` gives the last one of all.

        Raises IndexError outside the match, LeagueError when the System does not follow the recorded actions.
        """
        if not 0 <= step <= len(self):
            raise IndexError(f"step {step} is outside a match of {len(self)}")
        return self._sandbox.state_after(
            self.system.module,
            playback_module(),
            self._actions,
            seed=self.bundle.match.seed,
            # A fault ends the match before its action reaches the System.
            steps=min(step, self._played()),
            max_bytes=MAX_STATE_BYTES,
            params=tuple(self.system.spec.resolve(self.bundle.match.params).values()),
        )

    def _played(self) -> int:
        last = self.bundle.records[len(self) - 1] if len(self) else None
        return len(self) - (1 if last is not None and last.fault is not None else 0)

    def _recorded(self) -> tuple[bytes, ...]:
        """Return the actions of each seat, eight bytes each, in order."""
        actions: list[list[int]] = [[] for _ in self.bundle.agents]
        for record in self.bundle.records:
            actions[record.seat].append(record.action)
        return tuple(struct.pack(f"<{len(items)}Q", *items) for items in actions)
