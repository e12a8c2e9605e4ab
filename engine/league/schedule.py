"""Who plays whom with which seed, stage by stage. Pure functions of the round's settings, roster and results."""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from typing import Any, Final, NamedTuple

from engine.core.errors import UsageError
from engine.core.hashing import keccak
from engine.league.pairing import ladder, round_robin, swiss
from engine.league.pairing.table import Result, Table

MAX_TOTAL: Final = 1_000_000  # matches of a round
SOLO, ROUND_ROBIN, SWISS, LADDER = "solo", "round_robin", "swiss", "ladder"
FORMATS: Final = (SOLO, ROUND_ROBIN, SWISS, LADDER)
_DOMAIN = b"nashboard/match-seed"

Pairs = tuple[list[tuple[int, int]], int | None]


@dataclass(frozen=True, slots=True)
class Fixture:
    """One match to play: number ``index`` of the round, seats of the roster, the seed of the System, the stage.

    With ``bye`` the seat ``a`` has no opponent and gets the full score.
    """

    index: int
    a: int
    b: int | None
    seed: int
    stage: int = 0
    bye: bool = False


def match_seed(round_seed: int, repetition: int) -> int:
    """Return the 64-bit seed of the n-th match of every agent: equal for all, so that luck is shared."""
    return int.from_bytes(sha256(_DOMAIN + struct.pack(">QI", round_seed, repetition)).digest()[:8], "big")


def league_round_id(name: str, number: int, round_seed: int) -> bytes:
    """Return the 32 bytes that name this round on chain."""
    return keccak(f"nashboard/league/{name}/{number}/{round_seed}".encode())


def format_for(name: str, seats: int) -> str:
    """Return the format that ``name`` stands for on a System of so many seats. Raises UsageError."""
    if name == "auto":
        name = SOLO if seats == 1 else ROUND_ROBIN
    if name not in FORMATS:
        raise UsageError(f"Unknown format {name!r}", "", f"Choose one of auto, {', '.join(FORMATS)}.")
    if seats > 2:
        raise UsageError("No league is played on this System", f"it has {seats} seats, leagues take one or two")
    if (name == SOLO) != (seats == 1):
        why = f"the System has {seats} seat{'s' if seats > 1 else ''}"
        raise UsageError(f"The format {name} does not fit", why, f"Choose {'solo' if seats == 1 else ROUND_ROBIN}.")
    return name


@dataclass(frozen=True, slots=True)
class Schedule:
    """A round's plan: ``format``, ``matches`` (an agent in solo, else games a pairing), and the seats by place.

    Seats follow the addresses, which another machine may deal otherwise; pairings go by places, which follow the
    hashes of the agents.
    """

    format: str
    matches: int
    seed: int
    stages: int
    seats: tuple[int, ...]

    @classmethod
    def of(cls, config: Mapping[str, Any], hashes: Sequence[str]) -> Schedule:
        """Return the plan of a stored round; ``hashes`` are its agents' by seat. Raises UsageError when too long."""
        size = len(hashes)
        name, asked = config.get("format", SOLO), config.get("stages", 0)
        stages = {
            SOLO: 1,
            ROUND_ROBIN: round_robin.stages(size),
            SWISS: asked or swiss.default_stages(size),
            LADDER: asked or ladder.DEFAULT_STAGES,
        }[name]
        seats = tuple(sorted(range(size), key=hashes.__getitem__))
        plan = cls(name, config["matches"], config["seed"], stages, seats)
        if name != SOLO and size < 2:
            raise UsageError("A league of two seats needs two agents", f"{size} takes part")
        if plan.total > MAX_TOTAL:
            why = f"{size} agents would play {plan.total} matches, at most {MAX_TOTAL} are allowed"
            raise UsageError("The round is too long", why, "Choose swiss or ladder, or fewer matches.")
        return plan

    @property
    def size(self) -> int:
        """How many take part."""
        return len(self.seats)

    @property
    def total(self) -> int:
        """How many matches and byes the round has while nobody is disqualified."""
        if self.format == SOLO:
            return self.size * self.matches
        a_stage = self.size // 2
        if self.format in (SWISS, LADDER):
            a_stage += self.size % 2
        return self.stages * a_stage * self.matches

    def stage(self, number: int, earlier: Sequence[Sequence[Result]], out: Collection[int]) -> list[Fixture]:
        """Return the fixtures of a stage. ``earlier`` holds the results of the stages before it, stage by stage;
        ``out`` the seats that were disqualified in them. Indices go on from stage to stage."""
        if self.format == SOLO:
            return self._solo()
        place = {seat: number for number, seat in enumerate(self.seats)}
        placed = [[_Placed.of(result, place) for result in results] for results in earlier]
        table = Table.of(self.size, chain.from_iterable(placed), {place[seat] for seat in out})
        pairs, rests = _PAIRINGS[self.format](table, number, placed)
        first = self.first(number)
        fixtures: list[Fixture] = []
        for game in range(self.matches):
            seed = match_seed(self.seed, number * self.matches + game // 2)
            for a, b in pairs:
                one, two = (a, b) if game % 2 == 0 else (b, a)
                fixtures.append(Fixture(first + len(fixtures), self.seats[one], self.seats[two], seed, number))
            if rests is not None:
                fixtures.append(Fixture(first + len(fixtures), self.seats[rests], None, 0, number, bye=True))
        return fixtures

    def known(self) -> list[Fixture]:
        """Return all fixtures of a format that needs no results to pair. Raises UsageError for the others."""
        if self.format not in (SOLO, ROUND_ROBIN):
            why = f"who meets whom in the {self.format} format follows from results"
            raise UsageError("Claims cannot be handed in before the round", why, "Hand them in after it is played.")
        return [fixture for number in range(self.stages) for fixture in self.stage(number, (), ())]

    def first(self, stage: int) -> int:
        """Return the first index of a stage; each may use as many as its pairs and one bye need."""
        return stage * (self.size // 2 + self.size % 2) * self.matches

    def _solo(self) -> list[Fixture]:
        """Repetition by repetition, so that all are equally far at any time."""
        return [
            Fixture(repetition * self.size + place, seat, None, match_seed(self.seed, repetition))
            for repetition in range(self.matches)
            for place, seat in enumerate(self.seats)
        ]


class _Placed(NamedTuple):
    """A result by places."""

    a: int
    b: int | None
    score_a: int
    score_b: int | None

    @classmethod
    def of(cls, result: Result, place: Mapping[int, int]) -> _Placed:
        b = None if result.b is None else place[result.b]
        return cls(place[result.a], b, result.score_a, result.score_b)


def _round_robin(table: Table, number: int, _: Sequence[Sequence[Result]]) -> Pairs:
    return round_robin.pairs(table, number), None


def _swiss(table: Table, _number: int, _: Sequence[Sequence[Result]]) -> Pairs:
    return swiss.pairs(table, swiss.score_order(table))


def _ladder(table: Table, _number: int, earlier: Sequence[Sequence[Result]]) -> Pairs:
    return ladder.pairs(table, earlier)


_PAIRINGS: Final[dict[str, Callable[[Table, int, Sequence[Sequence[Result]]], Pairs]]] = {
    ROUND_ROBIN: _round_robin,
    SWISS: _swiss,
    LADDER: _ladder,
}
