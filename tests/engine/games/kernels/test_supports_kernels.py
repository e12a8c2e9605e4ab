"""All equilibria by pairs of supports, as CUDA C run on the processor, against known games and plain enumeration."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.games.errors import GameError
from engine.games.games import BimatrixGame
from engine.games.kernels.reference import equal_supports as plainly
from engine.games.kernels.supports import equal_supports, sets_of
from engine.games.reference import references

REFERENCES = {known.key: known.game for known in references()}


@pytest.mark.parametrize(("key", "count"), [("battle", 3), ("chicken", 3), ("unreachable", 3), ("stengel", 75)])
def test_games_whose_equilibria_are_known(host: Any, key: str, count: int) -> None:
    game = REFERENCES[key]
    assert isinstance(game, BimatrixGame)
    a, b = game.a, game.b
    found = equal_supports(host, a[None], b[None])
    assert len(found.game) == count
    assert len({(*np.round(x, 9), *np.round(y, 9)) for x, y in zip(found.x, found.y, strict=True)}) == count
    for x, y in zip(found.x, found.y, strict=True):
        assert (game.regrets(game.check_profile((x, y))) / game.ranges()).sum() <= 1e-9


def test_pivots_of_zero_are_no_reason_to_doubt(host: Any) -> None:
    a = np.array([[[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]])
    found = equal_supports(host, a, -a)
    np.testing.assert_allclose(found.x, [[1 / 3] * 3])
    np.testing.assert_allclose(found.y, [[1 / 3] * 3])


@pytest.mark.parametrize("degenerate", [
    ([[0, 0], [0, 0]], [[0, 0], [0, 0]]),
    ([[1, 3], [1, 3], [3, 1], [3, 1], [2.5, 2.5], [2.5, 2.5]], [[1, 2], [0, -1], [-2, 2], [4, -1], [-1, 6], [6, -1]]),
    ([[1, 1], [0, 2]], [[1, 0], [1, 1]]),
    ([[1, 3], [1, 0]], [[5, 0], [4, 0]]),  # only a tie outside the support tells
])  # fmt: skip
def test_degenerate_games_are_left_to_exact_methods(host: Any, degenerate: tuple[Any, Any]) -> None:
    a, b = (np.array(payoffs, dtype=float)[None] for payoffs in degenerate)
    assert equal_supports(host, a, b).unsure.all()


def assert_like_plain_enumeration(device: Any, shape: tuple[int, int], games: int) -> None:
    a, b = np.random.default_rng(21).normal(size=(2, games, *shape))
    a[1], b[-1] = 1e6 + a[1], 1e-3 * b[-1]
    found = equal_supports(device, a, b)
    assert not found.unsure.any()
    assert (np.diff(found.game) >= 0).all()
    for k in range(games):
        wanted = plainly(a[k], b[k])
        at = np.flatnonzero(found.game == k)
        assert len(at) == len(wanted)
        for row, (x, y) in zip(at, wanted, strict=True):
            np.testing.assert_allclose(found.x[row], x, atol=1e-8)
            np.testing.assert_allclose(found.y[row], y, atol=1e-8)


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (3, 3), (4, 2), (5, 6)], ids=str)
def test_random_games(host: Any, shape: tuple[int, int]) -> None:
    assert_like_plain_enumeration(host, shape, 6)


@pytest.mark.cuda
@pytest.mark.parametrize("shape", [(1, 6), (5, 6), (7, 8)], ids=str)
def test_random_games_on_a_gpu(cuda: Any, shape: tuple[int, int]) -> None:
    assert_like_plain_enumeration(cuda, shape, 6)


def test_numbers_of_equilibria_are_odd_at_the_largest_size(host: Any) -> None:
    """Wilson's theorem, which holds for nondegenerate games, where none is missed or counted twice."""
    a, b = np.random.default_rng(22).normal(size=(2, 4, 8, 8))
    found = equal_supports(host, a, b)
    assert (np.bincount(found.game, minlength=4) % 2 == 1).all()


def test_room_is_made_for_as_many_as_there_are(host: Any) -> None:
    """Coordination games of five actions have 31 equilibria each, one on every support; room is made for 8."""
    a = np.stack([np.diag(np.arange(1.0, 6.0)), np.diag([2.0, 3.0, 5.0, 7.0, 11.0])])
    found = equal_supports(host, a, a)
    assert np.bincount(found.game).tolist() == [31, 31]
    assert host.launched.count("support_pairs<2>") >= 2


def test_sets_and_limits(host: Any) -> None:
    assert sets_of(4, 2).tolist() == [0b0011, 0b0101, 0b1001, 0b0110, 0b1010, 0b1100]
    with pytest.raises(GameError, match="9 x 3"):
        equal_supports(host, np.zeros((1, 9, 3)), np.zeros((1, 9, 3)))
