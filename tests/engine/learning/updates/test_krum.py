"""What Krum's condition buys: colluders far away lose wherever n >= 2f + 3, and win where they are nearly half."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.learning.updates.choice import TooFewError
from engine.learning.updates.krum import ranking, required, scores

SEEDS = st.integers(0, 2**32 - 1)


def squared(points: np.ndarray) -> np.ndarray:
    apart: np.ndarray = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    return apart


def round_of(seed: int, n: int, f: int, far: float) -> np.ndarray:
    """Return f colluders in one place, ``far`` diameters of the honest away from them, then n - f honest ones."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(size=(n - f, 5))
    away = rng.normal(size=5)
    reach = far * np.sqrt(squared(honest).max())
    bad = honest[0] + (reach + np.sqrt(squared(honest).max())) * away / np.linalg.norm(away)
    return squared(np.concatenate([np.repeat(bad[None], f, axis=0), honest]))


@given(SEEDS, st.integers(1, 8), st.integers(0, 5))
def test_colluders_in_one_place_never_win_within_the_condition(seed: int, f: int, more: int) -> None:
    """Two of a colluder's n - f - 2 nearest are honest at least: from sqrt((n - f - 2) / 2) diameters on it loses."""
    n = 2 * f + 3 + more
    required(n, f)
    found = scores(round_of(seed, n, f, far=np.sqrt((n - f - 2) / 2)), f)
    assert found[:f].min() > found[f:].max()
    assert set(ranking(found)[: n - f].tolist()) == set(range(f, n))


@given(SEEDS, st.integers(2, 8), st.floats(0.1, 1e3))
def test_they_win_wherever_they_are_and_however_far_once_they_have_neighbours_enough(
    seed: int, f: int, far: float
) -> None:
    n = 2 * f + 1
    with pytest.raises(TooFewError):
        required(n, f)
    found = scores(round_of(seed, n, f, far), f)
    assert found[:f].max() == 0
    assert set(ranking(found)[:f].tolist()) == set(range(f))


@given(SEEDS, st.integers(8, 12), st.integers(0, 4))
def test_neither_order_nor_size_nor_place_of_the_updates_changes_the_choice(seed: int, n: int, f: int) -> None:
    rng = np.random.default_rng(seed)
    points, order = rng.normal(size=(n, 4)), rng.permutation(n)
    best = ranking(scores(squared(points), f))[0]
    assert order[ranking(scores(squared(points[order]), f))[0]] == best
    assert ranking(scores(squared(1e-3 * points + 7), f))[0] == best
