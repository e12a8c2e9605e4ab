"""Robust agreement: agents whose ideal points lie far off move the others by little, or not at all.

A rule looks at the ideal points and takes the influence of outvoted agents away. What is left is a consensus game of
its own (:mod:`engine.games.solvers.robust_game`), the answer its exact Nash equilibrium: verified there, and its gap in
the game as given is told too. Every agent minds the others as much as before, only fewer of them.

* ``trimmed``: in every coordinate, without the extremes. Parameter ``byzantine``: how many agents may lie, by default
  the largest f with n >= 3 f + 1.
* ``median``: all cut but the middle.
* ``trust``: agent j's influence times a trust that falls with the distance of its ideal point from the coordinatewise
  median of all. The scale s is the distance within which all but ``byzantine`` agents lie; trust is 1 up to s and falls
  to 0 at REACH s as Tukey's biweight does (Beaton, Tukey (1974), "The fitting of power series").

With at most f liars among n >= 3 f + 1 agents that influence alike, whatever they say, an honest agent's position stays
in the box around the honest ideal points (trimmed, median: nobody outside of it is heard, neither by those who are
heard), or within 1 + REACH times the diagonal of that box from it (trust: the median lies in the box, so s is at most
its diagonal). With no liar to expect, trimmed and trust are the plain equilibrium.

Steps:
1. With a stride, best responses in the reduced game from the start, to watch.
2. The linear system of the reduced game, a block of coordinates with the same influence at a time.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from engine.games.consensus import ConsensusGame
from engine.games.errors import GameError
from engine.games.games import Floats
from engine.games.options import SolveOptions
from engine.games.results import Outcome, Step, Steps
from engine.games.solvers.agreement_linear import agree
from engine.games.solvers.best_response import start_of
from engine.games.solvers.pacing import batches
from engine.games.solvers.robust_game import ReducedGame, byzantine_cut, filled_up, half_cut

REACH = 3.0
TRACE = 200  # best responses shown unless the options say how many
SLOW = 2e8  # multiplications in blocks of coordinates until a step is told


def trimmed(game: ConsensusGame, options: SolveOptions) -> Steps:
    """Agree without the extremes of each coordinate."""
    cut = byzantine_cut(game.influence, _byzantine(game, options))
    return (yield from _steps(ReducedGame(game, cut=cut), options))


def median(game: ConsensusGame, options: SolveOptions) -> Steps:
    """Agree with the medians of each coordinate."""
    return (yield from _steps(ReducedGame(game, cut=half_cut(game.influence)), options))


def trust(game: ConsensusGame, options: SolveOptions) -> Steps:
    """Agree with those who are near the median of all."""
    trusted = game.influence * trust_of(game.points, _byzantine(game, options))
    return (yield from _steps(ReducedGame(game, influence=filled_up(trusted, game.influence)), options))


def trust_of(points: Floats, byzantine: int) -> Floats:
    """Return the trust (n,) in agents with these ideal points (n, d), of whom ``byzantine`` may lie."""
    away = np.sqrt(((points - np.median(points, axis=0)) ** 2).sum(axis=1))
    scale = np.sort(away)[len(points) - 1 - byzantine]
    beyond = np.maximum(away - scale, 0.0)
    reach = (REACH - 1.0) * scale
    fallen = np.minimum(1.0, beyond / reach) if reach > 0 else (beyond > 0).astype(np.float64)
    return np.asarray((1.0 - fallen**2) ** 2)


def _byzantine(game: ConsensusGame, options: SolveOptions) -> int:
    count = len(game.points)
    given = options.parameters.get("byzantine", (count - 1) // 3)
    if given not in range(count):
        raise GameError("The parameter byzantine cannot be used", f"{given} is none of 0 to {count - 1}")
    return int(given)


def _steps(reduced: ReducedGame, options: SolveOptions) -> Steps:
    game = reduced.base
    x = np.array(start_of(game, options))
    yield _step(game, 0, x, "robust best response")
    done = 0
    cost = float(game.influence.size * x.shape[1])
    for count in batches((options.iterations or TRACE) if options.stride else 0, options.stride, cost):
        last = x
        for _ in range(count):
            last, x = x, reduced.best_responses(x)
        done += count
        yield _step(game, done, x, "robust best response")
        if float(np.abs(x - last).max()) <= 1e-12 * float(np.abs(x).max()):
            break
    free, done = yield from _exact(reduced, x, start_of(game, options), done)
    return _outcome(reduced, x, done, free)


def _exact(reduced: ReducedGame, x: Floats, start: Floats, done: int) -> Generator[Step, None, tuple[bool, int]]:
    """Write the equilibrium to x; return whether it is one of many, and the iterations so far."""
    game, free, spent = reduced.base, False, 0.0
    for block, influence in reduced.parts():
        found = agree(game.confidence, influence, game.points[:, block], start[:, block])
        x[:, block] = found.positions
        free = free or bool(found.free.any())
        spent += len(x) ** 3 / 3
        if spent > SLOW and block.stop < x.shape[1]:
            done, spent = done + 1, 0.0
            yield _step(game, done, x, "exact")
    yield _step(game, done + 1, x, "exact")
    return free, done + 1


def _step(game: ConsensusGame, iteration: int, x: Floats, note: str) -> Step:
    profile = tuple(x.copy())
    return Step(iteration, profile, float(game.regrets(profile).sum()), note)


def _outcome(reduced: ReducedGame, x: Floats, done: int, free: bool) -> Outcome:
    """Say who was outvoted or left out, and how good the answer is in either game."""
    game, profile = reduced.base, tuple(x)
    inside, outside = float(reduced.regrets(profile).sum()), float(game.regrets(profile).sum())
    outvoted = [name for name, share in zip(game.players, reduced.shares(), strict=True) if share <= 0]
    said = f"not heard by anybody: {_list(outvoted)}" if outvoted else "everybody is heard by somebody"
    said += f"; NashConv {inside:.3g} with the influence that is left, {outside:.3g} in the game as given"
    if free:
        said += "; it is one of many, as no confident agent reaches everybody"
    if game.excluded:
        said += f"; left out, having sent no usable position: {_list(list(game.excluded))}"
    return Outcome((profile,), iterations=done, complete=not free, message=said, reduced=reduced)


def _list(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
