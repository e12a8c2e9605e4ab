"""Zero-sum matrix games: ours beside HiGHS (through SciPy) and QuantEcon, whichever is the fastest of those named."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from bench_games import row

from engine.games.games import Floats, MatrixGame
from engine.games.generators import colonel_blotto, random_zero_sum
from engine.games.options import SolveOptions
from engine.games.solve import solve
from engine.games.solvers.simplex import solve_matrix

Peer = Callable[[Floats], tuple[Floats, Floats]]


def rows(note: Callable[[str], None], seconds: float) -> list[dict[str, Any]]:
    """Return the rows; the two large ones share one run of each peer, which takes several seconds."""
    made = []
    for name, game, targets, peers in _cases(small=seconds < 0.1):
        note(f"zero-sum: {name}")
        timed = {peer: _peer(PEERS[peer], game, seconds) for peer in peers}
        best = min(timed, key=lambda peer: timed[peer][0])
        others = ", ".join(f"{peer} {timed[peer][0]:.3g} ms, gap {timed[peer][1]:.0e}" for peer in peers)
        for epsilon, goal in targets:
            ours, gap = _ours(game, epsilon, seconds)
            text = f"to {epsilon:g} of the range; ours reached {gap:.0e}; {others}"
            label = f"{name} to {epsilon:g}" if len(targets) > 1 else name
            made.append(row(label, ours, best, timed[best][0], goal=goal, note=text))
    return [*made, *_alone(note, seconds)]


def tournament(players: int, seed: int) -> MatrixGame:
    """Return the game of who beats whom in a random tournament: 1, -1, 0 on the diagonal."""
    upper = np.triu(np.random.default_rng(seed).choice([-1.0, 1.0], (players, players)), 1)
    return MatrixGame(upper - upper.T)


def blotto_with_values(soldiers: int, values: tuple[float, ...]) -> MatrixGame:
    """Return Blotto with fields of different worth: no two ways to spread the soldiers are alike."""
    names = colonel_blotto(soldiers, len(values)).actions[0]
    spread = np.array([[int(part) for part in name.split()] for name in names])
    return MatrixGame(np.sign(spread[:, None] - spread[None]) @ np.array(values))


def low_rank(size: int, rank: int, seed: int) -> MatrixGame:
    """Return a product of integer matrices: dependent rows, many ties."""
    chance = np.random.default_rng(seed)
    return MatrixGame(1.0 * chance.integers(-2, 3, (size, rank)) @ chance.integers(-2, 3, (rank, size)))


def _alone(note: Callable[[str], None], seconds: float) -> list[dict[str, Any]]:
    """Compare bare functions, nothing checked: what counts for games that take microseconds."""
    made = []
    for size in (10, 50, 150):
        name = f"random {size}x{size}, function alone"
        note(f"zero-sum: {name}")
        game = random_zero_sum(size, size)
        ours, gap = _peer(solve_matrix, game, seconds)
        peer, other = _peer(_quantecon, game, seconds)
        text = f"ours reached {gap:.0e} of the range, QuantEcon {other:.0e}"
        made.append(row(name, ours, "QuantEcon", peer, note=text))
    return made


def _cases(*, small: bool) -> list[tuple[str, MatrixGame, tuple[tuple[float, float | None], ...], tuple[str, ...]]]:
    """Return name, game, epsilons with their goals, and peers; ``small``: the same at sizes that show no speed."""
    large, middle, soldiers = (60, 40, 4) if small else (1000, 400, 12)
    blotto = colonel_blotto(soldiers, 4)
    majority = MatrixGame(np.sign(blotto.a))
    unlike = blotto_with_values(soldiers, (1, 1.3, 1.7, 2.2))
    exact: tuple[tuple[float, float | None], ...] = ((1e-9, None),)
    return [
        ("random 1000x1000", random_zero_sum(large, large), ((1e-6, 20.0), (1e-9, 8.0)), ("HiGHS-IPM", "QuantEcon")),
        ("Blotto(12, 4), fields won less lost", blotto, ((1e-9, 4.0),), ("HiGHS-DS", "QuantEcon")),
        ("Blotto(12, 4), most fields win", majority, ((1e-9, 4.0),), ("HiGHS-DS", "HiGHS-IPM")),
        ("Blotto(12, 4), fields differ", unlike, exact, ("HiGHS-DS", "HiGHS-IPM")),
        ("tournament of 401", tournament(middle + 1, 0), exact, ("HiGHS-DS", "HiGHS-IPM")),
        ("integers 400x400 of rank 9", low_rank(middle, 9, 1), exact, ("HiGHS-DS", "HiGHS-IPM")),
        ("integers 0-3, 400x400", random_zero_sum(middle, middle, 0, "integers"), exact, ("HiGHS-DS", "HiGHS-IPM")),
    ]


def _ours(game: MatrixGame, epsilon: float, seconds: float) -> tuple[float, float]:
    options = SolveOptions(epsilon=epsilon)
    found = solve(game, options=options)
    assert found.solved, found.message
    return _median(lambda: solve(game, options=options), seconds, 50), found.equilibria[0].gap.relative


def _peer(peer: Peer, game: MatrixGame, seconds: float) -> tuple[float, float]:
    peer(np.array([[0.0, 1.0], [2.0, -1.0]]))  # compiled, imported
    found: list[tuple[Floats, Floats]] = []
    spent = _median(lambda: found.append(peer(game.a)), seconds, 200)
    x, y = found[-1]
    return spent, float((game.a @ y).max() - (x @ game.a).min()) / float(np.ptp(game.a))


def _median(work: Callable[[], object], seconds: float, most: int) -> float:
    times: list[float] = []
    while not times or (sum(times) < seconds and len(times) < most):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return 1e3 * statistics.median(times)


def _highs(method: str) -> Peer:
    def run(a: Floats) -> tuple[Floats, Floats]:
        from scipy.optimize import linprog

        n, m = a.shape
        found = linprog(
            np.append(np.zeros(n), -1.0),
            A_ub=np.hstack([-a.T, np.ones((m, 1))]),
            b_ub=np.zeros(m),
            A_eq=np.append(np.ones(n), 0.0)[None],
            b_eq=[1.0],
            bounds=[(0, None)] * n + [(None, None)],
            method=method,
        )
        x, y = np.maximum(found.x[:n], 0.0), np.maximum(-found.ineqlin.marginals, 0.0)
        return x / x.sum(), y / y.sum()

    return run


def _quantecon(a: Floats) -> tuple[Floats, Floats]:
    from quantecon.optimize import minmax

    _, x, y = minmax(a)
    return x, y


PEERS: dict[str, Peer] = {
    "HiGHS-IPM": _highs("highs-ipm"),
    "HiGHS-DS": _highs("highs-ds"),
    "QuantEcon": _quantecon,
}
