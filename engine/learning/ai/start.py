"""The shared start of a round: A of every target, the same for all trainers.

Source: "LoRA: Low-Rank Adaptation of Large Language Models" (Hu et al. 2021), where A is random and B zero at first.
"""

from __future__ import annotations

from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from engine.learning.updates.delta import DeltaSpec


def shared_start(spec: DeltaSpec, seed: bytes) -> dict[str, NDArray[np.float32]]:
    """Return A of each target, (rank, in), uniform within 1/sqrt(in) as LoRA's reference draws it."""
    made = {}
    for key, _, inner in spec.targets:
        name = sha256(b"POL-AI lora A|" + seed + b"|" + key.encode()).digest()
        numbers = np.frombuffer(_stream(name, 4 * spec.rank * inner), "<u4").astype(np.float64) / 2**32
        made[key] = ((2 * numbers - 1) / np.sqrt(inner)).astype(np.float32).reshape(spec.rank, inner)
    return made


def _stream(name: bytes, count: int) -> bytes:
    blocks = (sha256(name + at.to_bytes(4, "big")).digest() for at in range(-(-count // 32)))
    return b"".join(blocks)[:count]
