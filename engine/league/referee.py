"""The referee: a small generated module that plays a whole match inside WebAssembly.

It asks the System whose turn it is, shows the seat its observation, takes the action, hands it to the System, and
writes the trace into its own memory. Before every decision it refills the seat's gas and stack units, so nobody can
spend another's; the System is refilled once a turn. The host reads one header and the trace, once, at the end.

The header tells at every instant who is running (``party``), so a trap can be blamed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from engine.league.engines import MAX_TRACE_BYTES
from engine.league.gate.instrument import GAS_EXPORT, STACK_EXPORT
from engine.league.gate.limits import PAGE, STACK_UNITS
from engine.league.gate.verdict import AgentImage, SystemImage

RUNNING, FINISHED, FAULT, VOID = range(4)
PARTY_SYSTEM: Final = 255
PARTY_REFEREE: Final = 254
# Why the referee itself voids a match; the texts become the cause of the result.
VOID_CAUSES: Final = {1: "BAD_SEAT", 2: "BAD_OBSERVATION", 3: "TRACE_TOO_LONG"}
ILLEGAL_ACTION: Final = 3
BAD_OBSERVATION_BUFFER: Final = 4
FLAG_FAULT: Final = 1
FLAG_MAILBOX: Final = 2

SYSTEM_GAS: Final = 50_000_000
MAX_OBSERVATION: Final = 16 * 1024
HEADER_BYTES: Final = 192
RECORD_HEADER: Final = 32
_LAYOUT: Final = struct.Struct("<7I4x8Q8q")


@dataclass(frozen=True, slots=True)
class Shape:
    """What the generated code depends on: which seats take bytes, legality, trace or not, the System's parameters."""

    mailboxes: tuple[bool, ...]
    has_is_legal: bool
    traced: bool
    params: tuple[int, ...] = ()

    @classmethod
    def of(
        cls, system: SystemImage, agents: tuple[AgentImage, ...], traced: bool, params: tuple[int, ...] = ()
    ) -> Shape:
        """Return the shape of a match of these; ``params`` in the order of the System's description."""
        return cls(tuple(agent.mailbox for agent in agents), system.has_is_legal, traced, params)


@dataclass(frozen=True, slots=True)
class Header:
    """What the referee says of a match: status, who ran last, records begun, code and seat of a fault or void,
    end of the trace, start of the last record, gas used by seat, scores."""

    status: int
    party: int
    records: int
    code: int
    seat: int
    end: int
    last: int
    gas: tuple[int, ...]
    scores: tuple[int, ...]

    @classmethod
    def read(cls, raw: bytes, seats: int) -> Header:
        """Return the header that begins ``raw``."""
        values = _LAYOUT.unpack_from(raw)
        status, party, records, code, seat, end, last = values[:7]
        return cls(status, party, records, code, seat, end, last, values[7 : 7 + seats], values[15 : 15 + seats])


_SYSTEM_FUNCTIONS: Final = (
    ("reset", "(param i64)"),
    ("to_move", "(result i32)"),
    ("observe", "(result i64)"),
    ("step", "(param i64)"),
    ("is_done", "(result i32)"),
    ("score", "(param i32) (result i64)"),
)
_LEGAL: Final = ("is_legal", "(param i64) (result i32)")
_BYTES: Final = ("observe_bytes", "(result i64)")
_SET_PARAM: Final = ("set_param", "(param i32 i64)")
SYSTEM: Final = -1


def imports_of(shape: Shape) -> list[tuple[int, str]]:
    """Return what the referee imports, in order: (seat or SYSTEM, export name)."""
    found = [(SYSTEM, name) for name, _ in _system_functions(shape)]
    found += [(SYSTEM, GAS_EXPORT), (SYSTEM, STACK_EXPORT)]
    if any(shape.mailboxes):
        found.append((SYSTEM, "memory"))
    for seat, mailbox in enumerate(shape.mailboxes):
        found += [(seat, "decide"), (seat, GAS_EXPORT), (seat, STACK_EXPORT)]
        if mailbox:
            found += [(seat, "nets_obs"), (seat, "nets_obs_cap"), (seat, "memory")]
    return found


def _system_functions(shape: Shape) -> list[tuple[str, str]]:
    functions = list(_SYSTEM_FUNCTIONS)
    if shape.has_is_legal:
        functions.append(_LEGAL)
    if any(shape.mailboxes):
        functions.append(_BYTES)
    if shape.params:
        functions.append(_SET_PARAM)
    return functions


