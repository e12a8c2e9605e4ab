"""Ladder: every stage orders the agents by their Glicko-2 rating in this round and pairs neighbours.

1. All begin equal. 2. After each stage the ratings take its results in, as one rating period. 3. Neighbours on the
ladder play; who met in the stage before is parted if that can be. 4. With an odd number one rests, as in Swiss.

Ratings are compared in millionths: floating point may differ in its last bits between machines, the ladder may not.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.league.pairing import swiss
from engine.league.pairing.table import Result, Table, pair
from engine.league.ratings import Rating, rate

DEFAULT_STAGES = 10


def pairs(table: Table, earlier: Sequence[Sequence[Result]]) -> tuple[list[tuple[int, int]], int | None]:
    """Return who plays whom, first seat first, and who rests. ``earlier`` holds the results stage by stage."""
    ratings: dict[int, Rating] = {}
    for results in earlier:
        ratings = rate(ratings, [(r.a, r.b, r.score_a, r.score_b) for r in results if r.b is not None])
    order = sorted(table.active(), key=lambda seat: (-_millionths(ratings.get(seat, Rating())), seat))
    # Meeting again is what a ladder is for; only the last opponent is avoided.
    recent = Table(table.size, table.out)
    recent.firsts, recent.byes = table.firsts, table.byes
    for result in earlier[-1] if earlier else ():
        if result.b is not None:
            recent.met[pair(result.a, result.b)] = 1
    return swiss.pairs(recent, order)


def _millionths(rating: Rating) -> int:
    return round(rating.rating * 1_000_000)
