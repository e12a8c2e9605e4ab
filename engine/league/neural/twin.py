"""The quantised network in torch: the same integers as the agent's, bit for bit."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from engine.league.neural.actions import Actions
from engine.league.neural.features import FeatureMap, Rows
from engine.league.neural.quantise import IntLayer, IntMlp, input_limits


class QuantisedLayer(nn.Module):
    """A linear layer of 8-bit weights with its rescaling and clamp."""

    weight: Tensor
    bias: Tensor
    multiplier: Tensor

    def __init__(self, layer: IntLayer) -> None:
        super().__init__()
        self.register_buffer("weight", torch.from_numpy(layer.weight.copy()))
        self.register_buffer("bias", torch.from_numpy(layer.bias.astype(np.int32)))
        self.register_buffer("multiplier", torch.from_numpy(layer.multiplier.copy()))
        self.shift, self.low, self.high = layer.shift, layer.low, layer.high

    def forward(self, values: Tensor) -> Tensor:
        """Return the activations (int32) of int32 inputs."""
        sums = values @ self.weight.to(torch.int32).T + self.bias
        scaled = (sums.to(torch.int64) * self.multiplier + (1 << self.shift - 1)) >> self.shift
        return scaled.clamp(self.low, self.high).to(torch.int32)


class QuantisedTwin(nn.Module):
    """The agent's twin: raw inputs (int64) to outputs (int32); ``decide`` goes from observations to actions."""

    input_shift: Tensor
    gain: Tensor
    limit: Tensor

    def __init__(self, network: IntMlp, features: FeatureMap, actions: Actions) -> None:
        super().__init__()
        self.features, self.actions = features, actions
        self.register_buffer("input_shift", torch.from_numpy(network.shift.copy()))
        self.register_buffer("gain", torch.from_numpy(network.gain.copy()))
        self.register_buffer("limit", torch.from_numpy(input_limits(network.gain)))
        self.layers = nn.Sequential(*(QuantisedLayer(layer) for layer in network.layers))

    def forward(self, raw: Tensor) -> Tensor:
        """Return the outputs for lines of raw inputs."""
        held = torch.clamp(raw >> self.input_shift, -self.limit, self.limit)
        outputs: Tensor = self.layers((held * self.gain).to(torch.int32))
        return outputs

    def logits(self, rows: Rows) -> Tensor:
        """Return the outputs for rows of observations."""
        with torch.no_grad():
            outputs: Tensor = self(torch.from_numpy(self.features.encode(rows)))
        return outputs

    def decide(self, rows: Rows) -> list[int]:
        """Return the action for each row."""
        chosen: list[int] = self.actions.choose(self.logits(rows).numpy().astype(np.int64), rows).tolist()
        return chosen
