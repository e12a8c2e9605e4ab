"""Lemke and Howson's pivoting for one equilibrium of a bimatrix game, safe on degenerate games.

Lemke and Howson (1964), "Equilibrium points of bimatrix games", Journal of the SIAM 12; two tableaux as in von Stengel
(2007), "Equilibrium computation for two-player games in strategic and extensive form", section 3.4. Pivots are capped
and the next label tried as in Codenotti, De Rossi and Pagan (2008), "An experimental analysis of Lemke-Howson
algorithm".

Labels: the rows 0..n-1, then the columns n..n+m-1. In the tableau of x a label is the probability of a row, or the
slack of a column that is no best response; in that of y it is the other way round. A pair of bases is an equilibrium
when every label is free in one of them. The path starts at the pair of all slacks, where both strategies are zero:

1. Bring the payoffs to [1, 2] by a shift and a power of two, which changes no equilibrium and no tie.
2. Drop a label: let it enter the tableau in which it is a probability.
3. Let the label leave that bounds it; of several the lexicographically least, so that no basis comes twice.
4. Let the label that left enter the other tableau, and go on with 3, until the label dropped has left.
5. Read the strategies off, check them against the payoffs, and solve the final basis again where rounding shows.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterator
from typing import NoReturn

import numpy as np
from numpy.typing import ArrayLike

from engine.core.errors import EngineError
from engine.games.errors import GameError
from engine.games.games import BimatrixGame, Floats, MatrixGame, Profile, payoff_array, regrets_from
from engine.games.options import SolveOptions
from engine.games.results import Outcome, Step, Steps
from engine.games.solvers.lemke_howson_path import DONE, FAIR, GOOD, MORE, REFUSED, CompiledPath, Path, writable
from engine.games.solvers.lemke_howson_tableau import Integers

LIMIT = 1_000_000  # pivots in all, unless told otherwise
CAP = 100_000  # pivots until the next label is tried, unless told otherwise
_CHUNK = 1 << 26  # entries changed from one step that is told to the next, where none is asked for: about 0.1 s


def lemke_howson(
    a: ArrayLike, b: ArrayLike, label: int = 0, *, cap: int = CAP, limit: int = LIMIT
) -> tuple[Floats, Floats]:
    """Return an equilibrium (x, y) of the bimatrix game ``a``, ``b``, both (n, m), payoffs of rows and columns.

    ``label``: the label dropped, 0 to n + m - 1. ``cap``: pivots after which the next label is tried; ``limit``: pivots
    in all. When rounding spoils the end of a path, the next label is tried, too.
    Raises GameError for payoffs or labels that cannot be used, EngineError when the limit was reached.
    """
    try:
        a, b = np.ascontiguousarray(a, dtype=np.float64), np.ascontiguousarray(b, dtype=np.float64)
    except (TypeError, ValueError):
        _refuse(a, b, label)
    if a.ndim != 2 or a.shape != b.shape or a.size == 0 or not 0 <= label < a.shape[0] + a.shape[1]:
        _refuse(a, b, label)
    if cap < 1 or limit < 1:
        raise GameError("The cap cannot be used", f"{min(cap, limit)} is below 1")
    status, _, state, x, y = _compiled()(writable(a), writable(b), int(label), int(cap), int(limit))
    if status == REFUSED:
        _refuse(a, b, label)
    if status != DONE:
        raise EngineError("No equilibrium was found", f"after {state[3]} pivots", "Allow more, or use logit tracing.")
    return x, y


@functools.cache
def _compiled() -> Callable[[Floats, Floats, int, int, int], tuple[int, float, Integers, Floats, Floats]]:
    """Import what is compiled, once: an import statement takes a tenth of a small game."""
    from engine.games.solvers.lemke_howson_jit import solve_alone

    return solve_alone


def steps(game: BimatrixGame | MatrixGame, options: SolveOptions) -> Steps:
    """Follow a path; a step a pivot. Parameters: ``label``, ``cap`` as in :func:`lemke_howson`."""
    both = game if isinstance(game, BimatrixGame) else game.to_bimatrix()
    label, cap = int(options.parameters.get("label", 0)), int(options.parameters.get("cap", CAP))
    if not 0 <= label < sum(both.sizes):
        _refuse(both.a, both.b, label)
    if cap < 1:
        raise GameError("The cap cannot be used", f"{cap} is below 1")
    limit = options.iterations or LIMIT
    outcome = yield from search(both, label, min(cap, limit), limit, options.stride)
    return outcome


def search(game: BimatrixGame, label: int, cap: int, limit: int, stride: int) -> Steps:
    """Follow one label's path after the other until one ends: all at the cap, then all at eight times as much."""
    done, best_gap = 0, np.inf
    best: tuple[Profile, ...] = ()
    why = f"{limit} pivots were not enough"
    for at, most in _schedule(sum(game.sizes), label, cap, limit):
        if done >= limit:
            break
        path = Path(game, at) if stride else CompiledPath(game, at)
        status = yield from _follow(path, min(most, limit - done), stride, done)
        done += path.pivots
        if status == DONE:
            profile, gap = path.finish()
            yield Step(done, profile, _nashconv(game, profile), path.note)
            if gap <= GOOD:
                return Outcome((profile,), iterations=done)
            if gap < best_gap:
                best, best_gap, why = (profile,), gap, "rounding errors led the paths astray"
    complete = best_gap <= FAIR
    return Outcome(best, iterations=done, complete=complete, message="" if complete else why)


def _schedule(labels: int, label: int, cap: int, limit: int) -> Iterator[tuple[int, int]]:
    """Yield labels and their caps, until all had the whole limit."""
    while True:
        yield from (((label + number) % labels, cap) for number in range(labels))
        if cap >= limit:
            return
        cap = min(8 * cap, limit)


def _follow(path: Path, most: int, stride: int, before: int) -> Generator[Step, None, int]:
    """Yield the path's steps and return how it ended."""
    chunk = stride or max(1, _CHUNK // path.game.a.size)
    status = MORE
    while status == MORE and path.pivots < most:
        status = path.advance(min(chunk, most - path.pivots))
        if status == MORE:
            profile = path.profile()
            yield Step(before + path.pivots, profile, _nashconv(path.game, profile), path.note)
    return status


def _nashconv(game: BimatrixGame, profile: Profile) -> float:
    return float(regrets_from(profile, game.payoff_vectors(profile)).sum())


def _refuse(a: ArrayLike, b: ArrayLike, label: int) -> NoReturn:
    """Raise the GameError that says what is wrong with the arguments."""
    rows, columns = payoff_array(a, 2, "payoff matrix of player 1"), payoff_array(b, 2, "payoff matrix of player 2")
    if rows.shape != columns.shape:
        raise GameError("The payoff matrices do not fit", f"their shapes are {rows.shape} and {columns.shape}")
    raise GameError("The label cannot be used", f"{label} is not between 0 and {sum(rows.shape) - 1}")
