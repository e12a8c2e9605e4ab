"""Gathers observations by playing: what calibration measures, and what agent and twin are compared on.

Explorers, agents that draw their actions at random, are written as WebAssembly and play in the sandbox like any other.
Seeds and draws are fixed, so the same System and agents give the same observations everywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from engine.league.config import MAX_BUDGET
from engine.league.errors import LeagueError
from engine.league.gate.inspect import Inspector
from engine.league.gate.verdict import AgentImage, SystemImage
from engine.league.match import MatchRequest, MatchResult, Outcome, run_match
from engine.league.neural.actions import Actions
from engine.league.neural.emit import legal_bit
from engine.league.neural.errors import ModelError
from engine.league.neural.layout import MAILBOX, MAILBOX_BYTES
from engine.league.sandbox import Sandbox
from engine.league.trace import Record, Trace
from engine.league.wasm import assembler as asm
from engine.league.wasm.assembler import Assembly, Function, get, i32_const, i64_const, memory, put, tee
from engine.league.wasm.reader import FuncType

EXPLORERS: Final = 8
MATCHES: Final = 32  # at least, for one long match shows little of a System
_STATE, _TABLE = 8, MAILBOX + MAILBOX_BYTES
# A linear congruential generator modulo 2^64; its high bits are random enough to wander about.
# Source: Knuth, The Art of Computer Programming, volume 2, section 3.3.4, for the multiplier.
_MULTIPLIER, _INCREMENT = 6364136223846793005, 1442695040888963407
_PACKED, _DRAW, _TRIES = 0, 1, 2


@dataclass(slots=True)
class Played:
    """What a series of matches gave: every seat's steps in order, and how the matches ended."""

    records: list[tuple[int, Record]] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    score: int = 0

    @property
    def observations(self) -> list[tuple[int, bytes]]:
        """Packed and full observation of every step; the packed one stands for both where there is no mailbox."""
        return [(record.packed, record.observation) for _, record in self.records]

    def sample(self, count: int) -> list[tuple[int, bytes]]:
        """Return ``count`` observations, evenly spread over all; fewer where there are fewer."""
        shown = self.observations
        return [shown[at * len(shown) // count] for at in range(count)] if len(shown) > count else shown


def explorer(number: int, actions: Actions) -> bytes:
    """Return an agent that plays at random, among the legal actions where the System tells them."""
    seed = int.from_bytes(sha256(b"explorer %d" % number).digest()[:8], "little", signed=True)
    count = len(actions.values)
    draw = i32_const(0) + memory(asm.I64_LOAD, _STATE) + get(_PACKED) + asm.I64_XOR + i64_const(_MULTIPLIER)
    draw += asm.I64_MUL + i64_const(_INCREMENT) + asm.I64_ADD + tee(_DRAW)
    code = i32_const(0) + draw + memory(asm.I64_STORE, _STATE)
    code += get(_DRAW) + i64_const(33) + asm.I64_SHR_U + i64_const(count) + asm.I64_REM_U + put(_DRAW)
    if actions.legal is not None:  # go on to the next one until one is legal, once around
        onwards = get(_DRAW) + i64_const(1) + asm.I64_ADD + i64_const(count) + asm.I64_REM_U + put(_DRAW)
        illegal = legal_bit(actions.legal, get(_DRAW)) + asm.I32_EQZ
        more = get(_TRIES) + i32_const(count) + asm.I32_LT_U + asm.I32_AND + asm.branch_if(0)
        code += (
            i32_const(0)
            + put(_TRIES)
            + asm.loop(
                illegal + asm.when(onwards) + asm.step(_TRIES, 1) + illegal + more,
            )
        )
    code += get(_DRAW) + asm.I32_WRAP_I64 + i32_const(3) + asm.I32_SHL + memory(asm.I64_LOAD, _TABLE)
    values = b"".join(value.to_bytes(8, "little", signed=True) for value in actions.values)
    tell = FuncType(b"", asm.I32)
    functions = [
        Function(FuncType(asm.I64, asm.I64), (asm.I64, asm.I32), code, "decide"),
        Function(tell, (), i32_const(MAILBOX), "nets_obs"),
        Function(tell, (), i32_const(MAILBOX_BYTES), "nets_obs_cap"),
    ]
    pages = 1 + (_TABLE + len(values)) // 65_536
    return Assembly(pages, functions, [(_STATE, seed.to_bytes(8, "little", signed=True)), (_TABLE, values)]).build()


class _Uncommitted:
    """In the place of a hasher: nobody commits to these matches, only their steps count."""

    def root(self, trace: bytes) -> bytes:
        """Return no root."""
        return bytes(32)


class Table:
    """A System, a sandbox and agents that take seats."""

    def __init__(self, system: SystemImage, actions: Actions, sandbox: Sandbox) -> None:
        self.system, self._sandbox, self._inspector = system, sandbox, Inspector()
        self._explorers = [self.admit(explorer(number, actions)) for number in range(EXPLORERS)]

    def admit(self, module: bytes) -> AgentImage:
        """Return a generated agent as the gate lets it in. Raises ModelError with the gate's reason."""
        verdict = self._inspector.check(module, "agent")
        if not verdict.accepted:
            raise ModelError("The gate does not admit the agent", verdict.reason, "Make the model smaller.")
        return verdict.agent()

    def explore(self, count: int) -> Played:
        """Return at least ``count`` steps and MATCHES matches of explorers among themselves."""
        return self._play(count, self._wanderers, lambda match: range(self.system.spec.seats))

    def try_out(self, agent: AgentImage, count: int) -> Played:
        """Return as much of an agent's: against itself, and in every seat against explorers."""
        seats = self.system.spec.seats

        def mine(match: int) -> Sequence[int]:
            return range(seats) if match % (seats + 1) == seats else (match % (seats + 1),)

        def players(match: int) -> list[AgentImage]:
            return [agent if seat in mine(match) else other for seat, other in enumerate(self._wanderers(match))]

        return self._play(count, players, mine)

    def _wanderers(self, match: int) -> list[AgentImage]:
        seats = self.system.spec.seats
        return [self._explorers[(match * seats + seat + match // EXPLORERS) % EXPLORERS] for seat in range(seats)]

    def _play(
        self, count: int, players: Callable[[int], list[AgentImage]], counted: Callable[[int], Sequence[int]]
    ) -> Played:
        """Play until the seats that are counted have taken ``count`` steps, a match for every wanted step at most."""
        played = Played()
        for match in range(max(MATCHES, count)):
            seats = counted(match)
            result = self._match(players(match), match)
            played.outcomes[_ending(result, seats)] += 1
            played.score += sum(result.scores[seat] for seat in seats)
            played.records += [(seat, record) for seat, record in _steps(result) if seat in seats]
            if len(played.records) >= count and match + 1 >= MATCHES:
                break
        return played

    def _match(self, players: list[AgentImage], number: int) -> MatchResult:
        seed = int.from_bytes(sha256(b"calibration %d" % number).digest()[:8], "little")
        presets = self.system.spec.presets  # a model meets all of them
        params = presets[number % len(presets)].params if presets else {}
        request = MatchRequest(self.system, tuple(players), seed, MAX_BUDGET, params=params)
        result = run_match(request, self._sandbox, _Uncommitted())
        if result.outcome is Outcome.INFRA:
            raise LeagueError("A match could not be played on this machine", f"{result.cause}: {result.detail}")
        if result.outcome is Outcome.VOID:
            why = f"a match to calibrate on ended VOID: {result.cause}"
            raise ModelError(f"{self.system.spec.title} does not play", why, "Mend the System first.")
        return result


def _steps(result: MatchResult) -> Iterator[tuple[int, Record]]:
    for record in Trace(result.trace or b"", len(result.scores)):
        yield record.seat, record


def _ending(result: MatchResult, seats: Sequence[int]) -> str:
    """Return how a match ended for the seats that are counted."""
    if result.outcome is Outcome.LOSS and result.seat in seats:
        return str(result.cause)
    return "FINISHED"
