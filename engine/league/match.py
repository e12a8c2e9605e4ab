"""A match: what is asked, what came out, and the commitment that binds both."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol

from wasmtime import TrapCode

from engine.core.errors import UsageError
from engine.core.hashing import COMMITMENT, HEADER, canonical_json, sha
from engine.league.config import DEFAULT_BUDGET, MAX_BUDGET
from engine.league.errors import SandboxError
from engine.league.gate.instrument import CAUSE_HOST_MEMORY, CAUSE_OUT_OF_GAS, CAUSE_STACK
from engine.league.gate.limits import GATE_VERSION
from engine.league.gate.verdict import AgentImage, SystemImage
from engine.league.referee import FAULT, FINISHED, FLAG_FAULT, PARTY_SYSTEM, VOID, VOID_CAUSES, Shape
from engine.league.sandbox import RawRun, Sandbox
from engine.league.trace import CAUSE_NAMES, trace_root

_TRAP_CODES: Final = {
    TrapCode.UNREACHABLE.value: 16,
    TrapCode.MEMORY_OUT_OF_BOUNDS.value: 17,
    TrapCode.TABLE_OUT_OF_BOUNDS.value: 18,
    TrapCode.INDIRECT_CALL_TO_NULL.value: 19,
    TrapCode.BAD_SIGNATURE.value: 20,
    TrapCode.INTEGER_OVERFLOW.value: 21,
    TrapCode.INTEGER_DIVISION_BY_ZERO.value: 22,
    TrapCode.BAD_CONVERSION_TO_INTEGER.value: 23,
}
_OTHER_TRAP: Final = 24
# What stops a run without anybody's fault: the watchdog, and native stack that depends on how code was compiled.
_INFRA_TRAPS: Final = {TrapCode.INTERRUPT.value: "WATCHDOG", TrapCode.STACK_OVERFLOW.value: "NATIVE_STACK"}


class Outcome(StrEnum):
    """How a match ended; never folded into one another. BYE was not played: no opponent came."""

    FINISHED = "FINISHED"
    LOSS = "LOSS"
    VOID = "VOID"
    INFRA = "INFRA"
    BYE = "BYE"


class RootHasher(Protocol):
    """What computes a trace root from the records' bytes."""

    def root(self, trace: bytes) -> bytes:
        """Return the root, 32 bytes."""
        ...


@dataclass(frozen=True, slots=True)
class MatchRequest:
    """Everything that decides a match, picklable. ``seed`` is unsigned 64 bits, ``budget`` gas a decision.

    ``params`` may leave out what has the System's default; the request then holds every one.
    Raises UsageError when the number of agents or a number does not fit.
    """

    system: SystemImage
    agents: tuple[AgentImage, ...]
    seed: int
    budget: int = DEFAULT_BUDGET
    traced: bool = True
    params: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "params", self.system.spec.resolve(self.params))
        seats = self.system.spec.seats
        if len(self.agents) != seats:
            raise UsageError(
                f"{self.system.spec.title} takes {seats} agents", f"{len(self.agents)} were given", "Give one a seat."
            )
        if not 0 <= self.seed < 2**64:
            raise UsageError("The seed does not fit", f"{self.seed} is not an unsigned 64-bit number")
        if not 1 <= self.budget <= MAX_BUDGET:
            raise UsageError("The budget does not fit", f"{self.budget} is not between 1 and {MAX_BUDGET} gas")


