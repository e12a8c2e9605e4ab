"""Integers in the place of floats: nothing overflows, and little is lost."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.league.neural.errors import ModelError
from engine.league.neural.model import MAX_INPUTS, Dense, Mlp
from engine.league.neural.quantise import INPUT_LIMIT, OUTPUT_LIMIT, IntMlp, quantise


def perceptron(rng: np.random.Generator, sizes: tuple[int, ...], scale: float, clamp: tuple[float, float]) -> Mlp:
    layers = []
    for at, (left, right) in enumerate(pairwise(sizes)):
        bounds = (None, None) if at == len(sizes) - 2 else clamp
        weight = rng.normal(0, scale / np.sqrt(left), (right, left))
        layers.append(Dense(str(at), weight, rng.normal(0, scale / 10, right), *bounds))
    return Mlp(tuple(layers))


def in_floats(mlp: Mlp, raw: np.ndarray) -> np.ndarray:
    values = raw.astype(np.float64)
    for layer in mlp.layers:
        values = values @ layer.weight.T + layer.bias
        if layer.low is not None:
            values = values.clip(layer.low, layer.high)
    return values


def assert_within_bounds(network: IntMlp) -> None:
    """The largest sum that any input could give fits 32 bits, any product 63."""
    reach = np.full(len(network.gain), INPUT_LIMIT)
    for layer in network.layers:
        assert np.abs(layer.weight.astype(int)).max() <= 127
        sums = np.abs(layer.weight.astype(np.int64)) @ reach + np.abs(layer.bias)
        assert sums.max() < 2**31
        assert 0 <= layer.multiplier.min() <= layer.multiplier.max() < 2**31
        assert int(sums.max()) * int(layer.multiplier.max()) + (1 << layer.shift) < 2**63
        assert -OUTPUT_LIMIT <= layer.low <= layer.high <= OUTPUT_LIMIT
        reach = np.full(len(layer.bias), max(-layer.low, layer.high))


@given(
    seed=st.integers(0, 2**32),
    sizes=st.lists(st.integers(1, 40), min_size=2, max_size=5),
    scale=st.sampled_from([1e-18, 1e-6, 0.1, 1.0, 30.0, 1e8]),
    clamp=st.sampled_from([(0.0, np.inf), (0.0, 6.0), (-1.0, 1.0), (-1e9, 1e-9)]),
    largest=st.sampled_from([0, 1, 9, 255, 60_000, 2**40]),
)
@settings(max_examples=300, deadline=None)
def test_no_network_overflows(seed: int, sizes: list[int], scale: float, clamp: Any, largest: int) -> None:
    rng = np.random.default_rng(seed)
    mlp = perceptron(rng, tuple(sizes), scale, clamp)
    raw = rng.integers(-largest, largest + 1, (50, sizes[0]))
    numeric = rng.random(sizes[0]) < 0.7
    raw[:, ~numeric] &= 1
    network = quantise(mlp, raw, numeric)
    assert_within_bounds(network)
    wild = rng.integers(-(2**62), 2**62, (20, sizes[0]))
    assert np.abs(network.forward(wild)).max() <= OUTPUT_LIMIT


def test_the_widest_layers_do_not_overflow() -> None:
    weight = np.ones((2, MAX_INPUTS))
    mlp = Mlp((Dense("0", weight, np.full(2, 1e9), 0.0, np.inf), Dense("1", np.ones((3, 2)), np.zeros(3))))
    raw = np.ones((4, MAX_INPUTS), np.int64)
    assert_within_bounds(quantise(mlp, raw, np.ones(MAX_INPUTS, np.bool_)))


@pytest.mark.parametrize("seed", range(5))
def test_decisions_stay_what_they_are_in_floats(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mlp = perceptron(rng, (60, 48, 48, 6), 1.0, (0.0, np.inf))
    raw = rng.integers(0, 10, (4000, 60))
    numeric = np.arange(60) < 40
    raw[:, ~numeric] &= 1
    network = quantise(mlp, raw[:2000], numeric)
    wanted, got = in_floats(mlp, raw[2000:]), network.forward(raw[2000:])
    assert (wanted.argmax(axis=1) == got.argmax(axis=1)).mean() > 0.95
    scale = (wanted * got).sum() / (got.astype(float) ** 2).sum()
    assert np.abs(got * scale - wanted).mean() < 0.02 * np.abs(wanted).mean()


def test_inputs_of_any_width_fill_the_range_seen() -> None:
    mlp = perceptron(np.random.default_rng(0), (4, 2), 1.0, (0.0, np.inf))
    raw = np.array([[0, 0, 0, 0], [9, 200, 60_000, 1]])
    network = quantise(mlp, raw, np.array([True, True, True, False]))
    assert network.scale(raw)[1].tolist() == [9 * 28, 200, 60_000 >> 8, 255]
    assert np.abs(network.scale(np.array([[2**60, -(2**60), 2**60, 5]]))).max() <= INPUT_LIMIT


def test_numbers_out_of_all_proportion_are_refused() -> None:
    layers = [Dense(str(at), np.full((2, 2), 1e-19), np.zeros(2), 0.0, np.inf) for at in range(15)]
    layers.append(Dense("15", np.ones((2, 2)), np.zeros(2)))
    with pytest.raises(ModelError, match="out of all proportion"):
        quantise(Mlp(tuple(layers)), np.ones((3, 2), np.int64), np.zeros(2, np.bool_))
