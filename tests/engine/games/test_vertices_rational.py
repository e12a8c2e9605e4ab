"""The exact search for all equilibria: fractions against Gambit's, every vertex once, integers that stay integers."""

from __future__ import annotations

import itertools
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.games.games import BimatrixGame
from engine.games.solve import solve
from engine.games.solvers import rational, rational_jit, vertices_jit

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "games_extreme.json").read_text(encoding="utf-8")
)
SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 4))
quick = settings(max_examples=60, deadline=None, derandomize=True)


def by_elimination(rows: list[list[Fraction]], right: list[Fraction]) -> list[Fraction] | None:
    """Solve a square system of equations; None where it is singular."""
    size = len(rows)
    table = [[*row, value] for row, value in zip(rows, right, strict=True)]
    for k in range(size):
        at = next((i for i in range(k, size) if table[i][k]), None)
        if at is None:
            return None
        table[k], table[at] = table[at], table[k]
        table[k] = [value / table[k][k] for value in table[k]]
        for i in range(size):
            if i != k and table[i][k]:
                table[i] = [p - table[i][k] * q for p, q in zip(table[i], table[k], strict=True)]
    return [row[-1] for row in table]


def vertices_by_definition(matrix: list[list[int]]) -> dict[int, tuple[Fraction, ...]]:
    """All vertices of {z >= 0: M z <= 1}, by their tight labels: every n inequalities that meet in a point of it."""
    m, n = len(matrix), len(matrix[0])
    normals = [[Fraction(-(i == j)) for j in range(n)] for i in range(n)] + [
        [Fraction(v) for v in row] for row in matrix
    ]
    bounds = [Fraction(0)] * n + [Fraction(1)] * m
    made = {}
    for tight in itertools.combinations(range(n + m), n):
        z = by_elimination([normals[i] for i in tight], [bounds[i] for i in tight])
        if z is None:
            continue
        slack = [
            bound - sum(p * q for p, q in zip(row, z, strict=True)) for row, bound in zip(normals, bounds, strict=True)
        ]
        if min(slack) >= 0:
            made[sum(1 << i for i, value in enumerate(slack) if not value)] = tuple(z)
    return made


def test_small_games_have_the_very_fractions_that_gambit_found() -> None:
    assert len(VECTORS) == 300
    assert sum(len(game["equilibria"]) for game in VECTORS) > 900
    for game in VECTORS:
        ours = rational.extreme_equilibria(np.array(game["a"], float), np.array(game["b"], float))
        told = [[" ".join(str(share) for share in strategy) for strategy in pair] for pair in ours]
        assert sorted(told) == game["equilibria"]


@quick
@given(arrays(float, SHAPES, elements=st.integers(0, 3).map(float)))
def test_all_vertices_are_found_with_all_their_labels(payoffs: Any) -> None:
    matrix, units = rational.whole(payoffs)
    keys = [tableau.key for tableau in rational.bases_of(matrix)]
    assert len(keys) == len(set(keys)), "no basis twice"
    found = rational.vertices_of(payoffs)
    assert found.units == units
    known = vertices_by_definition(matrix)
    assert set(found.points) == set(known)
    for mask, point in found.points.items():
        if any(point):
            total = sum(z / unit for z, unit in zip(known[mask], units, strict=True))
            assert found.strategy(mask) == tuple(z / unit / total for z, unit in zip(known[mask], units, strict=True))


@quick
@given(arrays(float, SHAPES, elements=st.floats(-1e3, 1e3)))
def test_payoffs_are_kept_exactly(payoffs: Any) -> None:
    matrix, units = rational.whole(payoffs)
    for column, numbers, unit in zip(payoffs.T.tolist(), zip(*matrix, strict=True), units, strict=True):
        least = min(Fraction(value) for value in column)
        if len(set(column)) > 1:
            assert [Fraction(value) - least for value in column] == [number * unit for number in numbers]
        else:
            assert set(numbers) == {1}


def test_a_pivot_and_back_is_the_same_tableau() -> None:
    matrix = np.random.default_rng(2).integers(1, 9, (5, 4)).tolist()
    for tableau in itertools.islice(rational.bases_of(matrix), 30):
        for c in range(4):
            r = tableau.leaving(c)
            there = tableau.pivoted(r, c)
            back = there.pivoted(r, c)
            assert (back.rows, back.det, back.basic) == (tableau.rows, tableau.det, tableau.basic)
            assert there.det > 0
            assert all(row[-1] >= 0 for row in there.rows), "still feasible"


def test_a_long_path_comes_back_to_where_tableaus_were_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = np.random.default_rng(3).integers(0, 9, (6, 6)).tolist()
    whole = {tableau.key: tableau.rows for tableau in rational.bases_of(matrix)}
    monkeypatch.setattr(rational, "_KEPT", 1)
    again = {tableau.key: tableau.tight() for tableau in rational.bases_of(matrix)}
    assert set(again) == set(whole)


