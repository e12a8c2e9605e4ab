"""Computing on factors gives what computing on the dense matrices gives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.learning.updates.delta import Delta, DeltaSpec, pack, parse
from engine.learning.updates.product import (
    clipped,
    difference,
    distances,
    gram,
    mean,
    norms,
    products,
    shrunk,
)

Draw = Callable[..., Delta]


def dense(delta: Delta, spec: DeltaSpec) -> np.ndarray:
    """Return a delta's whole weight change as one vector."""
    return np.concatenate([(spec.scale * b.astype(float) @ a.astype(float)).ravel() for a, b in delta.values()])


@pytest.mark.parametrize("count", [1, 2, 5, 13])
def test_inner_products_norms_and_distances_are_the_dense_ones(draw: Draw, spec: DeltaSpec, count: int) -> None:
    deltas = [draw(spec, seed, 10.0 ** (seed % 4 - 3)) for seed in range(count)]
    vectors = np.stack([dense(delta, spec) for delta in deltas])
    updates = products(deltas, spec)
    inner = gram(updates)
    np.testing.assert_allclose(inner, vectors @ vectors.T, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(norms(updates), np.linalg.norm(vectors, axis=1), rtol=1e-12)
    apart = ((vectors[:, None] - vectors[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(distances(inner), apart, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(np.diag(distances(inner)), 0)


def test_other_factors_of_one_product_are_the_same_update(draw: Draw, spec: DeltaSpec) -> None:
    delta = draw(spec, 3)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(spec.rank,) * 2))[0]
    other = {key: (turn @ a.astype(float), b.astype(float) @ turn.T) for key, (a, b) in delta.items()}
    assert difference(delta, other, spec) < 1e-6
    assert not np.allclose(other["0.q"][0], delta["0.q"][0], atol=1e-3)


def test_identical_updates_are_at_distance_zero_beside_huge_ones(draw: Draw, spec: DeltaSpec) -> None:
    updates = products([draw(spec, 1), draw(spec, 2, 100.0), draw(spec, 1), draw(spec, 1)], spec)
    apart = distances(gram(updates))
    assert apart[0, 2] == apart[0, 3] == apart[2, 3] == 0
    assert apart[0, 1] > 1


@pytest.mark.parametrize("limit", [1e-6, 0.05, 1e6])
def test_clipping_keeps_directions_and_bounds_norms(draw: Draw, spec: DeltaSpec, limit: float) -> None:
    updates = products([draw(spec, seed, 10.0**-seed) for seed in range(4)], spec)
    cut, before = clipped(updates, limit)
    after = norms(cut)
    np.testing.assert_allclose(after, np.minimum(before, limit), rtol=1e-12)
    cosine = np.diag(gram(cut)) / (after * after)
    np.testing.assert_allclose(cosine, 1, rtol=1e-9)


def test_a_delta_of_zeros_passes_through(spec: DeltaSpec) -> None:
    zero = {key: (np.zeros((4, inner), np.float32), np.zeros((out, 4), np.float32)) for key, out, inner in spec.targets}
    updates, before = clipped(products([zero, zero], spec), 1.0)
    assert before.tolist() == [0, 0]
    assert difference(zero, zero, spec) == 0
    made = mean(updates, np.full(2, 0.5))
    assert all(not a.any() and not b.any() for a, b in made.values())


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 14), st.integers(0, 1000))
def test_the_mean_is_the_best_approximation_of_the_dense_mean(count: int, seed: int) -> None:
    spec = DeltaSpec(3, 6.0, (("a", 20, 17), ("b", 9, 30), ("c", 40, 45)))
    rng = np.random.default_rng(seed)
    deltas = [
        {
            k: (rng.normal(size=(3, i)).astype(np.float32), rng.normal(size=(o, 3)).astype(np.float32))
            for k, o, i in spec.targets
        }
        for _ in range(count)
    ]
    weights = rng.uniform(0, 1, count) * (rng.uniform(size=count) < 0.8)
    weights[0] += 0.1
    made = mean(products(deltas, spec), weights)
    for key, _, _ in spec.targets:
        wanted = sum(w * spec.scale * d[key][1].astype(float) @ d[key][0] for w, d in zip(weights, deltas, strict=True))
        u, s, v = np.linalg.svd(wanted)
        best = (u[:, :3] * s[:3]) @ v[:3]
        a, b = made[key]
        got = spec.scale * b.astype(float) @ a
        # a tie between the third and the fourth direction leaves the approximation open, never its error
        error = np.linalg.norm(wanted - got)
        np.testing.assert_allclose(error, np.linalg.norm(wanted - best), rtol=1e-4, atol=1e-5 * s[0])
        np.testing.assert_allclose(np.linalg.norm(a), np.linalg.norm(b), rtol=1e-4)


def test_a_mean_of_one_is_that_one_but_for_rounding(draw: Draw, spec: DeltaSpec) -> None:
    delta = draw(spec, 7)
    made = mean(products([delta, draw(spec, 8)], spec), np.array([1.0, 0.0]))
    assert difference(made, delta, spec) < 1e-6
    assert difference(parse(pack(made), spec), delta, spec) < 2**-9


def test_dense_blocks_are_cut_to_the_rank(spec: DeltaSpec) -> None:
    change = np.random.default_rng(0).normal(size=(6, 3))
    a, b = shrunk(change, spec)
    assert a.shape == (4, 3)
    assert b.shape == (6, 4)
    np.testing.assert_allclose(spec.scale * b @ a, change, atol=1e-5)


def test_the_same_bytes_come_out_whatever_the_signs_of_the_factors(draw: Draw, spec: DeltaSpec) -> None:
    deltas = [draw(spec, seed) for seed in range(3)]
    turned = [{key: (-a, -b) for key, (a, b) in delta.items()} for delta in deltas]
    weights = np.full(3, 1 / 3)
    assert pack(mean(products(deltas, spec), weights)) == pack(mean(products(turned, spec), weights))
