"""What a solver answers: steps on the way, an outcome at the end, and the verified solution made of it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from engine.games.games import Floats, Game, Profile
from engine.games.verify import Gap


class Status(StrEnum):
    """How it ended.

    SOLVED: every equilibrium given was verified to epsilon, and where all were asked for, these are all (all extreme
    ones, where there are infinitely many). INCOMPLETE: those given are verified, there may be more. NOT_CONVERGED: the
    best profile found misses epsilon. CANCELLED: stopped from outside; the best profile so far.
    """

    SOLVED = "solved"
    INCOMPLETE = "incomplete"
    NOT_CONVERGED = "not_converged"
    ROBUST = "robust"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One step of a method: where it is after ``iteration`` iterations.

    ``gap`` is NashConv of ``profile`` in payoff units, by :func:`engine.games.games.regrets_from`. ``note`` names a
    phase ("pivot", "homotopy"), for methods of several.
    """

    iteration: int
    profile: Profile
    gap: float
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a method returns at its end; nothing of it is believed before :mod:`engine.games.solve` verified it.

    ``profiles``: the equilibria found, the best profile where none was. ``joints``: joint distributions instead, of
    correlated equilibria. ``complete``: whether these are all of what was asked for. ``method``: which one gave the
    answer, of a method that tries several. ``rate``: the factor by which the gap shrank an iteration, where measured;
    in consensus games that of distances under best responses (the gap, a square, shrinks by its square).
    ``reduced``: the game that a robust method solved instead of the one given.
    """

    profiles: tuple[Profile, ...] = ()
    joints: tuple[Floats, ...] = ()
    iterations: int = 0
    complete: bool = True
    method: str = ""
    message: str = ""
    rate: float | None = None
    coarse: bool = False
    reduced: Game | None = None


Steps = Generator[Step, None, Outcome]


@dataclass(frozen=True, slots=True, eq=False)
class Equilibrium:
    """A profile with its verified gap; of a correlated one, the marginals of the distribution ``joint``.

    ``reduced``: its gap in the game that a robust method solved instead.
    """

    profile: Profile
    gap: Gap
    joint: Floats | None = None
    reduced: Gap | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON-ready object."""
        joint = {} if self.joint is None else {"joint": self.joint.tolist()}
        reduced = {} if self.reduced is None else {"reduced": self.reduced.to_json()}
        return {"profile": [part.tolist() for part in self.profile], **self.gap.to_json(), **joint, **reduced}


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """The verified answer. ``epsilon`` is relative to the payoff ranges, ``seconds`` wall time without verification."""

    equilibria: tuple[Equilibrium, ...]
    method: str
    status: Status
    iterations: int
    seconds: float
    epsilon: float
    device: str = "cpu"
    message: str = ""
    rate: float | None = None

    @property
    def solved(self) -> bool:
        """Whether all that was asked for is there and verified."""
        return self.status is Status.SOLVED

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON-ready object."""
        return {
            "equilibria": [found.to_json() for found in self.equilibria],
            "method": self.method,
            "status": self.status.value,
            "iterations": self.iterations,
            "seconds": self.seconds,
            "epsilon": self.epsilon,
            "device": self.device,
            "message": self.message,
            "rate": self.rate,
        }
