"""The interior point method: it closes in without stepping out, whatever the game's rank."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from engine.core.errors import DependencyError
from engine.games.games import Floats, MatrixGame
from engine.games.generators import colonel_blotto
from engine.games.options import SolveOptions
from engine.games.results import Status, Step
from engine.games.solve import solve
from engine.games.solvers.interior_point import _Path
from engine.games.solvers.zero_sum_scale import scaled

OPTIONS = SolveOptions(epsilon=1e-9)
CHANCE = np.random.default_rng(11)
GAMES = {
    "random": CHANCE.random((80, 80)),
    "wide": CHANCE.random((20, 300)),
    "tall": CHANCE.normal(size=(300, 20)),
    "low rank": CHANCE.normal(size=(90, 3)) @ CHANCE.normal(size=(3, 90)),
    "bits": CHANCE.integers(0, 2, (70, 90)).astype(float),
    "twins": np.repeat(np.repeat(CHANCE.random((20, 20)), 3, axis=0), 3, axis=1),
    "Blotto": colonel_blotto(8, 4).a,
    "saddle point": np.add.outer(np.arange(30.0), -np.arange(40.0)),
    "constant": np.full((7, 5), 3.0),
}


@pytest.mark.parametrize("a", GAMES.values(), ids=GAMES)
def test_it_closes_in_step_by_step(a: Floats) -> None:
    seen: list[Step] = []
    found = solve(MatrixGame(a), "interior-point", OPTIONS, seen.append)
    assert found.status is Status.SOLVED, found.message
    assert 1 <= found.iterations <= 30
    assert [step.iteration for step in seen] == list(range(1, found.iterations + 1))
    assert all(later.gap <= 1.01 * earlier.gap for earlier, later in itertools.pairwise(seen))
    for step in seen:
        for strategy in step.profile:
            assert strategy.min() >= 0.0
            assert strategy.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("key", ["random", "wide", "low rank", "Blotto"])
def test_every_iterate_is_feasible_and_the_gap_is_the_complementarity(key: str) -> None:
    matrix = scaled(GAMES[key], OPTIONS).matrix
    path = _Path(np, matrix)
    for _ in range(6):
        assert path.advance()
        assert min(path.x.min(), path.y.min(), path.s.min(), path.z.min()) > 0.0
        assert path.s == pytest.approx(path.x @ matrix - path.v, abs=1e-11)
        assert path.z == pytest.approx(path.w - matrix @ path.y, abs=1e-11)
        assert path.x @ path.z + path.y @ path.s == pytest.approx(path.w - path.v, rel=1e-6, abs=1e-12)


def test_it_takes_few_iterations_on_large_games() -> None:
    found = solve(MatrixGame(np.random.default_rng(0).random((400, 400))), "interior-point", OPTIONS)
    assert found.solved
    assert found.iterations <= 25


def test_a_limit_of_iterations_is_kept_and_said() -> None:
    found = solve(MatrixGame(GAMES["random"]), "interior-point", SolveOptions(epsilon=1e-9, iterations=3))
    assert found.status is Status.NOT_CONVERGED
    assert found.iterations == 3
    assert "3" in found.message


def test_a_gpu_gives_the_same_or_is_said_to_be_missing() -> None:
    options = SolveOptions(epsilon=1e-9, device="cuda")
    game = MatrixGame(GAMES["random"])
    try:
        found = solve(game, "interior-point", options)
    except DependencyError as missing:
        assert "CUDA" in str(missing)
        return
    assert found.solved
    here = solve(game, "interior-point", OPTIONS)
    assert found.equilibria[0].gap.payoffs[0] == pytest.approx(here.equilibria[0].gap.payoffs[0], abs=1e-8)