def referee_wat(shape: Shape) -> str:
    """Return the referee's source for a shape. Exports: ``run(seed, budget, max_steps)`` and ``memory``."""
    imports = [f'(import "s" "{n}" (func ${n} {t}))' for n, t in _system_functions(shape)]
    imports += ['(import "s" "gas" (global $gas_s (mut i64)))', '(import "s" "stack" (global $stack_s (mut i32)))']
    if any(shape.mailboxes):
        imports.append('(import "s" "memory" (memory $memory_s 0))')
    for seat, mailbox in enumerate(shape.mailboxes):
        imports += [
            f'(import "a{seat}" "decide" (func $decide{seat} (param i64) (result i64)))',
            f'(import "a{seat}" "gas" (global $gas{seat} (mut i64)))',
            f'(import "a{seat}" "stack" (global $stack{seat} (mut i32)))',
        ]
        if mailbox:
            imports += [
                f'(import "a{seat}" "nets_obs" (func $obs{seat} (result i32)))',
                f'(import "a{seat}" "nets_obs_cap" (func $cap{seat} (result i32)))',
                f'(import "a{seat}" "memory" (memory $memory{seat} 0))',
            ]
    pages = (HEADER_BYTES + MAX_TRACE_BYTES) // PAGE + 2
    memory = f'(memory $t (export "memory") 1 {pages})'
    refill = f'(func (export "refill") {_REFILL})'
    return "\n".join(["(module", *imports, memory, _ROOM if shape.traced else "", refill, _run(shape), ")"])


# Makes room for $need bytes behind $at; the trace grows by at least its own size, so copying stays linear.
_ROOM: Final = f"""
(func $room (param $at i32) (param $need i32)
  (local $have i32) (local $more i32)
  (local.set $have (memory.size $t))
  (if (i32.gt_u (i32.add (local.get $at) (local.get $need)) (i32.mul (local.get $have) (i32.const {PAGE})))
    (then
      (local.set $more (local.get $have))
      (if (i32.eq (memory.grow $t (local.get $more)) (i32.const -1))
        (then (if (i32.eq (memory.grow $t (i32.const 1)) (i32.const -1)) (then unreachable)))))))
"""


def _void(code: int) -> str:
    return f"(i32.store $t (i32.const 12) (i32.const {code})) (i32.store $t (i32.const 0) (i32.const {VOID})) (return)"


def _fault(shape: Shape, seat: str, code: int) -> str:
    patch = ""
    if shape.traced:
        patch = f"""
        (i32.store16 $t offset=6 (local.get $rec)
          (i32.or (i32.load16_u $t offset=6 (local.get $rec)) (i32.const {FLAG_FAULT})))
        (i64.store $t offset=24 (local.get $rec) (i64.const {code}))"""
    return f"""{patch}
        (i32.store $t (i32.const 12) (i32.const {code})) (i32.store $t (i32.const 16) {seat})
        (i32.store $t (i32.const 0) (i32.const {FAULT})) (return)"""


_REFILL: Final = f"(global.set $gas_s (i64.const {SYSTEM_GAS})) (global.set $stack_s (i32.const {STACK_UNITS}))"


def _party(party: int) -> str:
    return f"(i32.store $t (i32.const 4) (i32.const {party}))"


def _run(shape: Shape) -> str:
    seats = len(shape.mailboxes)
    asks = "".join(
        f"(if (i32.eq (local.get $seat) (i32.const {seat})) (then {_ask(shape, seat)}))" for seat in range(seats)
    )
    legal = ""
    if shape.has_is_legal:
        fault = _fault(shape, "(local.get $seat)", ILLEGAL_ACTION)
        legal = f"(if (i32.eqz (call $is_legal (local.get $action))) (then {_party(PARTY_REFEREE)} {fault}))"
    scores = "".join(
        f"(i64.store $t (i32.const {96 + 8 * seat}) (call $score (i32.const {seat})))" for seat in range(seats)
    )
    params = "".join(
        f"(call $set_param (i32.const {index}) (i64.const {value}))" for index, value in enumerate(shape.params)
    )
    return f"""
(func (export "run") (param $seed i64) (param $budget i64) (param $max i32)
  (local $n i32) (local $seat i32) (local $packed i64) (local $action i64) (local $used i64) (local $pos i32)
  (local $rec i32) (local $slice i64) (local $len i32) (local $need i32) (local $to i32)
  (local.set $pos (i32.const {HEADER_BYTES}))
  (i32.store $t (i32.const 20) (local.get $pos))
  {_party(PARTY_SYSTEM)} {_REFILL}
  {params}
  (call $reset (local.get $seed))
  (block $done (loop $turn
    {_REFILL}
    (br_if $done (call $is_done))
    (br_if $done (i32.ge_u (local.get $n) (local.get $max)))
    (local.set $seat (call $to_move))
    (if (i32.ge_u (local.get $seat) (i32.const {seats})) (then {_void(1)}))
    (local.set $packed (call $observe))
    {asks}
    {_party(PARTY_SYSTEM)}
    {legal}
    (call $step (local.get $action))
    (br $turn)))
  {scores}
  (i32.store $t (i32.const 0) (i32.const {FINISHED})))"""


