"""The generators make the games that their sources describe, from the seed alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest

from engine.games.errors import GameError
from engine.games.games import BimatrixGame, FiniteGame, MatrixGame, TensorGame
from engine.games.generators import (
    colonel_blotto,
    covariant,
    random_consensus,
    random_game,
    random_polymatrix,
    random_zero_sum,
    savani_von_stengel,
    tournament,
)
from engine.games.verify import gap_of


def tensors(game: FiniteGame) -> tuple[np.ndarray, ...]:
    return game.to_tensor().tensors


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: random_game((3, 4), seed),
        lambda seed: random_game((2, 3, 4), seed, "normal"),
        lambda seed: random_zero_sum(5, 6, seed, "integers"),
        lambda seed: tournament(6, 3, seed),
        lambda seed: covariant((3, 3, 3), -0.4, seed),
        lambda seed: random_polymatrix(4, 3, seed, density=0.8),
    ],
)
def test_the_seed_decides(make: Callable[[int], FiniteGame]) -> None:
    first, again, other = (tensors(make(seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_the_classes_are_those_of_the_number_of_players() -> None:
    assert isinstance(random_game((2, 3)), BimatrixGame)
    assert isinstance(random_game((2, 3, 2)), TensorGame)
    assert isinstance(random_zero_sum(2, 3), MatrixGame)
    assert random_game((2, 3, 2)).sizes == (2, 3, 2)
    assert set(np.unique(random_zero_sum(20, 20, 0, "integers").a)) == {0.0, 1.0, 2.0, 3.0}


def test_blotto_counts_fields() -> None:
    game = colonel_blotto(3, 2)
    assert game.actions[0] == ("0 3", "1 2", "2 1", "3 0")
    spread = [tuple(map(int, name.split())) for name in game.actions[0]]
    for (i, mine), (j, theirs) in itertools.product(enumerate(spread), repeat=2):
        assert game.a[i, j] == sum(np.sign(a - b) for a, b in zip(mine, theirs, strict=True))
    assert colonel_blotto(12, 4).sizes == (455, 455)
    assert np.array_equal(colonel_blotto(6, 3).a, -colonel_blotto(6, 3).a.T)


def test_a_tournament_is_won_by_who_beats_the_whole_set() -> None:
    game = tournament(7, 2, 3)
    beats = tournament(7, 1, 3).a  # the same tournament: its sets are single nodes
    assert np.array_equal(beats + beats.T, 1 - np.eye(7))
    for column, pair in enumerate(itertools.combinations(range(7), 2)):
        for node in range(7):
            assert game.a[node, column] == min(beats[node, pair[0]], beats[node, pair[1]])
            assert game.b[node, column] == (node in pair)


@pytest.mark.parametrize(("rho", "players"), [(-1.0, 2), (-0.5, 2), (0.0, 3), (0.7, 3), (1.0, 4)])
def test_covariant_payoffs_have_their_covariance(rho: float, players: int) -> None:
    size = round(20_000 ** (1 / players))
    found = np.cov(np.stack([tensor.ravel() for tensor in tensors(covariant((size,) * players, rho, 5))]))
    assert np.allclose(found, np.where(np.eye(players) > 0, 1.0, rho), atol=0.05)


@pytest.mark.parametrize("size", [2, 4, 6, 10])
def test_savani_von_stengel_has_long_paths_and_one_full_equilibrium(size: int) -> None:
    peer = pytest.importorskip("quantecon.game_theory")
    game = savani_von_stengel(size)
    players = [peer.Player(game.a), peer.Player(np.ascontiguousarray(game.b.T))]
    profile, run = peer.lemke_howson(peer.NormalFormGame(players), init_pivot=0, full_output=True)
    # A missing label 1 has the longest paths; their lengths grow like 4.2 ** (size / 2).
    assert run.num_iter == {2: 4, 4: 20, 6: 88, 10: 1596}[size]
    assert min(profile[0].min(), profile[1].min()) > 0
    assert gap_of(game, profile).relative < 1e-9


def test_polymatrix_pairs() -> None:
    game = random_polymatrix(5, 2, 7, density=0.5)
    assert all((j, i) in game.edges for i, j in game.edges)
    assert 0 < len(game.edges) < 20
    zero = random_polymatrix(4, 3, 7, zero_sum=True)
    assert np.abs(sum(tensors(zero))).max() < 1e-12


def test_consensus_weights() -> None:
    game = random_consensus(20, 3, 1, density=0.3)
    share = np.count_nonzero(game.influence) / (20 * 19)
    assert 0.2 < share < 0.4
    assert game.confidence.min() >= 0.5
    assert game.points.shape == (20, 3)
    lied = random_consensus(20, 3, 1, density=0.3, liars=2)
    assert np.array_equal(lied.points[:18], game.points[:18])
    assert np.array_equal(lied.points[18:], 100 * game.points[18:])
    assert not lied.influence[18:].any()


@pytest.mark.parametrize(
    "make",
    [
        lambda: random_game(()),
        lambda: random_game((3, 0)),
        lambda: random_game((10_000, 10_000)),
        lambda: random_game((2, 2), 0, "cauchy"),
        lambda: colonel_blotto(0, 3),
        lambda: colonel_blotto(60, 6),
        lambda: tournament(3, 4),
        lambda: tournament(60, 30),
        lambda: covariant((2, 2, 2), -0.6),
        lambda: covariant((2, 2), math.nan),
        lambda: savani_von_stengel(5),
        lambda: savani_von_stengel(200),
        lambda: random_polymatrix(10_000, 10),
        lambda: random_polymatrix(3, 3, density=2.0),
        lambda: random_consensus(0, 1),
        lambda: random_consensus(3, 1, liars=4),
        lambda: random_consensus(100_000, 2),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(make: Callable[[], object]) -> None:
    with pytest.raises(GameError):
        make()
