"""All equilibria of three players with two actions each, by elimination in exact arithmetic.

A player gains by its first action over its second ``c0 + c1 s + c2 t + c3 s t``, s and t being how likely the others'
first actions are. Where it mixes this is zero, and where it does not, the sign is right. With one player pure two
linear equations are left; with none, two unknowns are eliminated and a quadratic is left, whose roots are handled as
``a + b sqrt(d)`` with rationals, so that every comparison is certain. McKelvey and McLennan (1996), "Computation of
equilibria in finite games", section 6: a regular game has up to nine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from engine.games.games import Floats

Gains = tuple[Fraction, Fraction, Fraction, Fraction]


@dataclass(frozen=True, slots=True)
class Surd:
    """The number ``a + b sqrt(d)``; numbers that meet have the same ``d``, or ``b`` zero."""

    a: Fraction
    b: Fraction = Fraction(0)
    d: Fraction = Fraction(0)

    def __add__(self, other: Surd) -> Surd:
        return Surd(self.a + other.a, self.b + other.b, self.d or other.d)

    def __sub__(self, other: Surd) -> Surd:
        return self + other * MINUS

    def __mul__(self, other: Surd) -> Surd:
        d = self.d or other.d
        return Surd(self.a * other.a + self.b * other.b * d, self.a * other.b + self.b * other.a, d)

    def __truediv__(self, other: Surd) -> Surd:
        norm = other.a * other.a - other.b * other.b * other.d
        return self * Surd(other.a / norm, -other.b / norm, other.d)

    def sign(self) -> int:
        """Return -1, 0 or 1."""
        a, b = _sign(self.a), _sign(self.b) * _sign(self.d)
        if a * b >= 0:
            return a or b
        return a * _sign(self.a * self.a - self.b * self.b * self.d)

    def __float__(self) -> float:
        if not self.b:
            return float(self.a)
        below = self.d.denominator
        root = Fraction(math.isqrt((self.d.numerator * below) << 512), below << 256)
        return float(self.a + self.b * root)

    def inside(self) -> bool:
        """Whether it lies between 0 and 1, exclusively."""
        return self.sign() > 0 and (ONE - self).sign() > 0


ZERO, ONE, MINUS = Surd(Fraction(0)), Surd(Fraction(1)), Surd(Fraction(-1))
Point = tuple[Surd, Surd, Surd]


class Elimination:
    """The equilibria of one game: ``points``, each the likelihoods of the three first actions.

    ``segments``: so many segments of equilibria, on which one player mixes, are there too; their ends are among the
    points. ``certain``: whether these are all; not so where whole curves may solve the equations of those who mix.
    """

    def __init__(self, payoffs: Sequence[Floats]) -> None:
        """Take each player's payoffs, shape (2, 2, 2), its own axis first, and eliminate."""
        self.points: list[Point] = []
        self.certain = True
        self.segments = 0
        self._gains = [_coefficients(tensor) for tensor in payoffs]
        for first, second, third in product((ONE, ZERO, None), repeat=3):
            mixed = [player for player, part in enumerate((first, second, third)) if part is None]
            point = (first or ZERO, second or ZERO, third or ZERO)
            (self._pure, self._one, self._two, self._three)[len(mixed)](point, mixed)

    def _gain(self, player: int, point: Point) -> Surd:
        s, t = (point[other] for other in range(3) if other != player)
        c0, c1, c2, c3 = (Surd(c) for c in self._gains[player])
        return c0 + c1 * s + c2 * t + c3 * s * t

    def _loss(self, player: int, point: Point) -> Surd:
        """What a player who does not mix would lose by changing."""
        gain = self._gain(player, point)
        return gain if point[player] is ONE else gain * MINUS

    def _line(self, value: Callable[[int, Point], Surd], player: int, point: Point, mixed: int) -> tuple[Fraction, ...]:
        """Return offset and slope of a player's gain or loss by the likelihood of the one who mixes."""
        low, high = (value(player, _with(point, mixed, end)).a for end in (ZERO, ONE))
        return low, high - low

    def _pure(self, point: Point, mixed: list[int]) -> None:
        if all(self._loss(player, point).sign() >= 0 for player in range(3)):
            self.points.append(point)

    def _one(self, point: Point, mixed: list[int]) -> None:
        """One player mixes, to which it makes no difference: a segment, cut where another would change."""
        if self._gain(mixed[0], point).sign():
            return
        low, high = Fraction(0), Fraction(1)
        for other in {0, 1, 2} - set(mixed):
            offset, slope = self._line(self._loss, other, point, mixed[0])
            if slope > 0:
                low = max(low, -offset / slope)
            elif slope < 0:
                high = min(high, -offset / slope)
            elif offset < 0:
                return
        self.segments += low < high
        ends = {low, high} if low <= high else set()
        self.points.extend(_with(point, mixed[0], Surd(end)) for end in sorted(ends) if 0 < end < 1)

    def _two(self, point: Point, mixed: list[int]) -> None:
        """Each of the two who mix makes the other indifferent."""
        for player, other in (mixed, mixed[::-1]):
            offset, slope = self._line(self._gain, player, point, other)
            if not slope:
                self.certain &= bool(offset)
                return
            point = _with(point, other, Surd(-offset / slope))
        (third,) = {0, 1, 2} - set(mixed)
        if all(point[player].inside() for player in mixed) and self._loss(third, point).sign() >= 0:
            self.points.append(point)

    def _three(self, point: Point, mixed: list[int]) -> None:
        """Eliminate the first two likelihoods by the gains of players 2 and 1; a quadratic in the third is left."""
        (a0, a1, a2, a3), (b0, b1, b2, b3), (c0, c1, c2, c3) = self._gains[2], self._gains[1], self._gains[0]
        above_p, below_p, above_q, below_q = (b0, b2), (b1, b3), (c0, c2), (c1, c3)  # p = - above / below
        terms = (
            (a0, below_q, below_p),
            (-a1, above_p, below_q),
            (-a2, above_q, below_p),
            (a3, above_q, above_p),
        )
        quadratic = [Fraction(0)] * 3
        for factor, (u0, u1), (v0, v1) in terms:
            for power, value in enumerate((u0 * v0, u0 * v1 + u1 * v0, u1 * v1)):
                quadratic[power] += factor * value
        if not any(quadratic):
            self.certain = False
        for third in _roots(*quadratic):
            self._back(third, [_at(line, third) for line in (above_p, below_p, above_q, below_q)])

    def _back(self, third: Surd, parts: list[Surd]) -> None:
        """Find the first two likelihoods for a root: where one is free, the third player's gain decides it."""
        above_p, below_p, above_q, below_q = parts
        free_p, free_q = not below_p.sign(), not below_q.sign()
        if (free_p and above_p.sign()) or (free_q and above_q.sign()):
            return
        if free_p and free_q:
            self.certain = False
            return
        a0, a1, a2, a3 = (Surd(c) for c in self._gains[2])
        p = ZERO if free_p else above_p * MINUS / below_p
        q = ZERO if free_q else above_q * MINUS / below_q
        if free_p or free_q:
            offset, slope = (a0 + a2 * q, a1 + a3 * q) if free_p else (a0 + a1 * p, a2 + a3 * p)
            if not slope.sign():
                self.certain &= bool(offset.sign())
                return
            p, q = (offset * MINUS / slope, q) if free_p else (p, offset * MINUS / slope)
        if p.inside() and q.inside() and third.inside():
            self.points.append((p, q, third))


