"""All vertices of a best-response polytope and all extreme equilibria, in exact arithmetic, degenerate or not.

1. Payoffs are taken as the exact rationals that fp64 numbers are, columns shifted and scaled to small integers.
2. All lexicographically feasible bases of the polytope are visited by integer-preserving pivots (Edmonds 1967; von
   Stengel 2007, section 3.4, for the pivots, and Avis, Rosenberg, Savani and von Stengel, "Enumeration of Nash
   equilibria for two-player games", Economic Theory 42 (2010), for the lexicographic rule). They are the vertices of
   the polytope with its right-hand sides enlarged a little, each by far less than the one before; so each vertex of
   the polytope itself is met, and no degenerate one costs more than that.
3. A vertex carries the labels of all its tight inequalities. Two vertices that together carry all labels are an
   extreme equilibrium; every equilibrium is a convex combination of those in one maximal Nash subset.
4. These subsets are the maximal cliques of the bipartite graph of matching vertices, its connected parts the
   components of the set of equilibria (Winkels 1979; Avis and others, section 2).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from engine.games.games import Floats

Row = list[int]
Strategy = tuple[Fraction, ...]
_KEPT = 1000  # levels of the path whose tableaus are kept; further up they are pivoted back to


@dataclass(frozen=True, slots=True, eq=False)
class Tableau:
    """A basis: ``det * x_B = b - T x_N`` in integers; a row of ``rows`` is one of T and, last, its entry of b."""

    rows: tuple[Row, ...]
    det: int
    basic: tuple[int, ...]
    nonbasic: tuple[int, ...]

    @property
    def key(self) -> int:
        """The nonbasic labels as a bit mask."""
        return sum(1 << label for label in self.nonbasic)

    def tight(self) -> int:
        """Return the mask of all labels that are tight: nonbasic, or basic and zero."""
        zeros = (label for label, row in zip(self.basic, self.rows, strict=True) if not row[-1])
        return self.key | sum(1 << label for label in zeros)

    def point(self) -> tuple[int, ...]:
        """Return ``det`` times the coordinates of the vertex."""
        found = dict(zip(self.basic, (row[-1] for row in self.rows), strict=True))
        return tuple(found.get(label, 0) for label in range(len(self.nonbasic)))

    def pivoted(self, r: int, c: int) -> Tableau:
        """Return the basis with the variables of row ``r`` and column ``c`` exchanged; the pivot must be positive."""
        source, det = self.rows[r], self.det
        p = source[c]
        made = []
        for i, row in enumerate(self.rows):
            f = row[c]
            if i == r:
                new = source.copy()
                new[c] = det
            elif f:
                new = [(p * x - f * y) // det for x, y in zip(row, source, strict=True)]
                new[c] = -f
            else:
                new = row if p == det else [p * x // det for x in row]
            made.append(new)
        basic, nonbasic = list(self.basic), list(self.nonbasic)
        basic[r], nonbasic[c] = nonbasic[c], basic[r]
        return Tableau(tuple(made), p, tuple(basic), tuple(nonbasic))

    def leaving(self, c: int) -> int:
        """Return the row that becomes tight first when the variable of column ``c`` grows, ties broken by step 2."""
        best_t, best_b, ties = 0, 0, [-1]
        for i, row in enumerate(self.rows):
            t = row[c]
            if t > 0:
                ahead = row[-1] * best_t - best_b * t
                if not best_t or ahead < 0:
                    best_t, best_b, ties = t, row[-1], [i]
                elif not ahead:
                    ties.append(i)
        return ties[0] if len(ties) == 1 else self._least(c, ties)

    def _least(self, c: int, ties: list[int]) -> int:
        """Compare the shares of the tied rows in the enlarged right-hand sides, slack by slack."""
        n = len(self.nonbasic)
        column_of = {label: k for k, label in enumerate(self.nonbasic)}
        row_of = {self.basic[i]: i for i in ties}
        for slack in range(n, n + len(self.rows)):
            k = column_of.get(slack)
            if k is None:
                # A basic slack has a share in its own row alone, and that a positive one.
                ties = [i for i in ties if i != row_of.get(slack)]
            else:
                best_t, best_share, left = 0, 0, ties
                for i in ties:
                    t, share = self.rows[i][c], self.rows[i][k]
                    ahead = share * best_t - best_share * t
                    if not best_t or ahead < 0:
                        best_t, best_share, left = t, share, [i]
                    elif not ahead:
                        left.append(i)
                ties = left
            if len(ties) == 1:
                break
        return ties[0]


def whole(payoffs: Floats) -> tuple[list[Row], list[Fraction]]:
    """Return payoffs (own actions, the opponent's) as integers, each column shifted and scaled, and the units.

    A column runs from 0 up in units as large as possible, exactly; a constant one is 1. The opponent's strategy is in
    proportion to z over the units.
    """
    columns, units = [], []
    for column in payoffs.T.tolist():
        exact = [Fraction(value) for value in column]
        least = min(exact)
        shifted = [value - least for value in exact]
        common = math.lcm(*(value.denominator for value in shifted))
        numbers = [int(value * common) for value in shifted]
        unit = math.gcd(*numbers)
        columns.append([number // unit for number in numbers] if unit else [1] * len(numbers))
        units.append(Fraction(unit or 1, common))
    return [list(row) for row in zip(*columns, strict=True)], units


def bases_of(matrix: list[Row]) -> Iterator[Tableau]:
    """Visit every lexicographically feasible basis of {z >= 0: M z <= 1} once, depth first."""
    m, n = len(matrix), len(matrix[0])
    tableau = Tableau(tuple([*row, 1] for row in matrix), 1, tuple(range(n, n + m)), tuple(range(n)))
    seen = {tableau.key}
    path: list[tuple[list[tuple[int, int, int]], Tableau | None, int, int]] = []
    todo = _exits(tableau)
    yield tableau
    while True:
        step = next(((key, r, c) for key, r, c in _drain(todo) if key not in seen), None)
        if step is not None:
            key, r, c = step
            path.append((todo, tableau, r, c))
            if len(path) > _KEPT:
                path[-1 - _KEPT] = (path[-1 - _KEPT][0], None, *path[-1 - _KEPT][2:])
            tableau = tableau.pivoted(r, c)
            seen.add(key)
            yield tableau
            todo = _exits(tableau)
        elif path:
            todo, above, r, c = path.pop()
            tableau = tableau.pivoted(r, c) if above is None else above
        else:
            return


def _exits(tableau: Tableau) -> list[tuple[int, int, int]]:
    """Return for each column the neighbouring basis, as its key and the pivot that leads there."""
    key = tableau.key
    made = []
    for c, label in enumerate(tableau.nonbasic):
        r = tableau.leaving(c)
        made.append((key ^ (1 << label) ^ (1 << tableau.basic[r]), r, c))
    return made


def _drain(todo: list[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    while todo:
        yield todo.pop()


@dataclass(slots=True, eq=False)
class Vertices:
    """The vertices of a polytope: their points by the masks of all their tight labels, and the units of payoffs."""

    units: list[Fraction]
    points: dict[int, Sequence[int]] = field(default_factory=dict)

    def add(self, tableau: Tableau) -> None:
        """Keep the vertex of a basis, if it is a new one."""
        mask = tableau.tight()
        if mask not in self.points:
            self.points[mask] = tableau.point()

    def strategy(self, mask: int) -> Strategy:
        """Return the mixed strategy of a vertex other than the origin."""
        weights = [int(z) / unit for z, unit in zip(self.points[mask], self.units, strict=True)]
        total = sum(weights)
        return tuple(weight / total for weight in weights)


def vertices_of(payoffs: Floats) -> Vertices:
    """Return all vertices of the polytope of the opponent of who has these payoffs (own actions, the opponent's)."""
    matrix, units = whole(payoffs)
    found = Vertices(units)
    for tableau in bases_of(matrix):
        found.add(tableau)
    return found


def pairs_of(first: Vertices, second: Vertices) -> Iterator[list[tuple[int, int]]]:
    """Yield for each vertex of player 1's polytope the extreme equilibria with it, as pairs of masks; often none."""
    n, m = len(first.units), len(second.units)
    origin = (1 << n) - 1
    xs = [mask for mask in first.points if mask & origin != origin]
    ys = list(second.points)
    # Player 2's polytope numbers its own actions first.
    turned = [mask >> m | (mask & (1 << m) - 1) << n for mask in ys]
    for mask, partners in zip(xs, matches(xs, turned, n + m), strict=True):
        yield [(mask, ys[k]) for k in partners]


def extreme_equilibria(a: Floats, b: Floats) -> list[tuple[Strategy, Strategy]]:
    """Return all extreme equilibria of the payoffs ``a`` and ``b``, (n, m), as fractions; it takes what it takes."""
    first, second = vertices_of(b.T), vertices_of(a)
    pairs = sorted(pair for group in pairs_of(first, second) for pair in group)
    return [(first.strategy(x), second.strategy(y)) for x, y in pairs]


def matches(first: list[int], second: list[int], labels: int) -> Iterator[list[int]]:
    """Yield for each mask of the first list the indices of those of the second with which it has all ``labels``."""
    # For each label the set of those of the second list that have it, as one long integer.
    size = labels // 8 + 1
    masks = np.frombuffer(b"".join(mask.to_bytes(size, "little") for mask in second), np.uint8).reshape(-1, size)
    by_label = np.packbits(np.unpackbits(masks, axis=1, bitorder="little").T, axis=1, bitorder="little")
    having = [int.from_bytes(by_label[label].tobytes(), "little") for label in range(labels)]
    for mask in first:
        fitting = (1 << len(second)) - 1
        for label in range(labels):
            if not mask >> label & 1:
                fitting &= having[label]
                if not fitting:
                    break
        found = []
        while fitting:
            lowest = fitting & -fitting
            found.append(lowest.bit_length() - 1)
            fitting ^= lowest
        yield found


def components(pairs: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Return the connected parts of the bipartite graph with these edges, each as its edges, in their order."""
    parent: dict[tuple[int, int], tuple[int, int]] = {}

    def root(node: tuple[int, int]) -> tuple[int, int]:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for p, q in pairs:
        parent[root((0, p))] = root((1, q))
    parts: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for p, q in pairs:
        parts.setdefault(root((0, p)), []).append((p, q))
    return list(parts.values())


def nash_subsets(pairs: list[tuple[int, int]], most: int = 1000) -> int | None:
    """Return how many maximal Nash subsets (maximal cliques) there are; None when there may be more than ``most``."""
    number = {q: k for k, q in enumerate({q for _, q in pairs})}
    partners: dict[int, int] = {}
    for p, q in pairs:
        partners[p] = partners.get(p, 0) | 1 << number[q]
    # The second sides of the maximal cliques are the intersections of the vertices' partners.
    sides: set[int] = set()
    for mine in set(partners.values()):
        sides |= {mine & side for side in sides} | {mine}
        sides.discard(0)
        if len(sides) > most:
            return None
    return len(sides)
