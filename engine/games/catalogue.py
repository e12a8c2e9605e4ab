"""The games that can be had by name: for the console, and for ``nashboard solve --game``."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

from engine.games import generators
from engine.games.errors import GameError
from engine.games.games import Game
from engine.games.parameters import Parameter, refuse_unknown
from engine.games.reference import Reference, references

REFERENCE, GENERATED, POLYMATRIX, CONSENSUS = "reference", "generated", "polymatrix", "consensus"


@dataclass(frozen=True, slots=True)
class Entry:
    """A game, or a family of them. ``kind`` is the class of the games; ``seeded``: whether chance plays a part.

    ``reference``: what is known of its equilibria.
    """

    key: str
    title: str
    group: str
    kind: str
    summary: str
    parameters: tuple[Parameter, ...] = ()
    seeded: bool = False
    reference: Reference | None = None
    maker: Callable[..., Game] | None = None

    def make(self, seed: int = 0, **parameters: float) -> Game:
        """Return the game; parameters that are not given have their defaults. Raises GameError."""
        if self.reference is not None:
            self._values(parameters)
            return self.reference.game
        assert self.maker is not None
        values = self._values(parameters)
        return self.maker(**values, **({"seed": seed} if self.seeded else {}))

    def _values(self, given: dict[str, float]) -> dict[str, Any]:
        refuse_unknown(f"The game {self.key!r}", given, self.parameters)
        return {p.name: p.check(given.get(p.name, p.default)) for p in self.parameters}


def catalogue() -> tuple[Entry, ...]:
    """Return all entries, those with known equilibria first."""
    return _reference_entries() + _GENERATED


def groups() -> tuple[str, ...]:
    """Return the groups in their order."""
    return (REFERENCE, GENERATED, POLYMATRIX, CONSENSUS)


def entry_of(key: str) -> Entry:
    """Return an entry by its key. Raises GameError when there is none."""
    keys = [entry.key for entry in catalogue()]
    if key not in keys:
        near = difflib.get_close_matches(key, keys, 1)
        advice = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(keys)}."
        raise GameError(f"There is no game {key!r}", "", advice)
    return catalogue()[keys.index(key)]


def make(key: str, seed: int = 0, **parameters: float) -> Game:
    """Return a game by its key. Raises GameError for what is not known or out of range."""
    return entry_of(key).make(seed, **parameters)


@cache
def _reference_entries() -> tuple[Entry, ...]:
    return tuple(
        Entry(known.key, known.game.title, REFERENCE, known.game.kind, known.shows, reference=known)
        for known in references()
    )


def _random(rows: int, columns: int, seed: int, distribution: str = "uniform") -> Game:
    return generators.random_game((rows, columns), seed, distribution)


def _random_n(players: int, actions: int, seed: int) -> Game:
    return generators.random_game((actions,) * players, seed)


def _covariant(players: int, actions: int, rho: float, seed: int) -> Game:
    return generators.covariant((actions,) * players, rho, seed)


_ROWS = Parameter("rows", "Actions of player 1", 1, 8192, 10)
_COLUMNS = Parameter("columns", "Actions of player 2", 1, 8192, 10)
_PLAYERS = Parameter("players", "Players", 3, 12, 3)
_ACTIONS = Parameter("actions", "Actions each", 1, 64, 5)
_RHO = Parameter("rho", "Covariance", -1, 1, -0.5, whole=False)
_DENSITY = Parameter("density", "Share of the pairs", 0, 1, 1, whole=False)
_PAIRED = (Parameter("players", "Players", 2, 200, 6), Parameter("actions", "Actions each", 1, 64, 3), _DENSITY)
_AGENTS = (Parameter("agents", "Agents", 1, 2000, 20), Parameter("dimension", "Dimension", 1, 64, 2), _DENSITY)

_GENERATED = (
    Entry(
        "zero-sum",
        "Random zero-sum",
        GENERATED,
        "matrix",
        "U[0, 1] payoffs; easy at any size",
        (_ROWS, _COLUMNS),
        seeded=True,
        maker=generators.random_zero_sum,
    ),
    Entry(
        "blotto",
        "Colonel Blotto",
        GENERATED,
        "matrix",
        "Soldiers spread over fields: won less lost; many ties, many equilibria",
        (Parameter("soldiers", "Soldiers", 1, 40, 6), Parameter("fields", "Fields", 1, 10, 3)),
        maker=generators.colonel_blotto,
    ),
    Entry(
        "random",
        "Random bimatrix",
        GENERATED,
        "bimatrix",
        "U[0, 1] payoffs; two of three have a pure equilibrium",
        (_ROWS, _COLUMNS),
        seeded=True,
        maker=_random,
    ),
    Entry(
        "ties",
        "Random bimatrix with ties",
        GENERATED,
        "bimatrix",
        "Payoffs 0 to 3: degenerate, with whole sets of equilibria",
        (_ROWS, _COLUMNS),
        seeded=True,
        maker=partial(_random, distribution="integers"),
    ),
    Entry(
        "covariant",
        "Covariant bimatrix",
        GENERATED,
        "bimatrix",
        "Normal payoffs whose covariance decides between conflict and agreement",
        (replace(_ACTIONS, maximum=4096, default=10), _RHO),
        seeded=True,
        maker=partial(_covariant, 2),
    ),
    Entry(
        "tournament",
        "Tournament",
        GENERATED,
        "bimatrix",
        "A node against a set of nodes; equilibria need many actions",
        (Parameter("nodes", "Nodes", 1, 200, 8), Parameter("subset", "Nodes in a set", 1, 6, 2)),
        seeded=True,
        maker=generators.tournament,
    ),
    Entry(
        "hard",
        "Savani-von Stengel",
        GENERATED,
        "bimatrix",
        "All of Lemke and Howson's paths are exponentially long; the size is even",
        (Parameter("size", "Size", 2, 16, 8),),
        maker=generators.savani_von_stengel,
    ),
    Entry(
        "random-n",
        "Random, several players",
        GENERATED,
        "tensor",
        "U[0, 1] payoffs for three players or more",
        (_PLAYERS, _ACTIONS),
        seeded=True,
        maker=_random_n,
    ),
    Entry(
        "covariant-n",
        "Covariant, several players",
        GENERATED,
        "tensor",
        "Normal payoffs; -1 / (players - 1) is the lowest covariance",
        (_PLAYERS, _ACTIONS, replace(_RHO, default=-0.2)),
        seeded=True,
        maker=_covariant,
    ),
    Entry(
        "polymatrix",
        "Random polymatrix",
        POLYMATRIX,
        "polymatrix",
        "A bimatrix game on every pair; a player plays the same action in all of its games",
        _PAIRED,
        seeded=True,
        maker=generators.random_polymatrix,
    ),
    Entry(
        "polymatrix-zero-sum",
        "Zero-sum polymatrix",
        POLYMATRIX,
        "polymatrix",
        "Each pair plays for what the other has; one linear program solves it",
        _PAIRED,
        seeded=True,
        maker=partial(generators.random_polymatrix, zero_sum=True),
    ),
    Entry(
        "consensus",
        "Random consensus",
        CONSENSUS,
        "consensus",
        "Agents with ideal points, unlike in how sure they are and whom they mind",
        _AGENTS,
        seeded=True,
        maker=generators.random_consensus,
    ),
    Entry(
        "byzantine",
        "Consensus with liars",
        CONSENSUS,
        "consensus",
        "Some agents pull far away and mind nobody; robust methods take their influence from them",
        (*_AGENTS[:2], Parameter("liars", "Liars", 0, 2000, 5)),
        seeded=True,
        maker=generators.random_consensus,
    ),
)
