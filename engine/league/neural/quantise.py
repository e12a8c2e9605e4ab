"""From floats to integers: weights of 8 bits, activations of 8 bits, sums of 32.

Input i is ``(raw >> shift) * gain``, held within +-INPUT_LIMIT, so that what calibration saw fills 0 to 255. Weights
are symmetric with a scale for every output. A sum becomes the next layer's activation by ``(sum * multiplier + half)
>> shift``, clamped: ReLU gives 0 to 255, Hardtanh -127 to 127. The outputs keep about 20 bits, all on one scale.

Every step is either on integers or a single rounding of IEEE arithmetic, so the same model, observations and program
give the same numbers on every machine; and ranges are measured on the integer network itself, layer after layer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.league.neural.errors import ModelError
from engine.league.neural.features import Ints
from engine.league.neural.model import Dense, Floats, Mlp

INPUT_LIMIT: Final = 1023
OUTPUT_LIMIT: Final = 2**31 - 1
_INPUT_RANGE: Final = 255
_WEIGHT_LIMIT: Final = 127
_BIAS_LIMIT: Final = 2**29  # the sum of products stays below 2^31 - 2^29: at most 8192 of 127 * 1023
_OUTPUT_RANGE: Final = 2**20
_MULTIPLIER_BITS: Final = 30
_MAX_SHIFT: Final = 60
_SMALLEST: Final = 1e-100


@dataclass(frozen=True, slots=True, eq=False)
class IntLayer:
    """One layer in integers: ``multiplier`` and ``bias`` by output, ``shift`` and the clamp for all."""

    weight: NDArray[np.int8]
    bias: Ints
    multiplier: Ints
    shift: int
    low: int
    high: int

    def forward(self, values: Ints) -> Ints:
        """Return the activations for a line of inputs a row; the clear reference beside the twin in torch."""
        sums = _products(values, self.weight) + self.bias
        scaled: Ints = np.clip((sums * self.multiplier + (1 << self.shift - 1)) >> self.shift, self.low, self.high)
        return scaled


@dataclass(frozen=True, slots=True, eq=False)
class IntMlp:
    """A perceptron in integers: how raw inputs are scaled, and the layers."""

    shift: Ints
    gain: Ints
    layers: tuple[IntLayer, ...]

    def scale(self, raw: Ints) -> Ints:
        """Return the first layer's inputs."""
        limit = input_limits(self.gain)
        scaled: Ints = np.clip(raw >> self.shift, -limit, limit) * self.gain
        return scaled

    def forward(self, raw: Ints) -> Ints:
        """Return the outputs for raw inputs."""
        values = self.scale(raw)
        for layer in self.layers:
            values = layer.forward(values)
        return values


def input_limits(gain: Ints) -> Ints:
    """Return how large an input may be before its gain."""
    return INPUT_LIMIT // gain


def quantise(mlp: Mlp, raw: Ints, numeric: NDArray[np.bool_]) -> IntMlp:
    """Return the perceptron in integers, calibrated on raw inputs: lines of :meth:`FeatureMap.encode`.

    ``numeric`` tells which inputs are numbers; the others are 0 or 1.
    """
    shift, gain = _input_scales(raw, numeric)
    unit = np.ldexp(1.0 / gain, shift)  # what a step of each input means
    network = IntMlp(shift, gain, ())
    values, step = network.scale(raw), 1.0
    layers = []
    for at, dense in enumerate(mlp.layers):
        weight = dense.weight * unit if at == 0 else dense.weight
        layer, step = _layer(dense, weight, values, step)
        values = layer.forward(values)
        layers.append(layer)
    return IntMlp(shift, gain, tuple(layers))


def _input_scales(raw: Ints, numeric: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    largest = np.abs(raw).max(axis=0, initial=0)
    bits = np.array([max(0, int(value).bit_length() - 8) for value in largest], np.int64)
    shift = np.where(numeric, bits, 0)
    gain = np.where(numeric, _INPUT_RANGE // np.maximum(1, largest >> shift), _INPUT_RANGE)
    return shift, np.maximum(1, gain)


def _layer(dense: Dense, weight: Floats, values: Ints, step: float) -> tuple[IntLayer, float]:
    """Return a layer in integers and what a step of its activations means; ``step`` is that of its inputs."""
    peak = np.abs(weight).max(axis=1)
    scale = np.maximum(peak / _WEIGHT_LIMIT, np.abs(dense.bias) / step / _BIAS_LIMIT)
    scale = np.where(scale > 0, scale, 1.0)
    small = np.rint(weight / scale[:, None]).astype(np.int8)
    bias = np.rint(dense.bias / scale / step).astype(np.int64)
    means = scale * step  # what one in the sum means, by output
    seen = (_products(values, small) + bias) * means
    after, low, high = _range(dense, seen, float(means.max()))
    if not _SMALLEST < after < 1 / _SMALLEST:
        raise ModelError(
            f"Layer {dense.name!r} cannot become part of an agent", "its numbers are out of all proportion"
        )
    multiplier, shift = _fixed_point(means / after)
    return IntLayer(small, bias, multiplier, shift, low, high), after


def _range(dense: Dense, seen: Floats, coarsest: float) -> tuple[float, int, int]:
    """Return the step of the activations and their bounds in integers."""
    floor, ceiling = dense.low, dense.high
    if floor is None or ceiling is None:
        widest = float(np.abs(seen).max(initial=0.0))
        return max(widest, coarsest) / _OUTPUT_RANGE, -OUTPUT_LIMIT, OUTPUT_LIMIT
    top = 255 if floor == 0 else 127
    widest = float(np.abs(np.clip(seen, floor, ceiling)).max(initial=0.0))
    # Never active in calibration: any scale will do. And an output far coarser than what was seen must fit too.
    step = max(widest / top, coarsest / _OUTPUT_RANGE) if widest > 0 else coarsest * top
    limit = top if math.isinf(ceiling) else min(top, round(ceiling / step))
    return step, max(-top, round(floor / step)), limit


def _products(values: Ints, weight: NDArray[np.int8]) -> Ints:
    """Return the sums of products. Through doubles, which hold every such sum exactly, and much faster."""
    return (values.astype(np.float64) @ weight.astype(np.float64).T).astype(np.int64)


def _fixed_point(factors: Floats) -> tuple[Ints, int]:
    """Return multipliers below 2^30 and the one shift for which factor = multiplier / 2^shift."""
    _, exponent = math.frexp(float(factors.max()))
    shift = min(_MAX_SHIFT, max(1, _MULTIPLIER_BITS - exponent))
    return np.rint(np.ldexp(factors, shift)).astype(np.int64), shift