@dataclass(frozen=True, slots=True)
class MatchResult:
    """How a match went. ``seat`` lost by ``cause`` when the outcome is LOSS. ``scores`` and ``gas`` are by seat.

    ``trace``, ``trace_root`` (32 bytes), ``header`` (canonical JSON) and ``commitment`` (32 bytes) are None when the
    match was not traced or ended INFRA: there is nothing to commit then. ``detail`` explains INFRA to a person.
    """

    outcome: Outcome
    cause: str | None
    seat: int | None
    scores: tuple[int, ...]
    steps: int
    gas: tuple[int, ...]
    trace: bytes | None = field(repr=False)
    trace_root: bytes | None
    header: bytes | None
    commitment: bytes | None
    detail: str = ""

    def to_json(self, request: MatchRequest) -> dict[str, Any]:
        """Return the result as ``nashboard match run --json`` prints it."""
        return {
            "outcome": self.outcome.value,
            "cause": self.cause,
            "seat": self.seat,
            "scores": list(self.scores),
            "steps": self.steps,
            "gas": list(self.gas),
            "trace_root": self.trace_root.hex() if self.trace_root else None,
            "commitment": self.commitment.hex() if self.commitment else None,
            "system_hash": request.system.sha256,
            "agent_hashes": [agent.sha256 for agent in request.agents],
            "seed": request.seed,
        }


@dataclass(frozen=True, slots=True)
class _Ending:
    outcome: Outcome
    cause: str | None
    seat: int | None
    fault: int | None = None
    detail: str = ""


def run_match(request: MatchRequest, sandbox: Sandbox, hasher: RootHasher | None = None) -> MatchResult:
    """Play a match. Never raises for what an agent, a System or the sandbox did: that is the outcome.

    ``hasher`` computes the trace root; without one it is computed in Python.
    """
    shape = Shape.of(request.system, request.agents, request.traced, tuple(request.params.values()))
    try:
        raw = sandbox.play(
            request.system.module,
            [agent.module for agent in request.agents],
            shape,
            seed=request.seed,
            budget=request.budget,
            max_steps=request.system.spec.max_steps,
        )
    except SandboxError as error:
        zeros = (0,) * len(request.agents)
        return MatchResult(Outcome.INFRA, "SETUP", None, zeros, 0, zeros, None, None, None, None, detail=str(error))
    ending = _ending(raw, request)
    scores, gas = _scores(ending, raw, request), _gas(ending, raw, request)
    if not request.traced or ending.outcome is Outcome.INFRA:
        return _uncommitted(ending, raw, scores, gas)
    return _committed(request, ending, raw, scores, gas, hasher)


def match_header(
    request: MatchRequest, outcome: Outcome, cause: str | None, seat: int | None, scores: tuple[int, ...]
) -> bytes:
    """Return the canonical JSON that the commitment binds beside trace root and length."""
    agents = [agent.sha256 for agent in request.agents]
    return _header(request.system, request.params, request.budget, agents, request.seed, outcome, cause, seat, scores)


def bye_header(system: SystemImage, params: Mapping[str, int], budget: int, agent: str) -> bytes:
    """Return the header of a match that ``agent`` (its hash) won because nobody came: one agent and the full score.

    Its commitment is over the empty trace, so whoever knows the round can compute it.
    """
    return _header(system, params, budget, [agent], 0, Outcome.BYE, None, None, (system.spec.score_max,))


def match_commitment(header: bytes, root: bytes, steps: int) -> bytes:
    """Return the commitment over a header, a trace root and the number of steps, 32 bytes."""
    return sha(COMMITMENT, sha(HEADER, header), root, steps.to_bytes(8, "big"))


def _header(
    system: SystemImage,
    params: Mapping[str, int],
    budget: int,
    agents: list[str],
    seed: int,
    outcome: Outcome,
    cause: str | None,
    seat: int | None,
    scores: tuple[int, ...],
) -> bytes:
    return canonical_json(
        {
            "abi": 1,
            "gate": GATE_VERSION,
            "system": system.sha256,
            "params": dict(params),
            "seed": seed,
            "budget": budget,
            "agents": agents,
            "outcome": outcome.value,
            "cause": cause,
            "seat": seat,
            "scores": list(scores),
        }
    )


def _ending(raw: RawRun, request: MatchRequest) -> _Ending:
    """Decide how the run ended, and who is to blame."""
    head = raw.header
    if raw.trap is not None:
        return _trapped(raw, request)
    if head.status == FAULT:
        return _Ending(Outcome.LOSS, CAUSE_NAMES[head.code], head.seat, head.code)
    if head.status == VOID:
        return _Ending(Outcome.VOID, VOID_CAUSES[head.code], None)
    assert head.status == FINISHED
    spec = request.system.spec
    if any(not spec.score_min <= score <= spec.score_max for score in head.scores):
        return _Ending(Outcome.VOID, "BAD_SCORE", None)
    return _Ending(Outcome.FINISHED, None, None)


