"""Games of two players and polymatrix games: ours beside QuantEcon's Lemke-Howson and its Howson, on the same games.

Ours and theirs take turns, pass by pass, and the medians of the passes are compared. Theirs is called on games that
were built before; ours checks its arguments and its answer, and the batch verifies every game.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import quantecon.game_theory as peer
from bench_games import row

from engine.games.batch import solve_batch
from engine.games.games import BimatrixGame, FiniteGame, Profile
from engine.games.generators import covariant, random_polymatrix, savani_von_stengel
from engine.games.options import SolveOptions
from engine.games.solve import solve
from engine.games.solvers.lemke_howson import lemke_howson
from engine.games.verify import gap_of

BATCHES = ((8, 10), (3, None), (16, None))  # actions, goal
THEIRS = "QuantEcon lemke_howson"


def rows(note: Callable[[str], None], seconds: float) -> list[dict[str, Any]]:
    """Return the rows; with little time of small instances under the same names."""
    small = seconds < 0.1
    note("batches of bimatrix games")
    made = [_batch(f"1000 random {n}x{n}, one NE each", 20 if small else 1000, n, goal, seconds) for n, goal in BATCHES]
    for n in (8, 16, 32, 64):
        note(f"single games {n} x {n}")
        chance = np.random.default_rng(n)
        games = [BimatrixGame(*chance.random((2, n, n))) for _ in range(3 if small else 60)]
        made.append(_single(f"one game {n}x{n}, Lemke-Howson", games, seconds, 1))
    note("hard games of two players")
    made.append(_single("Savani-von Stengel 12x12", [savani_von_stengel(6 if small else 12)], seconds, 1))
    games = [_two(covariant((6, 6) if small else (48, 48), -0.8, seed)) for seed in range(2 if small else 8)]
    made.append(_composite("covariant -0.8 48x48, automatic", games, seconds))
    note("polymatrix games")
    made.append(_polymatrix(*((3, 2, 2) if small else (8, 4, 8)), seconds))
    return made


def _batch(name: str, count: int, n: int, goal: float | None, seconds: float) -> dict[str, Any]:
    a, b = np.random.default_rng(n).random((2, count, n, n))
    games = [BimatrixGame(a[k], b[k]) for k in range(count)]
    built = [_built(game) for game in games]
    ours, theirs = _in_turn(lambda: solve_batch(a, b), lambda: [peer.lemke_howson(game) for game in built], seconds)
    answer = solve_batch(a, b)
    gaps = f"largest relative gap: ours {answer.relative.max():.0e} (verified in that time), "
    gaps += f"QuantEcon {_worst(games, [peer.lemke_howson(game) for game in built]):.0e}"
    return row(name, ours, f"{THEIRS}, a loop", theirs, goal=goal, note=gaps)


def _single(name: str, games: Sequence[BimatrixGame], seconds: float, goal: float | None) -> dict[str, Any]:
    built = [_built(game) for game in games]
    ours, theirs = _in_turn(
        lambda: [lemke_howson(game.a, game.b) for game in games],
        lambda: [peer.lemke_howson(game) for game in built],
        seconds,
    )
    found = [lemke_howson(game.a, game.b) for game in games], [peer.lemke_howson(game) for game in built]
    return row(name, ours / len(games), THEIRS, theirs / len(games), goal=goal, note=_gaps(games, *found))


def _composite(name: str, games: Sequence[BimatrixGame], seconds: float) -> dict[str, Any]:
    built = [_built(game) for game in games]

    def automatic() -> list[Profile]:
        return [solve(game).equilibria[0].profile for game in games]

    ours, theirs = _in_turn(automatic, lambda: [peer.lemke_howson(game) for game in built], seconds)
    found = automatic(), [peer.lemke_howson(game) for game in built]
    told = f"{_gaps(games, *found)}; ours through solve(), verification included"
    return row(name, ours / len(games), THEIRS, theirs / len(games), note=told)


def _polymatrix(players: int, actions: int, count: int, seconds: float) -> dict[str, Any]:
    games = [random_polymatrix(players, actions, seed) for seed in range(count)]
    built = [peer.PolymatrixGame(dict(game.edges), nums_actions=list(game.sizes)) for game in games]

    def pivoted() -> list[Profile]:
        return [solve(game, "howson", SolveOptions()).equilibria[0].profile for game in games]

    def theirs() -> list[Any]:
        return [peer.polym_lcp_solver(game) for game in built]

    ours, slow = _in_turn(pivoted, theirs, seconds)
    told = f"{_gaps(games, pivoted(), theirs())}; ours through solve(), verification included"
    name = "polymatrix, 8 players x 4 actions"
    return row(name, ours / count, "QuantEcon polym_lcp_solver", slow / count, note=told)


def _in_turn(ours: Callable[[], object], theirs: Callable[[], object], seconds: float) -> tuple[float, float]:
    """Return the medians of both in milliseconds: by turns of equal length, after both were compiled."""
    times: tuple[list[float], list[float]] = ([], [])
    ours()
    theirs()
    begun, turn = time.perf_counter(), 0.0
    while len(times[1]) < 3 or (time.perf_counter() - begun < 2 * seconds and len(times[1]) < 500):
        for work, kept in zip((theirs, ours), times[::-1], strict=True):
            first = started = time.perf_counter()
            while not kept or started == first or started - first < turn:
                work()
                ended = time.perf_counter()
                kept.append(1e3 * (ended - started))
                started = ended
            turn = started - first if work is theirs else 0.0  # ours gets as long as one call of theirs took
    return statistics.median(times[0]), statistics.median(times[1])


def _built(game: BimatrixGame) -> Any:
    return peer.NormalFormGame([peer.Player(game.a), peer.Player(np.ascontiguousarray(game.b.T))])


def _two(game: FiniteGame) -> BimatrixGame:
    tensor = game.to_tensor()
    return BimatrixGame(*tensor.tensors)


def _gaps(games: Sequence[FiniteGame], ours: Sequence[Any], theirs: Sequence[Any]) -> str:
    return f"largest relative gap: ours {_worst(games, ours):.0e}, QuantEcon {_worst(games, theirs):.0e}"


def _worst(games: Sequence[FiniteGame], profiles: Sequence[Any]) -> float:
    return max(gap_of(game, tuple(profile)).relative for game, profile in zip(games, profiles, strict=True))
