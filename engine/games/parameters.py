"""Numbers with a name that shape a game or a method, and what each may be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from engine.games.errors import GameError
from engine.games.methods import Method


@dataclass(frozen=True, slots=True)
class Number:
    """A number that may be given. ``whole``: it has no fraction."""

    name: str
    title: str
    minimum: float
    maximum: float
    whole: bool = field(default=True, kw_only=True)

    def check(self, value: float) -> float:
        """Return the number if it can be used. Raises GameError."""
        if not self.minimum <= value <= self.maximum or (self.whole and value != int(value)):
            kind = "a whole number" if self.whole else "a number"
            limits = f"{self.minimum:g} to {self.maximum:g}"
            raise GameError(f"The parameter {self.name} cannot be used", f"{value:g} is not {kind} from {limits}")
        return int(value) if self.whole else float(value)


@dataclass(frozen=True, slots=True)
class Parameter(Number):
    """A number that has a value where none is given."""

    default: float


def refuse_unknown(what: str, given: Iterable[str], known: Iterable[Number]) -> None:
    """Raise GameError for the first name that is not known."""
    names = [number.name for number in known]
    for name in given:
        if name not in names:
            raise GameError(
                f"{what} has no parameter {name!r}", "", f"Known: {', '.join(names)}." if names else "It has none."
            )


_DAMPING = (Number("damping", "Share of the old position that is kept", 0, 0.999, whole=False),)
_LIARS = (Number("byzantine", "How many agents may lie", 0, 1e6),)
_OBJECTIVE = (Number("objective", "0 most welfare, 1 the poorest's most, 2 least welfare", 0, 2),)
_STARTS = (Number("starts", "Starts of Newton's method on a support", 1, 1e6),)
_CAP = Number("cap", "Pivots until another path is tried", 1, 1e9)
_LEARNING = (
    Number("average", "What is shown: 0 the last strategies, 1 their average, 2 the nearer one", 0, 2),
    Number("alternate", "1: two players move in turn", 0, 1),
    Number("power", "Weight of an iteration in the average: its number to this power", 0, 8, whole=False),
    Number("rate", "Step size, of the methods that have one", 0, 1e6, whole=False),
)

# By the place of the method's solver, since "auto" is another one for every kind of game.
_TUNABLE: Mapping[str, tuple[Number, ...]] = {
    "lemke_howson:steps": (Number("label", "The label dropped first, from 0", 0, 1e6), _CAP),
    "pure:steps": (Number("limit", "At most so many equilibria", 1, 1e9),),
    "vertices:steps": (Number("exact", "1: rational arithmetic from the start", 0, 1),),
    "tensor:steps": (Number("pure", "0: look for no pure equilibrium first", 0, 1),),
    "supports:steps": _STARTS,
    "agreement:steps": _DAMPING,
    "best_response:steps": _DAMPING,
    "robust:trimmed": _LIARS,
    "robust:trust": _LIARS,
    "correlated:correlated": _OBJECTIVE,
    "correlated:coarse": _OBJECTIVE,
    "fictitious_play:steps": _LEARNING,
    "replicator:steps": _LEARNING,
    "weights:mwu": _LEARNING,
    "weights:omwu": _LEARNING,
    "regret:rm": _LEARNING,
    "regret:rm_plus": _LEARNING,
    "regret:prm_plus": _LEARNING,
}


def tunable(method: Method) -> tuple[Number, ...]:
    """Return the parameters that a method has for who uses it (``SolveOptions.parameters``)."""
    return _TUNABLE.get(method.place, ())


def tuned(method: Method, given: Mapping[str, float]) -> dict[str, float]:
    """Return parameters of a method, checked. Raises GameError for what it does not have or cannot use."""
    numbers = {number.name: number for number in tunable(method)}
    refuse_unknown(f"The method {method.key!r}", given, numbers.values())
    return {name: numbers[name].check(value) for name, value in given.items()}