def _ask(shape: Shape, seat: int) -> str:
    mailbox = shape.mailboxes[seat]
    flags = FLAG_MAILBOX if mailbox else 0
    record = ""
    if shape.traced:
        record = f"""
      {_party(PARTY_REFEREE)}
      (call $room (local.get $pos) (local.get $need))
      (i32.store $t (local.get $rec) (local.get $n))
      (i32.store $t offset=4 (local.get $rec) (i32.const {seat | flags << 16}))
      (i32.store $t offset=8 (local.get $rec) (local.get $len))
      (i64.store $t offset=16 (local.get $rec) (local.get $packed))
      {_copy_to_trace(mailbox)}"""
    settle = "(i32.store $t offset=12 (local.get $rec) (i32.wrap_i64 (local.get $used)))" if shape.traced else ""
    action = "(i64.store $t offset=24 (local.get $rec) (local.get $action))" if shape.traced else ""
    gas = 32 + 8 * seat
    account = f"""
      (local.set $used (i64.sub (local.get $budget) (global.get $gas{seat})))
      (i64.store $t (i32.const {gas}) (i64.add (i64.load $t (i32.const {gas})) (local.get $used)))
      {settle}"""
    return f"""
      {_observation(mailbox)}
      (if (i32.gt_u (i32.add (local.get $pos) (local.get $need)) (i32.const {HEADER_BYTES + MAX_TRACE_BYTES}))
        (then {_void(3)}))
      (local.set $rec (local.get $pos))
      {record}
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (local.set $pos (i32.add (local.get $pos) (local.get $need)))
      (i32.store $t (i32.const 8) (local.get $n))
      (i32.store $t (i32.const 20) (local.get $pos))
      (i32.store $t (i32.const 24) (local.get $rec))
      {_party(seat)}
      (global.set $gas{seat} (local.get $budget)) (global.set $stack{seat} (i32.const {STACK_UNITS}))
      {_deliver(shape, seat, account) if mailbox else ""}
      (local.set $action (call $decide{seat} (local.get $packed)))
      {account}
      {action}"""


def _observation(mailbox: bool) -> str:
    """Set $len and $need; for bytes also $slice, refused when it leaves the System's memory."""
    if not mailbox:
        return f"(local.set $len (i32.const 8)) (local.set $need (i32.const {RECORD_HEADER + 8}))"
    return f"""
      (local.set $slice (call $observe_bytes))
      (local.set $len (i32.wrap_i64 (local.get $slice)))
      (if (i32.or (i32.gt_u (local.get $len) (i32.const {MAX_OBSERVATION}))
                  (i64.gt_u (i64.add (i64.shr_u (local.get $slice) (i64.const 32))
                                     (i64.extend_i32_u (local.get $len)))
                            (i64.mul (i64.extend_i32_u (memory.size $memory_s)) (i64.const {PAGE}))))
        (then {_void(2)}))
      (local.set $need (i32.add (i32.const {RECORD_HEADER})
                                (i32.and (i32.add (local.get $len) (i32.const 7)) (i32.const -8))))"""


def _copy_to_trace(mailbox: bool) -> str:
    if not mailbox:
        return f"(i64.store $t offset={RECORD_HEADER} (local.get $rec) (local.get $packed))"
    return f"""(memory.copy $t $memory_s (i32.add (local.get $rec) (i32.const {RECORD_HEADER}))
        (i32.wrap_i64 (i64.shr_u (local.get $slice) (i64.const 32))) (local.get $len))"""


def _deliver(shape: Shape, seat: int, account: str) -> str:
    """Ask where the bytes go, hold the answer against capacity and memory, copy them."""
    fault = _fault(shape, f"(i32.const {seat})", BAD_OBSERVATION_BUFFER)
    return f"""
      (local.set $to (call $obs{seat}))
      (if (i32.or (i32.lt_u (call $cap{seat}) (local.get $len))
                  (i64.gt_u (i64.add (i64.extend_i32_u (local.get $to)) (i64.extend_i32_u (local.get $len)))
                            (i64.mul (i64.extend_i32_u (memory.size $memory{seat})) (i64.const {PAGE}))))
        (then {_party(PARTY_REFEREE)} {account} {fault}))
      (memory.copy $memory{seat} $memory_s (local.get $to)
        (i32.wrap_i64 (i64.shr_u (local.get $slice) (i64.const 32))) (local.get $len))"""