def _coefficients(tensor: Floats) -> Gains:
    (both, first), (second, none) = (
        [Fraction(float(tensor[0, b, c])) - Fraction(float(tensor[1, b, c])) for c in range(2)] for b in range(2)
    )
    return none, first - none, second - none, both - first - second + none


def _with(point: Point, player: int, value: Surd) -> Point:
    made = [*point]
    made[player] = value
    return made[0], made[1], made[2]


def _at(line: tuple[Fraction, Fraction], where: Surd) -> Surd:
    return Surd(line[0]) + Surd(line[1]) * where


def _roots(c0: Fraction, c1: Fraction, c2: Fraction) -> list[Surd]:
    """Return the real roots of ``c0 + c1 r + c2 r^2``, none where it is zero throughout."""
    if not c2:
        return [Surd(-c0 / c1)] if c1 else []
    d = c1 * c1 - 4 * c2 * c0
    if d < 0:
        return []
    below = math.isqrt(d.numerator), math.isqrt(d.denominator)
    if below[0] ** 2 == d.numerator and below[1] ** 2 == d.denominator:
        root = Fraction(*below)
        return [Surd((sign * root - c1) / (2 * c2)) for sign in ((1, -1) if root else (1,))]
    return [Surd(-c1 / (2 * c2), Fraction(sign) / (2 * c2), d) for sign in (1, -1)]


def _sign(value: Fraction) -> int:
    return (value > 0) - (value < 0)
