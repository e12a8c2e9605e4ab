"""The games that can be chosen, as the form needs them: the catalogue, and one that was opened from a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from engine.games.catalogue import Parameter, catalogue, entry_of, groups
from engine.games.games import Game

OPENED = "opened"  # the key of a game that came from a file
SEED = Parameter("seed", "Seed of the game", 0, 2**53, 1)
TITLES = {
    "reference": "With known equilibria",
    "generated": "Random and structured",
    "polymatrix": "Polymatrix",
    "consensus": "Consensus",
}


@dataclass(frozen=True, slots=True)
class GameChoice:
    """A game or a family of games; chance is one of its parameters, "seed"."""

    key: str
    title: str
    group: str
    summary: str = ""
    parameters: tuple[Parameter, ...] = ()

    def defaults(self) -> dict[str, float]:
        """Return its parameters as they are at first."""
        return {parameter.name: parameter.default for parameter in self.parameters}


@cache
def choices() -> tuple[GameChoice, ...]:
    """Return all games that can be chosen, group by group."""
    made = []
    for group in groups():
        for entry in catalogue():
            if entry.group == group:
                parameters = (*entry.parameters, *((SEED,) if entry.seeded else ()))
                title = TITLES.get(group, group.capitalize())
                made.append(GameChoice(entry.key, entry.title, title, entry.summary, parameters))
    return tuple(made)


def build(key: str, parameters: Mapping[str, float]) -> Game:
    """Make a game. Raises GameError."""
    values = dict(parameters)
    return entry_of(key).make(int(values.pop("seed", 0)), **values)


def known_of(key: str) -> str:
    """Return what is known of a game's equilibria, in words; "" of a game of which nothing is."""
    entry = next((entry for entry in catalogue() if entry.key == key), None)
    if entry is None or entry.reference is None:
        return ""
    known = entry.reference
    many = "1 equilibrium is known" if known.count == 1 else f"{known.count} equilibria are known"
    return f"{many} ({known.source})."
