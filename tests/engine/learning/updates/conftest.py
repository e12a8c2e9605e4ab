"""Deltas of small and of real shapes, drawn by seeds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from engine.learning.updates.delta import Delta, DeltaSpec, pack, parse

Draw = Callable[..., Delta]


@pytest.fixture(scope="session")
def spec() -> DeltaSpec:
    """Five targets, some wider and some narrower than n r."""
    targets = (("0.q", 24, 24), ("0.down", 12, 40), ("0.up", 40, 12), ("1.q", 6, 3), ("10.q", 5, 64))
    return DeltaSpec(4, 8.0, targets)


@pytest.fixture(scope="session")
def draw() -> Draw:
    """Return ``draw(spec, seed, size)``: a delta as it comes out of its bytes."""

    def drawn(spec: DeltaSpec, seed: int, size: float = 1e-2) -> Delta:
        rng = np.random.default_rng(seed)
        made = {}
        for key, out, inner in spec.targets:
            a, b = rng.normal(0, 0.1, (spec.rank, inner)), rng.normal(0, size, (out, spec.rank))
            made[key] = (a.astype(np.float32), b.astype(np.float32))
        return parse(pack(made), spec)

    return drawn
