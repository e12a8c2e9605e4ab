"""The methods there are, for which games, and what each finds. Nothing of them is imported before it is used."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from engine.games.errors import GameError
from engine.games.games import Game
from engine.games.options import SolveOptions
from engine.games.results import Steps

AUTO = "auto"
Solver = Callable[[Any, SolveOptions], Steps]


class Finds(StrEnum):
    """What a method is for."""

    ONE = "one"  # one equilibrium
    ALL = "all"  # every equilibrium, every extreme one where there are infinitely many
    CORRELATED = "correlated"  # a joint distribution
    LEARNING = "learning"  # a trace of players who learn; it may never settle


@dataclass(frozen=True, slots=True)
class Method:
    """One entry: ``place`` is ``module:function`` under ``engine.games.solvers``, a generator of steps."""

    key: str
    title: str
    kinds: tuple[str, ...]
    finds: Finds
    place: str
    summary: str
    devices: tuple[str, ...] = ("cpu",)

    def solver(self) -> Solver:
        """Import and return the generator function."""
        module, _, function = self.place.partition(":")
        return cast("Solver", getattr(importlib.import_module(f"engine.games.solvers.{module}"), function))


_TWO = ("matrix", "bimatrix")
_TABLES = ("matrix", "bimatrix", "tensor")
_FINITE = (*_TABLES, "polymatrix")


def _m(key: str, title: str, kinds: tuple[str, ...], finds: Finds, place: str, summary: str, *devices: str) -> Method:
    return Method(key, title, kinds, finds, place, summary, ("cpu", *devices))


METHODS: tuple[Method, ...] = (
    _m(
        AUTO,
        "Automatic",
        ("matrix",),
        Finds.ONE,
        "zero_sum:steps",
        "Merges symmetric actions; simplex, from a PRM+ guess where large",
    ),
    _m("simplex", "Condensed simplex", ("matrix",), Finds.ONE, "simplex:steps", "Exact to rounding; small games"),
    _m(
        "interior-point",
        "Interior point",
        ("matrix",),
        Finds.ONE,
        "interior_point:steps",
        "Mehrotra; large games",
        "cuda",
    ),
    _m(AUTO, "Automatic", ("bimatrix",), Finds.ONE, "bimatrix:steps", "Pure check, Lemke-Howson, logit tracing"),
    _m("lemke-howson", "Lemke-Howson", _TWO, Finds.ONE, "lemke_howson:steps", "Lexicographic complementary pivoting"),
    _m("pure", "Pure equilibria", _TABLES, Finds.ALL, "pure:steps", "All equilibria in pure strategies, by inspection"),
    _m(
        "vertices",
        "Vertex enumeration",
        _TWO,
        Finds.ALL,
        "vertices:steps",
        "All extreme equilibria, exact where degenerate",
    ),
    _m(AUTO, "Automatic", ("tensor",), Finds.ONE, "tensor:steps", "Pure check, then logit homotopy"),
    _m(
        "logit",
        "Logit homotopy",
        _TABLES,
        Finds.ONE,
        "logit:steps",
        "Quantal response by pseudo-arclength to precision ∞",
    ),
    _m(
        "ipa",
        "Iterated polymatrix",
        ("tensor",),
        Finds.ONE,
        "ipa:steps",
        "Fast and rough: a polymatrix game at each step",
    ),
    _m(
        "newton-all",
        "Support search",
        ("tensor",),
        Finds.ALL,
        "supports:steps",
        "Pure, then Newton on every small support",
    ),
    _m(AUTO, "Automatic", ("polymatrix",), Finds.ONE, "polymatrix:steps", "LP when zero-sum, else Howson's pivoting"),
    _m("howson", "Howson", ("polymatrix",), Finds.ONE, "howson:steps", "Complementary pivoting on the whole game"),
    _m(
        "polymatrix-lp",
        "Linear program",
        ("polymatrix",),
        Finds.ONE,
        "polymatrix_lp:steps",
        "Zero-sum polymatrix games",
    ),
    _m(
        AUTO,
        "Automatic",
        ("consensus",),
        Finds.ONE,
        "agreement:steps",
        "The linear system, after a best-response trace",
    ),
    _m(
        "best-response",
        "Best response",
        ("consensus",),
        Finds.LEARNING,
        "best_response:steps",
        "All agents move at once",
    ),
    _m(
        "trimmed",
        "Trimmed mean",
        ("consensus",),
        Finds.LEARNING,
        "robust:trimmed",
        "Drops the extremes of each coordinate",
    ),
    _m("median", "Median", ("consensus",), Finds.LEARNING, "robust:median", "Follows the median of the others"),
    _m(
        "trust",
        "Trust-weighted",
        ("consensus",),
        Finds.LEARNING,
        "robust:trust",
        "Weighs the others by how near they stay",
    ),
    _m("correlated", "Correlated", _FINITE, Finds.CORRELATED, "correlated:correlated", "Linear program, best welfare"),
    _m("coarse", "Coarse correlated", _FINITE, Finds.CORRELATED, "correlated:coarse", "Linear program, best welfare"),
    _m("fictitious-play", "Fictitious play", _FINITE, Finds.LEARNING, "fictitious_play:steps", "Answers the average"),
    _m("replicator", "Replicator", _FINITE, Finds.LEARNING, "replicator:steps", "Evolution in continuous time"),
    _m("mwu", "Multiplicative weights", _FINITE, Finds.LEARNING, "weights:mwu", "Hedge"),
    _m("omwu", "Optimistic weights", _FINITE, Finds.LEARNING, "weights:omwu", "Hedge that predicts the next payoffs"),
    _m("rm", "Regret matching", _FINITE, Finds.LEARNING, "regret:rm", "Plays in proportion to regret"),
    _m("rm+", "Regret matching+", _FINITE, Finds.LEARNING, "regret:rm_plus", "Regrets cut at zero, alternating"),
    _m("prm+", "Predictive RM+", _FINITE, Finds.LEARNING, "regret:prm_plus", "RM+ that predicts the next regrets"),
)


def methods_for(game: Game) -> tuple[Method, ...]:
    """Return the methods for a game, the automatic one first."""
    return tuple(sorted((m for m in METHODS if game.kind in m.kinds), key=lambda method: method.key != AUTO))


def method_for(game: Game, key: str = AUTO) -> Method:
    """Return a method by its key. Raises GameError when there is none, or none for such a game."""
    fitting = methods_for(game)
    found = next((method for method in fitting if method.key == key), None)
    if found is not None:
        return found
    known = any(method.key == key for method in METHODS)
    raise GameError(
        f"The method {key!r} does not fit" if known else f"There is no method {key!r}",
        f"a {game.kind} game is solved by {', '.join(method.key for method in fitting)}",
        "Choose one of these.",
    )


def method_for_all(game: Game) -> Method:
    """Return the method that finds all equilibria. Raises GameError for games without one."""
    for method in reversed(methods_for(game)):
        if method.finds is Finds.ALL:
            return method
    raise GameError("All equilibria cannot be found", f"there is no method for a {game.kind} game")
