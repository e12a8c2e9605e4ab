"""Ratings by Glicko-2, game by game, with the ``elote`` library.

Source: M. Glickman, "Example of the Glicko-2 system", 2013; every game is a rating period of its own.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from elote.competitors.glicko2 import Glicko2Competitor

Key = TypeVar("Key", int, str)
# The library lets ratings blur with time; here only games count, so all happen at one instant.
_INSTANT: Final = datetime(2000, 1, 1)


@dataclass(frozen=True, slots=True)
class Rating:
    """A strength on the Glicko scale: 95% of the time the true one lies within two deviations."""

    rating: float = 1500.0
    deviation: float = 350.0
    volatility: float = 0.06


def rate(ratings: Mapping[Key, Rating], games: Iterable[tuple[Key, Key | None, int, int | None]]) -> dict[Key, Rating]:
    """Return the ratings after ``games`` in their order: (first, second, score of the first, of the second).

    Who has no rating yet begins with the default. A bye changes nothing.
    """
    played = [(a, b, score_a, score_b) for a, b, score_a, score_b in games if b is not None and score_b is not None]
    if not played:  # without the library, which takes a second to import
        return dict(ratings)
    competitor, players = _library(), {}
    for key, own in ratings.items():
        players[key] = competitor(own.rating, own.deviation, own.volatility)
    for a, b, score_a, score_b in played:
        first, second = (players.setdefault(key, competitor()) for key in (a, b))
        if score_a == score_b:
            first.tied(second, _INSTANT)
        else:
            winner, loser = (first, second) if score_a > score_b else (second, first)
            winner.beat(loser, _INSTANT)
    return {key: Rating(p.rating, p.rd, p.volatility) for key, p in players.items()}


async def prepare() -> None:
    """Import the library in a thread, so that the loop need not wait for it at the first rating."""
    await asyncio.to_thread(_library)


@lru_cache(maxsize=1)
def _library() -> type[Glicko2Competitor]:
    """Import the library when the first rating is asked for, and of it this one rating.

    Others of it calculate with SciPy, which takes a second and thirty megabytes, and which installed builds do without.
    So the packages that import all of them are bare names until this one is there.
    """
    bare = [name for name in ("elote", "elote.competitors") if name not in sys.modules]
    for name in bare:
        spec = find_spec(name)
        if spec is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        sys.modules[name] = module_from_spec(spec)
    try:
        from elote.competitors.glicko2 import Glicko2Competitor
    finally:
        for name in bare:
            del sys.modules[name]
    return Glicko2Competitor
