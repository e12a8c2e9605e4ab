"""The unique equilibrium of a consensus game: a trace of best responses, then the exact answer of the linear system.

Steps:
1. With a stride, best responses from the start (the ideal points), to watch how the agents would get there.
2. To DIRECT agents the system is solved at once (:mod:`engine.games.solvers.agreement_linear`), beyond by Krylov
   iteration, each iterate a step, and at once where that stalls.
3. The rate of best responses is the spectral radius of :mod:`engine.games.solvers.agreement_rate`.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from engine.games.consensus import ConsensusGame
from engine.games.games import Floats
from engine.games.options import SolveOptions
from engine.games.results import Outcome, Step, Steps
from engine.games.solvers.agreement_krylov import bicgstab, conjugate_gradients, operator
from engine.games.solvers.agreement_linear import Agreement, agree, anchored
from engine.games.solvers.agreement_rate import convergence_rate
from engine.games.solvers.best_response import Iteration, start_of
from engine.games.solvers.pacing import batches

TRACE = 200  # best responses shown unless the options say how many
DIRECT = 2000  # agents up to which the system is factorised
KRYLOV = 500  # iterations before it is factorised all the same


def steps(game: ConsensusGame, options: SolveOptions) -> Steps:
    """Show best responses, then find the equilibrium; ``damping`` as in :mod:`engine.games.solvers.best_response`."""
    start = start_of(game, options)
    run = Iteration(game, start, options.parameters.get("damping"))
    yield Step(0, tuple(run.positions), run.gap, "best response")
    limit = (options.iterations or TRACE) if options.stride else 0
    for count in batches(limit, options.stride, 1.0):
        if run.relative <= options.epsilon:
            break
        run.advance(count, options.epsilon)
        yield Step(run.count, tuple(run.positions), run.gap, "best response")
    iterations = run.count
    found = None
    if len(start) > DIRECT and anchored(game.confidence, game.influence).all():
        found, iterations = yield from _krylov(game, start, iterations)
    if found is None:
        found = agree(game.confidence, game.influence, game.points, start)
    profile = tuple(found.positions)
    yield Step(iterations + 1, profile, float(game.regrets(profile).sum()), found.how)
    message = _free_sentence(game, found) if found.free.any() else f"exact, by {found.how}"
    return Outcome(
        (profile,),
        iterations=iterations + 1,
        complete=not found.free.any(),
        message=message,
        rate=convergence_rate(game),
    )


def _krylov(game: ConsensusGame, start: Floats, done: int) -> Generator[Step, None, tuple[Agreement | None, int]]:
    """Iterate on the linear system from ``start``; None where KRYLOV iterations are not enough."""
    weight = game.confidence + game.influence.sum(axis=1)
    centre = np.median(game.points, axis=0)
    right = (game.confidence / weight)[:, None] * (game.points - centre)
    apply = operator(weight, game.influence)
    symmetric = np.array_equal(game.influence, game.influence.T)
    method = "conjugate gradients" if symmetric else "BiCGSTAB"
    x = start - centre
    iterates = conjugate_gradients(apply, weight, right, x) if symmetric else bicgstab(apply, right, x)
    for _, (x, residual) in zip(range(KRYLOV), iterates, strict=False):
        done += 1
        yield Step(done, tuple(x + centre), float(weight @ (residual**2).sum(axis=1)), method)
    true = right - apply(x)  # the recurrence for the residual drifts
    if float(np.abs(true).max()) > 1e-9 * max(float(np.abs(right).max()), 1e-300):
        return None, done
    return Agreement(x + centre, np.zeros(len(x), dtype=bool), method), done


def _free_sentence(game: ConsensusGame, found: Agreement) -> str:
    names = [name for name, free in zip(game.players, found.free, strict=True) if free]
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return (
        f"no confident agent reaches {shown}, so this is one of infinitely many equilibria: "
        "the one that damped best responses approach from the start"
    )
