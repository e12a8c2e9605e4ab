"""Who plays whom with which seed. Pure functions of the round seed and the roster's size."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from hashlib import sha256

from engine.core.hashing import keccak

_DOMAIN = b"nashboard/match-seed"


@dataclass(frozen=True, slots=True)
class Fixture:
    """One match to play: number ``index`` of the round, seats of the roster, and the seed of the System."""

    index: int
    a: int
    b: int | None
    seed: int


def match_seed(round_seed: int, repetition: int) -> int:
    """Return the 64-bit seed of the n-th match of every agent: equal for all, so that luck is shared."""
    return int.from_bytes(sha256(_DOMAIN + struct.pack(">QI", round_seed, repetition)).digest()[:8], "big")


def solo_schedule(roster_size: int, matches: int, round_seed: int) -> list[Fixture]:
    """Return ``matches`` matches an agent, repetition by repetition, so that all are equally far at any time."""
    return [
        Fixture(repetition * roster_size + seat, seat, None, match_seed(round_seed, repetition))
        for repetition in range(matches)
        for seat in range(roster_size)
    ]


def league_round_id(name: str, number: int, round_seed: int) -> bytes:
    """Return the 32 bytes that name this round on chain."""
    return keccak(f"nashboard/league/{name}/{number}/{round_seed}".encode())
