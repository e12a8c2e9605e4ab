"""All equilibria of two-player games: ours beside QuantEcon's vertex enumeration, and Gambit's where degenerate."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import quantecon.game_theory as quantecon
from bench_games import row

from engine.games.games import BimatrixGame, Floats
from engine.games.reference import references
from engine.games.solvers.vertices import all_equilibria

Pairs = Sequence[tuple[Floats, Floats]]
Game = tuple[Floats, Floats]
Finder = Callable[[Floats, Floats], Pairs]


def rows(note: Callable[[str], None], seconds: float) -> list[dict[str, Any]]:
    """Return the rows: generic games, games that are not random, and degenerate ones, where finding all counts."""
    made = []
    for name, games, goal in _generic():
        note(f"all equilibria: {name}")
        made.append(_against("QuantEcon", _quantecon, name, games, goal, seconds))
    peer = _gambit()
    for name, game in _degenerate():
        note(f"all equilibria: {name}")
        made.append(_exactly(peer, name, game, seconds))
    return made


def _generic() -> list[tuple[str, list[Game], float | None]]:
    chance = np.random.default_rng(0)
    eight = [(a, b) for a, b in chance.random((20, 2, 8, 8))]
    twelve = [(a, b) for a, b in chance.random((5, 2, 12, 12))]
    covariant = []
    for a, noise in chance.normal(size=(20, 2, 8, 8)):
        covariant.append((a, -0.7 * a + 0.3 * noise))
    return [
        ("all NE of random 8x8", eight, 1.0),
        ("all NE of covariant 8x8", covariant, None),
        ("all NE of random 12x12", twelve, None),
        ("all 75 NE of von Stengel's 6x6", [_reference("stengel")], None),
    ]


def _degenerate() -> list[tuple[str, Game]]:
    chance = np.random.default_rng(1)
    few, more = chance.integers(0, 3, (2, 8, 8)) * 1.0, chance.integers(0, 4, (2, 7, 7)) * 1.0
    return [
        ("Winkels' degenerate 6x2", _reference("winkels")),
        ("zero 2x2", (np.zeros((2, 2)), np.zeros((2, 2)))),
        ("degenerate 7x7 of 0 to 3", (more[0], more[1])),
        ("degenerate 8x8 of 0 to 2", (few[0], few[1])),
    ]


def _reference(key: str) -> Game:
    game = next(known.game for known in references() if known.key == key)
    assert isinstance(game, BimatrixGame)
    return game.a, game.b


def _against(
    peer: str, finder: Finder, name: str, games: list[Game], goal: float | None, seconds: float
) -> dict[str, Any]:
    """Time both on the same generic games, after one look at whether they found the same."""
    ours, theirs = [all_equilibria(a, b) for a, b in games], [finder(a, b) for a, b in games]
    same = sum(len(mine) == len(other) for mine, other in zip(ours, theirs, strict=True))
    gaps = [
        max(_regret(game, pair) for game, found in zip(games, each, strict=True) for pair in found)
        for each in (ours, theirs)
    ]
    mine, other = _medians([all_equilibria, finder], games, seconds)
    counts = (
        f"as many equilibria in {same} of {len(games)} games"
        if len(games) > 1
        else f"{len(theirs[0])} of {len(ours[0])}"
    )
    return row(
        name, mine, peer, other, goal=goal, note=f"{counts}; largest regret ours {gaps[0]:.0e}, peer {gaps[1]:.0e}"
    )


def _exactly(gambit: Finder | None, name: str, game: Game, seconds: float) -> dict[str, Any]:
    """Time a degenerate game beside Gambit in rational arithmetic, and count what QuantEcon finds of it."""
    found = all_equilibria(*game)
    partly = len(_distinct(_quantecon(*game)))
    counts = f"extreme equilibria: ours {len(found)}, QuantEcon {partly}"
    if gambit is None:
        return row(name, _medians([all_equilibria], [game], seconds)[0], "Gambit", None, note=counts)
    all_of_them = gambit(*game)
    counts += f", Gambit {len(_distinct(all_of_them))}"
    twice = len(all_of_them) - len(_distinct(all_of_them))
    mine, other = _medians([all_equilibria, gambit], [game], seconds)
    return row(name, mine, "Gambit", other, note=counts + (f" and {twice} of them twice" if twice else ""))


def _quantecon(a: Floats, b: Floats) -> Pairs:
    players = quantecon.Player(a), quantecon.Player(np.ascontiguousarray(b.T))
    found: Pairs = quantecon.vertex_enumeration(quantecon.NormalFormGame(players))
    return found


def _gambit() -> Finder | None:
    try:
        import pygambit
    except ImportError:
        return None

    def run(a: Floats, b: Floats) -> Pairs:
        table = pygambit.Game.from_arrays((2 * a).astype(int), (2 * b).astype(int))  # Winkels has halves
        return [
            tuple(np.array([float(profile[action]) for action in player.strategies]) for player in table.players)  # type: ignore[misc]
            for profile in pygambit.nash.enummixed_solve(table, rational=True).equilibria
        ]

    return run


def _distinct(pairs: Pairs) -> set[bytes]:
    return {(np.concatenate(pair).round(9) + 0.0).tobytes() for pair in pairs}


def _regret(game: Game, pair: tuple[Floats, Floats]) -> float:
    a, b = game
    x, y = pair
    return max(float((a @ y).max() - x @ a @ y) / np.ptp(a), float((x @ b).max() - x @ b @ y) / np.ptp(b))


def _medians(finders: list[Finder], games: list[Game], seconds: float) -> list[float]:
    """Return the milliseconds of each, medians over the games, one finder after the other on each."""
    times: list[list[float]] = [[] for _ in finders]
    until = time.perf_counter() + seconds * len(finders)
    while time.perf_counter() < until or not times[-1]:
        for a, b in games:
            for finder, spent in zip(finders, times, strict=True):
                started = time.perf_counter()
                finder(a, b)
                spent.append(time.perf_counter() - started)
            if time.perf_counter() > until:
                break
    return [1e3 * statistics.median(spent) for spent in times]