@quick
@given(arrays(float, st.tuples(st.integers(1, 5), st.integers(1, 5)), elements=st.integers(0, 4).map(float)))
def test_the_compiled_search_is_the_clear_one(payoffs: Any) -> None:
    matrix, _ = rational.whole(payoffs)
    bases = list(rational.bases_of(matrix))
    # A table of eight slots must grow on the way.
    code, walk = rational_jit.run(rational_jit.start(np.array(matrix), 8), 1 << 20)
    count = int(walk.state[rational_jit.VISITED])
    assert code == rational_jit.DONE
    assert set(walk.table[walk.table != 0].tolist()) == {tableau.key for tableau in bases}
    assert set(walk.counts[walk.table != 0].tolist()) == {payoffs.shape[1]}, "met once from each neighbour"
    found = zip(walk.masks[:count].tolist(), walk.points[:count].tolist(), strict=True)
    known = rational.vertices_of(payoffs)
    for mask, point in found:
        wanted = known.points[mask]
        assert all(p * sum(wanted) == q * sum(point) for p, q in zip(point, wanted, strict=True))


def test_numbers_that_outgrow_the_compiled_search_are_taken_as_long_as_they_are() -> None:
    chance = np.random.default_rng(7)
    a, b = chance.integers(0, 40_000, (2, 6, 6)) * 1.0
    a[1], b[:, 2] = a[0], b[:, 3]  # a row and a column twice
    matrix, _ = rational.whole(a)
    code, _ = rational_jit.run(rational_jit.start(np.array(matrix), 64), 1 << 20)
    assert code == rational_jit.TOO_LARGE
    solution = solve(BimatrixGame(a, b), "vertices")
    exact = rational.extreme_equilibria(a, b)
    assert len(solution.equilibria) == len(exact)
    for item, pair in zip(solution.equilibria, exact, strict=True):
        for strategy, fractions in zip(item.profile, pair, strict=True):
            assert strategy.tolist() == pytest.approx([float(share) for share in fractions], abs=1e-15)


def test_matching_needs_no_more_than_all_labels() -> None:
    assert list(rational.matches([0b0011, 0b0111, 0], [0b1100, 0b1000, 0b1110], 4)) == [[0, 2], [0, 1, 2], []]
    assert list(rational.matches([0b01], [], 2)) == [[]]
    wide = (1 << 100) - 1
    assert list(rational.matches([1 << 99, wide], [wide >> 1, wide >> 2], 100)) == [[0], [0, 1]]


def test_components_and_maximal_subsets() -> None:
    chain = [(1, 10), (1, 20), (2, 20)]  # two segments that share a corner
    square = [(5, 50), (5, 60), (6, 50), (6, 60)]
    assert sorted(map(sorted, rational.components([*chain, *square, (7, 70)]))) == [chain, square, [(7, 70)]]
    assert rational.nash_subsets(chain) == 2
    assert rational.nash_subsets(square) == 1
    assert rational.nash_subsets([*chain, *square, (7, 70)]) == 4
    crown = [(p, q) for p in range(14) for q in range(14) if p != q]
    assert rational.nash_subsets(crown) is None, "too many to count"


@pytest.mark.parametrize("seed", range(4))
def test_where_fp64_has_no_doubt_it_has_the_very_labels_of_exact_arithmetic(seed: int) -> None:
    chance = np.random.default_rng(seed)
    sure = 0
    for round_ in range(150):
        shape = tuple(chance.integers(1, 7, 2).tolist())
        a, b = chance.integers(0, chance.integers(2, 6), (2, *shape)) * 1.0
        noise = 10.0 ** -chance.integers(5, 16) * chance.normal(size=(2, *shape))
        if round_ % 3 == 0:  # nearly degenerate
            a, b = a + noise[0], b + noise[1]
        elif round_ % 3 == 1:  # badly scaled
            a, b = a * 10.0 ** chance.integers(-8, 9, (shape[0], 1)), b * 10.0 ** chance.integers(-8, 9, (1, shape[1]))
        else:  # nearly of rank one: bases are nearly singular
            parts = [chance.normal(size=(size, 1)) for size in (*shape, *shape)]
            a, b = parts[0] @ parts[1].T + noise[0], parts[2] @ parts[3].T + noise[1]
        theirs = np.ascontiguousarray(b.T)
        code, keys, _, _ = vertices_jit.both(a, theirs, np.empty(4096, np.int64), 1 << 20)
        if code == vertices_jit.DONE:
            sure += 1
            first, second = rational.vertices_of(theirs), rational.vertices_of(a)
            exact = [x for group in rational.pairs_of(first, second) for x, _ in group]
            assert sorted(keys.tolist()) == sorted(exact)
    assert sure > 30
