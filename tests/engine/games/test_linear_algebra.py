"""What the solvers have in SciPy's place, compared with SciPy: programs, sparse rows, factors, groups, conditions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.linalg import cho_solve
from scipy.optimize import linprog
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from engine.games.solvers import agreement_linear
from engine.games.solvers.cholesky import cholesky_solve
from engine.games.solvers.linear_program import Program, minimise
from engine.games.solvers.logit_reference import signed_solve, solution
from engine.games.solvers.sparse import SparseRows

INFINITE = np.inf


def few(chance: np.random.Generator, shape: tuple[int, int], share: float) -> Any:
    return np.where(chance.random(shape) < share, chance.normal(size=shape), 0.0)


# Sparse rows -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 1), (5, 9), (40, 30), (0, 4), (4, 0)])
@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_sparse_rows_multiply_as_scipys_do(shape: tuple[int, int], share: float) -> None:
    chance = np.random.default_rng(shape[0])
    matrix = few(chance, shape, share)
    ours, theirs = SparseRows.of(matrix), csr_array(matrix)
    assert ours.size == theirs.nnz and ours.width == shape[1]
    assert ours.starts.tolist() == theirs.indptr.tolist() and ours.columns.tolist() == theirs.indices.tolist()
    for x in (chance.random(shape[1]), chance.random((shape[1], 1)), chance.random((3, shape[1])).T):
        assert (ours @ x).shape == (matrix @ x).shape
        assert ours @ x == pytest.approx(theirs @ x, abs=1e-12)


def test_entries_come_in_any_order_and_zeros_are_left_out() -> None:
    rows, columns, values = np.array([2, 0, 2, 1]), np.array([1, 3, 0, 2]), np.array([5.0, 6.0, 7.0, 0.0])
    made = SparseRows.from_entries(rows, columns, values, (4, 5))
    assert made.size == 3 and made.starts.tolist() == [0, 1, 1, 3, 3]
    assert (made @ np.eye(5)).tolist() == coo_array((values, (rows, columns)), shape=(4, 5)).toarray().tolist()


# Linear programs -------------------------------------------------------------------------------------------------


def random_program(seed: int) -> Program:
    """A program with a solution: inequalities of both kinds, equations, free and bounded unknowns."""
    chance = np.random.default_rng(seed)
    n, m = int(chance.integers(3, 12)), int(chance.integers(2, 9))
    matrix = few(chance, (m, n), 0.6)
    middle = matrix @ (inside := chance.random(n))
    kind = chance.integers(0, 3, m)
    least, most = np.where(kind == 1, -INFINITE, middle), np.where(kind == 2, INFINITE, middle)
    lower = np.where(chance.random(n) < 0.3, inside - 2.0, 0.0)
    return Program(chance.normal(size=n), SparseRows.of(matrix), least, most, lower, np.full(n, 3.0))


def by_scipy(program: Program) -> Any:
    matrix = program.rows @ np.eye(program.rows.width)
    same = program.least == program.most
    below, above = np.isfinite(program.most) & ~same, np.isfinite(program.least) & ~same
    return linprog(
        program.cost,
        np.vstack((matrix[below], -matrix[above])),
        np.concatenate((program.most[below], -program.least[above])),
        matrix[same],
        program.most[same],
        list(zip(program.lower, program.upper, strict=True)),
        method="highs",
    )


@pytest.mark.parametrize("presolve", [True, False])
def test_programs_have_the_optimum_that_scipy_finds(presolve: bool) -> None:
    for seed in range(60):
        program = random_program(seed)
        ours, theirs = minimise(program, tolerance=1e-10, presolve=presolve), by_scipy(program)
        assert ours.optimal and ours.x is not None and ours.message == "optimal"
        assert program.cost @ ours.x == pytest.approx(theirs.fun, abs=1e-8)
        reached = program.rows @ ours.x
        assert (reached >= program.least - 1e-9).all() and (reached <= program.most + 1e-9).all()


def test_what_has_no_optimum_says_why() -> None:
    program = Program(
        np.array([-1.0]), SparseRows.of(np.ones((1, 1))), np.zeros(1), np.full(1, INFINITE), np.zeros(1), np.ones(1)
    )
    impossible = minimise(program._replace(least=np.full(1, 2.0)), tolerance=1e-9)
    assert impossible.x is None and not impossible.optimal and impossible.message == "infeasible"
    endless = minimise(program._replace(upper=np.full(1, INFINITE)), tolerance=1e-9)
    assert not endless.optimal and endless.message == "unbounded"
    refused = minimise(program._replace(rows=SparseRows.of(np.full((1, 1), 1e300))), tolerance=1e-9)
    assert refused.x is None and not refused.optimal and "too large" in refused.message


def test_the_time_limit_is_kept_and_said() -> None:
    chance = np.random.default_rng(1)
    rows = SparseRows.of(chance.random((200, 200)))
    bounds = np.full(200, -INFINITE), np.ones(200), np.zeros(200), np.full(200, INFINITE)
    found = minimise(Program(-np.ones(200), rows, *bounds), tolerance=1e-9, time_limit_s=1e-6)
    assert found.timed_out and not found.optimal and found.message == "time limit reached"


# Factors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 5, 64, 65, 200])
def test_a_cholesky_factor_solves_as_lapack_does(size: int) -> None:
    chance = np.random.default_rng(size)
    half = chance.normal(size=(size, size + 3))
    # As close to the end of an interior point run: rows of all sizes.
    units = 10.0 ** chance.uniform(-6, 6, size)
    matrix = units[:, None] * (half @ half.T + np.eye(size)) * units
    factor = np.linalg.cholesky(matrix)
    for right in (chance.normal(size=size), chance.normal(size=(size, 3)), np.asfortranarray(chance.random((size, 2)))):
        before = right.copy()
        ours, theirs = cholesky_solve(factor, right), cho_solve((factor, True), right)
        assert ours.shape == right.shape and (right == before).all()
        scale = units if right.ndim == 1 else units[:, None]
        assert scale * ours == pytest.approx(scale * theirs, rel=1e-8, abs=1e-10 * float(np.abs(scale * theirs).max()))


def test_the_sign_of_a_determinant_comes_with_the_solution() -> None:
    chance = np.random.default_rng(5)
    signs = set()
    for size in (1, 2, 5, 30):
        square, sides = chance.normal(size=(size, size)), chance.normal(size=(size, 2))
        sign, solved = signed_solve(square, sides)
        assert sign == np.sign(np.linalg.det(square)) and square @ solved == pytest.approx(sides, abs=1e-9)
        signs.add(sign)
    assert signs == {-1.0, 1.0}
    for spoilt in (np.zeros((2, 2)), np.full((2, 2), np.nan)):
        assert solution(spoilt, np.ones((2, 1))) is None and signed_solve(spoilt, np.ones((2, 1)))[0] == 0.0


# Groups and conditions of consensus games ------------------------------------------------------------------------


def test_groups_that_listen_only_to_themselves_are_those_of_scipy() -> None:
    for seed in range(200):
        chance = np.random.default_rng(seed)
        n = int(chance.integers(1, 14))
        listens = chance.random((n, n)) < chance.choice([0.05, 0.12, 0.3])
        count, group = connected_components(listens, directed=True, connection="strong")
        wanted = {
            tuple(np.flatnonzero(group == number))
            for number in range(count)
            if not listens[np.ix_(group == number, group != number)].any()
        }
        found = [tuple(np.flatnonzero(mine)) for mine in agreement_linear._closed_groups(listens)]
        assert len(found) == len(set(found)) and set(found) == wanted


def test_a_long_chain_of_listeners_ends_in_its_last() -> None:
    (mine,) = agreement_linear._closed_groups(np.eye(2000, k=1, dtype=bool))
    assert np.flatnonzero(mine).tolist() == [1999]


@pytest.mark.parametrize("symmetric", [False, True])
def test_elimination_takes_over_where_rounding_would_show(symmetric: bool) -> None:
    """The condition is that of the whole matrix: a few agents of little confidence do no harm."""
    chance = np.random.default_rng(2)
    weights = chance.random((40, 40))
    weights = (weights + weights.T) / 2 if symmetric else weights
    np.fill_diagonal(weights, 0.0)
    points = chance.normal(size=(40, 2))
    for weak, wanted in ((1, "Cholesky" if symmetric else "LU"), (40, "elimination without subtraction")):
        confidence = np.where(np.arange(40) < weak, 1e-12, 1.0)
        found = agreement_linear.agree(confidence, weights, points, points)
        assert found.how == wanted
        system = np.diag(weights.sum(axis=1)) - weights
        if weak == 1:
            exact = np.linalg.solve(system + np.diag(confidence), confidence[:, None] * points)
        else:  # all meet where the points are weighed by what is zero against the system
            weighed = np.linalg.svd(system.T)[2][-1]
            exact = np.broadcast_to(weighed @ points / weighed.sum(), points.shape)
        assert found.positions == pytest.approx(exact, abs=1e-10)
