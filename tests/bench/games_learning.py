"""Consensus games and learning dynamics: ours beside a plain use of NumPy, and QuantEcon's fictitious play."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from bench_games import row

from engine.games.consensus import ConsensusGame
from engine.games.games import Floats, MatrixGame
from engine.games.generators import random_consensus
from engine.games.options import SolveOptions
from engine.games.results import Solution
from engine.games.solve import solve
from engine.games.solvers.agreement_linear import agree

HARD = np.array([[3.0, 0, -3], [0, 3, -4], [0, 0, 1]])  # RM+ stalls on it
EXHAUST = 1e-15  # an epsilon that most dynamics do not reach, so that all iterations are done


def rows(note: Callable[[str], None], seconds: float) -> list[dict[str, Any]]:
    """Return the rows of consensus games, then those of learning."""
    small = seconds < 0.1
    return [*_consensus(note, seconds, *((20, 4) if small else (100, 64))), *_learning(note, seconds, small)]


def _consensus(note: Callable[[str], None], seconds: float, agents: int, dimension: int) -> list[dict[str, Any]]:
    general = random_consensus(agents, dimension, 1)
    alike = ConsensusGame(general.points, general.confidence)
    made = []
    for name, game in (("at random", general), ("alike", alike)):
        label = f"consensus, 100 agents in R^64, influence {name}"
        note(label)
        ours, found = _timed(lambda: agree(game.confidence, game.influence, game.points, game.points), seconds)  # noqa: B023
        peer, exact = _timed(lambda: _system(game), seconds)  # noqa: B023
        text = f"by {found.how}; the positions differ by {np.abs(found.positions - exact).max():.0e}"
        made.append(row(label, ours, "numpy.linalg.solve", peer, note=text))
    label = "consensus, 100 agents in R^64, to 1e-6, rate, verification"
    note(label)
    ours, solution = _timed(lambda: solve(general, options=SolveOptions(epsilon=1e-6)), seconds)
    peer, (count, gap) = _timed(lambda: _iterated(general, 1e-6), seconds)
    text = f"gap {solution.equilibria[0].gap.relative:.0e}, rate {solution.rate:.4f}; NumPy {gap:.0e} after {count}"
    return [*made, row(label, ours, "best responses in NumPy", peer, note=text)]


def _learning(note: Callable[[str], None], seconds: float, small: bool) -> list[dict[str, Any]]:
    made = []
    middle = np.random.default_rng(2).random((50, 50))
    for key, name, a in (
        ("rm+", "the hard 3x3", HARD),
        ("prm+", "the hard 3x3", HARD),
        ("rm+", "a random 50x50", middle),
        ("prm+", "a random 50x50", middle),
    ):
        label = f"{key} on {name}"
        note(label)
        ours, solution = _run(MatrixGame(a), key, 200 if small else 20_000, seconds)
        peer, gap = _timed(lambda: _regret_loop(a, key == "prm+", solution.iterations), seconds)  # noqa: B023
        made.append(_rated(label, ours, "the same loop in NumPy", peer, solution, f"{gap:.0e}"))
    label = "fictitious play on a random 50x50"
    note(label)
    ours, solution = _run(MatrixGame(middle), "fictitious-play", 100 if small else 5_000, seconds)
    peer, gap = _quantecon(middle, solution.iterations, seconds)
    return [*made, _rated(label, ours, "QuantEcon", peer, solution, f"{gap:.0e}")]


def _run(game: MatrixGame, key: str, iterations: int, seconds: float) -> tuple[float, Solution]:
    options = SolveOptions(epsilon=EXHAUST, iterations=iterations)
    return _timed(lambda: solve(game, key, options), seconds)


def _rated(label: str, ours: float, name: str, peer: float | None, solution: Solution, theirs: str) -> dict[str, Any]:
    rate = 1e3 * solution.iterations / ours
    gap = solution.equilibria[0].gap.relative
    text = f"{solution.iterations} iterations, verified; gap {gap:.0e}, the peer's {theirs}"
    return row(label, ours, name, peer, note=text, rate=rate, unit="iterations/s")


def _timed(work: Callable[[], Any], seconds: float) -> tuple[float, Any]:
    """Return the median time in milliseconds, after a first call that compiles, and what was computed."""
    made, times = work(), []
    while not times or (sum(times) < seconds and len(times) < 200):
        started = time.perf_counter()
        made = work()
        times.append(time.perf_counter() - started)
    return 1e3 * statistics.median(times), made


def _system(game: ConsensusGame) -> Floats:
    system = np.diag(game.confidence + game.influence.sum(axis=1)) - game.influence
    return np.linalg.solve(system, game.confidence[:, None] * game.points)


def _iterated(game: ConsensusGame, epsilon: float) -> tuple[int, float]:
    """Best responses by NumPy until the relative gap is reached: how many, and the gap."""
    weight = game.confidence + game.influence.sum(axis=1)
    pull, share = (game.confidence / weight)[:, None] * game.points, game.influence / weight[:, None]
    scale, x = weight / game.ranges(), game.points
    count = 0
    while True:
        best = pull + share @ x
        gap = float(scale @ ((best - x) ** 2).sum(axis=1))
        if gap <= epsilon:
            return count, gap
        x, count = best, count + 1


def _regret_loop(a: Floats, predictive: bool, iterations: int) -> float:
    """RM+ or PRM+, alternating, as one would write it; returns the relative gap of what is nearer, last or average."""
    a = (a - (a.max() + a.min()) / 2) / np.ptp(a)
    n, m = a.shape
    x, y, r, s = np.full(n, 1 / n), np.full(m, 1 / m), np.zeros(n), np.zeros(m)
    mean_x, mean_y = np.zeros(n), np.zeros(m)
    for t in range(1, iterations + 1):
        for first in (True, False):
            u = a @ y if first else -(x @ a)
            own, kept = (x, r) if first else (y, s)
            regret = u - own @ u
            kept = np.maximum(kept + regret, 0.0)
            wish = np.maximum(kept + regret, 0.0) if predictive else kept
            own = wish / wish.sum() if wish.sum() > 0 else own
            x, r, y, s = (own, kept, y, s) if first else (x, r, own, kept)
        mean_x += t * x
        mean_y += t * y
    mean_x, mean_y = mean_x / mean_x.sum(), mean_y / mean_y.sum()
    return float(min((a @ q).max() - (p @ a).min() for p, q in ((x, y), (mean_x, mean_y))))


def _quantecon(a: Floats, iterations: int, seconds: float) -> tuple[float | None, float]:
    try:
        import quantecon.game_theory as gt
    except ImportError:
        return None, np.nan
    play = gt.FictitiousPlay(gt.NormalFormGame((gt.Player(a), gt.Player(-a.T.copy()))))
    start = (np.full(len(a), 1 / len(a)), np.full(len(a[0]), 1 / len(a[0])))
    peer, (x, y) = _timed(lambda: play.play(actions=start, num_reps=iterations, tie_breaking="smallest"), seconds)
    return peer, float((a @ y).max() - (x @ a).min()) / float(np.ptp(a))
