"""Puts a LoRA delta on a base: W becomes W + alpha / r * B A (Hu et al. 2021)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from engine.learning.ai.model import module_name
from engine.learning.updates.delta import Delta, DeltaSpec


def with_delta(weights: Mapping[str, Tensor], delta: Delta, spec: DeltaSpec) -> dict[str, Tensor]:
    """Return weights with a delta on top, in their own precision; what it leaves alone is shared, not copied."""
    changed = dict(weights)
    for key, (a, b) in delta.items():
        name = f"{module_name(key)}.weight"
        product = torch.from_numpy(b.astype(np.float64) @ a.astype(np.float64)) * spec.scale
        changed[name] = (weights[name].double() + product).to(weights[name].dtype)
    return changed
