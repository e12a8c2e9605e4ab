from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from widgets.decimate import decimate

curves = hnp.arrays(np.float64, st.integers(1, 400), elements=st.floats(-1e9, 1e9))


def envelope(y, buckets):
    edges = np.linspace(0, len(y), buckets + 1).astype(int)
    return [(y[a:b].min(), y[a:b].max()) for a, b in pairwise(edges)]


@given(curves, st.integers(1, 40))
def test_keeps_exactly_the_envelope(y, buckets):
    x = np.arange(len(y), dtype=float)
    dx, dy = decimate(x, y, buckets)
    if len(y) <= 2 * buckets:
        assert np.array_equal(dx, x)
        assert np.array_equal(dy, y)
        return
    assert len(dy) == 2 * buckets
    assert (np.diff(dx) >= 0).all()
    assert np.array_equal(y[dx.astype(int)], dy), "points are points of the curve"
    assert [(min(pair), max(pair)) for pair in dy.reshape(-1, 2)] == envelope(y, buckets)


@given(hnp.arrays(np.float64, st.integers(0, 300), elements=st.floats(allow_nan=True, allow_infinity=True)))
def test_holes_are_left_out(y):
    x = np.arange(len(y), dtype=float)
    dx, dy = decimate(x, y, 10)
    assert np.isfinite(dy).all()
    finite = y[np.isfinite(y)]
    if len(finite):
        assert (dy.min(), dy.max()) == (finite.min(), finite.max())
    else:
        assert len(dx) == 0


def test_integers_work():
    dx, dy = decimate(np.arange(1000), np.arange(1000) % 7, 5)
    assert (dy.min(), dy.max(), len(dx)) == (0, 6, 10)


def test_needs_a_bucket():
    with pytest.raises(ValueError, match="at least one bucket"):
        decimate(np.arange(3), np.arange(3), 0)
