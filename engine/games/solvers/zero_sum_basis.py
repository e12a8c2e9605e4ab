"""From a rough profile of a large matrix game to an exact one: its supports, mended by simplex pivots.

1. The actions that the rough profile plays are the guessed basis; one matrix inverse gives its tableau. Where those
   actions depend on each other (duplicates, games of low rank), pivots find an independent part of them.
2. The tableau covers these actions and the next best ones only, about half of a random game; the self-dual rule
   (:mod:`engine.games.solvers.simplex`) needs no more pivots than the guess has mistakes, in the order of magnitude.
3. Actions left out that would do better than the value are taken in, and so on (McMahan, Gordon and Blum 2003,
   "Planning in the presence of cost functions controlled by an adversary", the double oracle). It ends: no action is
   ever left out again.
4. Should rounding have spoilt the basis, it is inverted anew once, and at last its linear system solved with a
   refinement.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.games.games import Floats
from engine.games.options import SolveOptions
from engine.games.results import Steps
from engine.games.solvers.simplex import Labels, Tableau, compiled_pivot, pivoting
from engine.games.solvers.zero_sum_scale import gap_in, strategy

_SPARE = 0.4  # actions taken along, as a share of the guessed support
_LEAST_SPARE = 20
_BETTER = 1e-10  # by how much an action must beat the value to be taken in
_DEPENDENT = 0.01  # a smaller entry is no pivot for the first basis: it would make large numbers
_LARGEST = 1e7  # of an inverse; the payoffs are about 1
_RESTARTS = 1


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """Actions of one player: those ``used`` in the basis, and the ``spare`` ones that may come in."""

    used: Labels
    spare: Labels

    @property
    def all(self) -> Labels:
        """Both."""
        return np.concatenate((self.used, self.spare))


def choose(weights: Floats, payoffs: Floats, count: int) -> Chosen:
    """Return the ``count`` actions with the largest weights, and as spares those with the best payoffs."""
    order = np.lexsort((-payoffs, -weights))
    rest = order[count:]
    spare = rest[np.argsort(-payoffs[rest], kind="stable")][: int(_SPARE * count) + _LEAST_SPARE]
    return Chosen(order[:count], spare)


def form(matrix: Floats, rows: Chosen, columns: Chosen, seed: int) -> Tableau | None:
    """Return the tableau of a guessed basis, as many rows as columns; None where they depend on each other."""
    k, m = len(rows.used), matrix.shape[1]
    kernel = matrix[np.ix_(rows.used, columns.used)]
    try:
        inverse = np.linalg.inv(kernel)
    except np.linalg.LinAlgError:
        return None
    if not np.abs(inverse).max(initial=0.0) <= _LARGEST:
        return None
    table = np.empty((len(rows.all) + 2, len(columns.all) + 2))
    inner = table[:-2, :-2]
    inner[:k, :k] = inverse
    np.matmul(inverse, matrix[np.ix_(rows.used, columns.spare)], out=inner[:k, k:])
    left = matrix[np.ix_(rows.spare, columns.used)]
    np.matmul(-left, inverse, out=inner[k:, :k])
    inner[k:, k:] = matrix[np.ix_(rows.spare, columns.spare)]
    inner[k:, k:] -= left @ inner[:k, k:]
    table[:k, -2] = inverse.sum(axis=1)
    table[k:-2, -2] = 1.0 + inner[k:, :k].sum(axis=1)
    table[-2, :k] = -inverse.sum(axis=0)
    table[-2, k:-2] = 1.0 - inner[:k, k:].sum(axis=0)
    basic = np.concatenate((columns.used, m + rows.spare))
    free = np.concatenate((m + rows.used, columns.spare))
    made = Tableau(table, basic, free, matrix.shape)
    made.perturb(seed)
    return made


def crash(matrix: Floats, rows: Chosen, columns: Chosen, seed: int) -> Tableau:
    """Return the tableau of an independent part of a guessed basis, by one pivot an action."""
    n, m = len(rows.all), len(columns.all)
    table = np.zeros((n + 2, m + 2))
    table[:n, :m] = matrix[np.ix_(rows.all, columns.all)]
    table[:n, m] = table[n, :m] = 1.0
    made = Tableau(table, matrix.shape[1] + rows.all, columns.all, matrix.shape)
    exchange = compiled_pivot()
    waiting = np.arange(n) < len(rows.used)
    for column in range(len(columns.used)):
        entries = np.where(waiting, np.abs(table[:n, column]), 0.0)
        row = int(entries.argmax())
        if entries[row] > _DEPENDENT:
            exchange(table, row, column)
            made.basic[row], made.free[column] = made.free[column], made.basic[row]
            waiting[row] = False
    made.perturb(seed)
    return made


def mending(matrix: Floats, rows: Chosen, columns: Chosen, options: SolveOptions, done: int = 0) -> Steps:
    """Pivot from a guessed basis to the equilibrium of the whole scaled ``matrix``; steps count on from ``done``.

    The outcome is complete when its gap is within epsilon.
    """
    restarts = 0
    while True:
        tableau = form(matrix, rows, columns, options.seed) or crash(matrix, rows, columns, options.seed)
        outcome = yield from pivoting(matrix, tableau, options, done, 5 * sum(tableau.table.shape) + 500)
        done = outcome.iterations
        x, y = tableau.profile()
        up, down = matrix @ y, x @ matrix
        gap = gap_in(matrix, (x, y))
        if gap <= options.epsilon or 0 < options.iterations <= done:
            return replace(outcome, complete=gap <= options.epsilon)
        rows, more_rows = _next(tableau.supports()[0], rows.all, up - up[rows.all].max())
        columns, more_columns = _next(tableau.supports()[1], columns.all, down[columns.all].min() - down)
        if outcome.complete and (more_rows or more_columns):
            continue
        restarts += 1
        if restarts > _RESTARTS:
            return replace(outcome, profiles=(refined(matrix, rows.used, columns.used, (x, y)),), complete=False)


def _next(used: Labels, known: Labels, better_by: Floats) -> tuple[Chosen, bool]:
    """Return the basis, all that was known and what beats it, best first and at most as much again."""
    outside = better_by > _BETTER
    outside[known] = False
    found = np.flatnonzero(outside)
    found = found[np.argsort(-better_by[found], kind="stable")][: len(known)]
    spare = np.setdiff1d(known, used)
    return Chosen(used, np.concatenate((spare, found))), bool(len(found))


def refined(matrix: Floats, rows: Labels, columns: Labels, known: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Return the profile that solves the linear systems of a basis, unless ``known`` is better."""
    n, m = matrix.shape
    kernel = matrix[np.ix_(rows, columns)]
    weights = []
    for size, labels, square in ((n, rows, kernel.T), (m, columns, kernel)):
        try:
            found = np.linalg.solve(square, np.ones(len(square)))
            found += np.linalg.solve(square, 1.0 - square @ found)
        except np.linalg.LinAlgError:
            return known
        whole = np.zeros(size)
        whole[labels] = found
        weights.append(strategy(whole))
    made = (weights[0], weights[1])
    return made if gap_in(matrix, made) < gap_in(matrix, known) else known
