"""Games of n players: ours beside Gambit's logit homotopy and its iterated polymatrix approximation.

Ours is a whole ``solve``, verification included; Gambit's is the call on a game that was built before, with five
players the building too, which takes longest there. Medians over several games of each kind.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from bench_games import row

from engine.games.games import FiniteGame, Profile
from engine.games.generators import covariant, random_game
from engine.games.options import SolveOptions
from engine.games.solve import solve
from engine.games.verify import gap_of

GAMES = 7
NO_PURE = {"pure": 0.0}
Times = tuple[float, float]  # milliseconds, worst relative gap


def rows(note: Callable[[str], None], seconds: float) -> list[dict[str, Any]]:
    """Return the rows; the one game of five players takes Gambit half a minute, once."""
    small = seconds < 0.1
    actions, count = (3, 2) if small else (10, GAMES)
    made = []
    kinds: list[tuple[str, Sequence[FiniteGame]]] = [
        ("uniform", [random_game((actions,) * 3, seed) for seed in range(count)]),
        ("covariant -0.45", [covariant((actions,) * 3, -0.45, seed) for seed in range(count)]),
    ]
    for kind, games in kinds:
        note(f"n players: 3 x {actions}, {kind}")
        logit, ipa = _gambit("logit", games), _gambit("ipa", games)
        name = f"3 players x 10 actions, {kind}"
        made += [
            _row(f"{name}, logit path", _ours("logit", games, seconds), "Gambit logit", logit, 10),
            _row(f"{name}, automatic", _ours("auto", games, seconds), "Gambit ipa", ipa, 3),
            _row(f"{name}, no pure check", _ours("auto", games, seconds, NO_PURE), "Gambit ipa", ipa, 3),
            _row(f"{name}, polymatrix", _ours("ipa", games, seconds), "Gambit ipa", ipa, None),
        ]
    note(f"n players: 5 x {actions}")
    five = [random_game((actions,) * 5, 4)]
    peer = _gambit("ipa", five, build=True)
    for what, given in (("automatic", {}), ("no pure check", NO_PURE)):
        ours = _ours("auto", five, seconds, given)
        made.append(_row(f"5 players x 10 actions, {what}", ours, "Gambit ipa with build", peer, 50))
    return made


def _row(name: str, ours: Times, peer_name: str, peer: Times | None, goal: float | None) -> dict[str, Any]:
    theirs = "not installed" if peer is None else f"{peer[1]:.0e}"
    note = f"largest relative gap: ours {ours[1]:.0e}, {peer_name} {theirs}"
    return row(name, ours[0], peer_name, None if peer is None else peer[0], goal=goal, note=note)


def _ours(
    method: str, games: Sequence[FiniteGame], seconds: float, parameters: dict[str, float] | None = None
) -> Times:
    options = SolveOptions(epsilon=1e-6, parameters=parameters or {})
    solve(games[0], method, options)  # compiled
    times: list[float] = []
    worst = 0.0
    begun = time.perf_counter()
    while not times or (time.perf_counter() - begun < seconds and len(times) < 50 * len(games)):
        for game in games:
            started = time.perf_counter()
            solution = solve(game, method, options)
            times.append(time.perf_counter() - started)
            worst = max(worst, solution.equilibria[0].gap.relative)
    return 1e3 * statistics.median(times), worst


def _gambit(method: str, games: Sequence[FiniteGame], *, build: bool = False) -> Times | None:
    try:
        import pygambit
    except ImportError:
        return None
    solver = {"logit": pygambit.nash.logit_solve, "ipa": pygambit.nash.ipa_solve}[method]
    times, worst = [], 0.0
    for game in games:
        begun = time.perf_counter()
        table = pygambit.Game.from_arrays(*game.to_tensor().tensors)
        built = time.perf_counter()
        found = solver(table).equilibria
        times.append(time.perf_counter() - (begun if build else built))
        worst = max(worst, min((gap_of(game, _profile(table, one)).relative for one in found), default=np.inf))
    return 1e3 * statistics.median(times), worst


def _profile(table: Any, found: Any) -> Profile:
    """Return a profile of Gambit's as ours."""
    made = [np.array([max(0.0, float(found[strategy])) for strategy in player.strategies]) for player in table.players]
    return tuple(strategy / strategy.sum() for strategy in made)