def _trapped(raw: RawRun, request: MatchRequest) -> _Ending:
    head, trap = raw.header, raw.trap
    assert trap is not None
    party = head.party
    if trap in _INFRA_TRAPS or trap < 0:
        who = f"seat {party}" if party < len(request.agents) else "the System"
        return _Ending(Outcome.INFRA, _INFRA_TRAPS.get(trap, "ERROR"), None, detail=f"stopped while {who} ran")
    if raw.cause == CAUSE_HOST_MEMORY:
        return _Ending(Outcome.INFRA, "HOST_MEMORY", None, detail="this machine had no memory left to grow into")
    own = raw.cause in (CAUSE_OUT_OF_GAS, CAUSE_STACK)
    code = raw.cause if own else _TRAP_CODES.get(trap, _OTHER_TRAP)
    if party < len(request.agents):
        return _Ending(Outcome.LOSS, CAUSE_NAMES[code], party, code)
    if party == PARTY_SYSTEM:
        return _Ending(Outcome.VOID, CAUSE_NAMES[code], None)
    return _Ending(Outcome.INFRA, "REFEREE", None, detail="the referee could not go on, likely for want of memory")


def _scores(ending: _Ending, raw: RawRun, request: MatchRequest) -> tuple[int, ...]:
    spec = request.system.spec
    if ending.outcome is Outcome.FINISHED:
        return raw.header.scores
    if ending.outcome is Outcome.LOSS:
        return tuple(spec.score_min if seat == ending.seat else spec.score_max for seat in range(spec.seats))
    return (0,) * spec.seats


def _last_gas(raw: RawRun, budget: int) -> int:
    """Gas of the decision that a trap stopped; the check that stops it comes after the subtraction."""
    return min(max(budget - raw.gas_left, 0), budget)


def _gas(ending: _Ending, raw: RawRun, request: MatchRequest) -> tuple[int, ...]:
    if raw.trap is None or ending.outcome is not Outcome.LOSS:
        return raw.header.gas
    last = _last_gas(raw, request.budget)
    return tuple(gas + last if seat == ending.seat else gas for seat, gas in enumerate(raw.header.gas))


def _uncommitted(ending: _Ending, raw: RawRun, scores: tuple[int, ...], gas: tuple[int, ...]) -> MatchResult:
    steps = raw.header.records
    return MatchResult(
        ending.outcome, ending.cause, ending.seat, scores, steps, gas, None, None, None, None, ending.detail
    )


def _committed(
    request: MatchRequest,
    ending: _Ending,
    raw: RawRun,
    scores: tuple[int, ...],
    gas: tuple[int, ...],
    hasher: RootHasher | None,
) -> MatchResult:
    trace = _finished_trace(ending, raw, request.budget)
    root = hasher.root(trace) if hasher is not None else trace_root(trace, len(request.agents))
    header = match_header(request, ending.outcome, ending.cause, ending.seat, scores)
    steps = raw.header.records
    commitment = match_commitment(header, root, steps)
    return MatchResult(
        ending.outcome, ending.cause, ending.seat, scores, steps, gas, trace, root, header, commitment, ending.detail
    )


def _finished_trace(ending: _Ending, raw: RawRun, budget: int) -> bytes:
    """Write a trap's fault into the last record; the referee could not, it was stopped."""
    if raw.trap is None or ending.fault is None:
        return raw.trace
    trace = bytearray(raw.trace)
    last = raw.header.last - (raw.header.end - len(raw.trace))
    flags = struct.unpack_from("<H", trace, last + 6)[0] | FLAG_FAULT
    struct.pack_into("<H", trace, last + 6, flags)
    struct.pack_into("<I", trace, last + 12, _last_gas(raw, budget))
    struct.pack_into("<Q", trace, last + 24, ending.fault)
    return bytes(trace)
