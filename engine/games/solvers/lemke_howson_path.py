"""One label's path of Lemke and Howson, a pivot at a time: the NumPy reference, and the same through compiled code."""

from __future__ import annotations

import math

import numpy as np

from engine.games.games import BimatrixGame, Floats, Profile
from engine.games.solvers.lemke_howson_tableau import Tableau

REBUILD = 256  # pivots after which the tableaux are made anew from the payoffs
POLISH = 4e-15  # relative gap from which on the final basis is solved again
GOOD = 1e-12  # relative gap above which rounding led astray, and the next label is tried
FAIR = 1e-9  # ... and up to which the best of all labels is taken nevertheless
DONE, MORE, LOST, REFUSED = 1, 0, -1, -2


class Path:
    """The path of one label; steps are numbered as in :mod:`engine.games.solvers.lemke_howson`."""

    def __init__(self, game: BimatrixGame, label: int) -> None:
        self.game = game
        self.label = label
        self.pivots = 0
        self.note = f"Lemke-Howson, label {label + 1}"
        self._rows, self._columns = game.sizes
        # 2. The label dropped enters the tableau in which it is a probability.
        self._entering, self._second = label, label >= self._rows
        self._start()

    def _start(self) -> None:
        # 1. Payoffs in [1, 2].
        self._a, self._b = scaled(self.game.a), scaled(self.game.b)
        self._tableaux = self._fresh()

    def _fresh(self) -> tuple[Tableau, Tableau]:
        n, m = self.game.sizes
        return Tableau(self._b.T, np.ones(m), slacks=n, structurals=0), Tableau(self._a, np.ones(n), 0, n)

    def advance(self, limit: int) -> int:
        """Do at most ``limit`` pivots and return how it stands: DONE, MORE or LOST."""
        for _ in range(limit):
            if self.pivots % REBUILD == 0 and self.pivots:
                self._rebuild()
            # 3. and 4. The label that leaves enters the other tableau.
            leaving = self._tableaux[self._second].exchange(self._entering)
            if leaving < 0:
                return LOST
            self.pivots += 1
            self._entering, self._second = leaving, not self._second
            if leaving == self.label:
                return DONE
        return MORE

    def _rebuild(self) -> None:
        fresh = self._fresh()
        for old, new in zip(self._tableaux, fresh, strict=True):
            new.enter_all(old.place < 0)
        self._tableaux = fresh

    def profile(self) -> Profile:
        """Return the strategies here; who has none yet plays a best response, its first one."""
        n, m = self.game.sizes
        x, y = self._values()
        if not x.any() and not y.any():
            x = _unit(n, self.label % n)
        if not y.any():
            y = _unit(m, int((x @ self.game.b).argmax()))
        if not x.any():
            x = _unit(n, int((self.game.a @ y).argmax()))
        return x / x.sum(), y / y.sum()

    def _values(self) -> tuple[Floats, Floats]:
        first, second = self._tableaux
        return first.values(0, self._rows), second.values(self._rows, self._columns)

    def finish(self) -> tuple[Profile, float]:
        """Return the equilibrium at the end of the path and its gap, each regret by its player's range."""
        # 5. Read off, check, solve the final basis again.
        x, y = self._values()
        profile: Profile = (x / x.sum(), y / y.sum())
        gap = self._gap(profile)
        if gap > POLISH:
            first, second = self._tableaux
            again = (_solved(first, self._b.T, 0, profile[0]), _solved(second, self._a, self._rows, profile[1]))
            polished = self._gap(again)
            if polished < gap:
                return again, polished
        return profile, gap

    def _gap(self, profile: Profile) -> float:
        x, y = profile
        gap = 0.0
        for strategy, vector, matrix in ((x, self._a @ y, self._a), (y, x @ self._b, self._b)):
            gap += max(0.0, float(vector.max() - strategy @ vector)) / (float(matrix.max() - matrix.min()) or 1.0)
        return gap


class CompiledPath(Path):
    """The same path through :mod:`engine.games.solvers.lemke_howson_jit`, on the same arrays."""

    def __init__(self, game: BimatrixGame, label: int) -> None:
        from engine.games.solvers import lemke_howson_tableau_jit as jit
        from engine.games.solvers.lemke_howson_jit import advance

        super().__init__(game, label)
        self._pivot, self._make_anew = advance, jit.rebuild
        self._first, self._other = (jit.around(t.t, t.basic, t.free, t.place, t.slacks) for t in self._tableaux)
        self._given_a, self._given_b = writable(game.a), writable(game.b)
        self._in_a, self._in_b = jit.units_of(self._given_a), jit.units_of(self._given_b)
        self._state = np.array([label, int(self._second), label, 0])

    def advance(self, limit: int) -> int:
        """Do at most ``limit`` pivots and return how it stands: DONE, MORE or LOST."""
        status, end = MORE, self.pivots + limit
        while status == MORE and self.pivots < end:
            if self.pivots % REBUILD == 0 and self.pivots:
                self._make_anew(self._first, self._given_b, self._in_b)
                self._make_anew(self._other, self._given_a, self._in_a)
            part = min(end - self.pivots, REBUILD - self.pivots % REBUILD)
            status = self._pivot(self._first, self._other, self._state, part)
            self.pivots = int(self._state[3])
        return status


def writable(payoffs: Floats) -> Floats:
    """Return the array, a copy when it is read-only: for those Numba would compile everything once more."""
    return payoffs if payoffs.flags.writeable else payoffs.copy()


def scaled(payoffs: Floats) -> Floats:
    """Return the payoffs in [1, 2], by a shift and a power of two: what was an integer stays exact, and ties ties."""
    least, most = float(payoffs.min()), float(payoffs.max())
    exponent = math.frexp(most - least)[1] if most > least else 0
    return (payoffs - least) * math.ldexp(1.0, max(-1000, min(1000, -exponent))) + 1.0


def _unit(size: int, at: int) -> Floats:
    made = np.zeros(size)
    made[at] = 1.0
    return made


def _solved(tableau: Tableau, matrix: Floats, first: int, strategy: Floats) -> Floats:
    """Return the strategy on its basis' support that makes all tight constraints equal, solved from the payoffs."""
    ours = np.zeros(tableau.place.size, dtype=bool)
    ours[first : first + strategy.size] = True
    support = tableau.basic[ours[tableau.basic]] - first
    tight = tableau.free[~ours[tableau.free]] - tableau.slacks
    try:
        found = np.linalg.solve(matrix[np.ix_(tight, support)], np.ones(support.size))
    except np.linalg.LinAlgError:
        return strategy
    if not (np.isfinite(found).all() and found.max() > 0):
        return strategy
    made = np.zeros(strategy.size)
    made[support] = np.maximum(found, 0.0)
    return np.asarray(made / made.sum())
