"""Writes tests/vectors/games_extreme.json: small games with all their extreme equilibria, as Gambit finds them.

Run once, where Gambit is installed: ``python tests/engine/games/make_extreme_vectors.py``. Gambit lists some of them
twice in degenerate games; here each stands once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pygambit

FILE = Path(__file__).parents[2] / "vectors" / "games_extreme.json"


def extreme(a: Any, b: Any) -> list[list[str]]:
    """Return the extreme equilibria of integer payoffs as ["1/2 1/2 0", "1 0"], sorted."""
    game = pygambit.Game.from_arrays(np.asarray(a, int), np.asarray(b, int))
    players = list(game.players)
    found = {
        tuple(" ".join(str(profile[strategy]) for strategy in player.strategies) for player in players)
        for profile in pygambit.nash.enummixed_solve(game, rational=True).equilibria
    }
    return sorted(map(list, found))


def games() -> list[tuple[str, Any, Any]]:
    """Return games of few values, where ties are common, of many, and of special forms."""
    chance = np.random.default_rng(1979)
    made = []
    for most, count in ((1, 60), (2, 80), (4, 60), (99, 60)):
        for _ in range(count):
            shape = tuple(chance.integers(1, 6, 2).tolist())
            made.append((f"0 to {most}", chance.integers(0, most + 1, shape), chance.integers(0, most + 1, shape)))
    for _ in range(20):
        a = chance.integers(-3, 4, tuple(chance.integers(2, 6, 2).tolist()))
        made.append(("zero-sum", a, -a))
    for _ in range(20):
        a, b = chance.integers(0, 6, (2, 3, 4))
        rows, columns = chance.integers(0, 3, 4), chance.integers(0, 4, 5)
        made.append(("with duplicates", a[np.ix_(rows, columns)], b[np.ix_(rows, columns)]))
    return made


def main() -> None:
    """Write the file."""
    lines = [
        json.dumps({"kind": kind, "a": a.tolist(), "b": b.tolist(), "equilibria": extreme(a, b)})
        for kind, a, b in games()
    ]
    FILE.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
