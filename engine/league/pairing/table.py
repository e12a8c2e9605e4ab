"""What a format may know when it pairs a stage: the results of the stages before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Protocol


class Result(Protocol):
    """A match that counts; ``b`` is None for a bye."""

    @property
    def a(self) -> int:
        """The first seat."""

    @property
    def b(self) -> int | None:
        """The second seat."""

    @property
    def score_a(self) -> int:
        """What the first scored."""

    @property
    def score_b(self) -> int | None:
        """What the second scored."""


@dataclass(slots=True)
class Table:
    """Where the seats of a roster of ``size`` stand; ``out`` are disqualified and are paired no more."""

    size: int
    out: frozenset[int] = frozenset()
    scores: list[int] = field(init=False)
    firsts: list[int] = field(init=False)
    byes: Counter[int] = field(default_factory=Counter)
    met: Counter[tuple[int, int]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.scores = [0] * self.size
        self.firsts = [0] * self.size

    @classmethod
    def of(cls, size: int, results: Iterable[Result], out: Collection[int] = ()) -> Table:
        """Return the table after ``results``."""
        table = cls(size, frozenset(out))
        for result in results:
            table.add(result)
        return table

    def add(self, result: Result) -> None:
        """Count a match or a bye."""
        self.scores[result.a] += result.score_a
        if result.b is None or result.score_b is None:
            self.byes[result.a] += 1
            return
        self.scores[result.b] += result.score_b
        self.firsts[result.a] += 1
        self.met[pair(result.a, result.b)] += 1

    def active(self) -> list[int]:
        """Return the seats that are still in."""
        return [seat for seat in range(self.size) if seat not in self.out]

    def seated(self, a: int, b: int) -> tuple[int, int]:
        """Return the two in the order in which they sit: who sat first less often does."""
        return (a, b) if (self.firsts[a], a) <= (self.firsts[b], b) else (b, a)


def pair(a: int, b: int) -> tuple[int, int]:
    """Return two seats in ascending order."""
    return (a, b) if a < b else (b, a)
