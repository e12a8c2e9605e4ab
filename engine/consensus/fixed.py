"""Positions as the contract keeps them: unsigned 48-bit fixed point, six bytes a coordinate, big-endian."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.consensus.errors import ConsensusError
from engine.games.games import Floats

BYTES = 6
BITS = 8 * BYTES
FRACTION = 32
LIMIT = 2.0**15  # coordinates lie in [-LIMIT, LIMIT)
MILLION = 1_000_000  # of confidences and couplings
_BIAS = 1 << (BITS - 1)
_ONE = float(1 << FRACTION)


def to_fixed(position: Floats) -> NDArray[np.int64]:
    """Return real coordinates of any shape as 48-bit integers, rounded to the nearest. Raises ConsensusError."""
    values = np.asarray(position, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ConsensusError("A position cannot be written to the chain", "it holds a number that is not finite")
    scaled = np.rint(values * _ONE) + _BIAS
    if (scaled < 0).any() or (scaled >= float(1 << BITS)).any():
        raise ConsensusError(
            "A position cannot be written to the chain",
            f"a coordinate is outside [-{LIMIT:g}, {LIMIT:g})",
            "Let the model's output be of that size: shares, probabilities or standardised values.",
        )
    return scaled.astype(np.int64)


def from_fixed(values: Sequence[int] | NDArray[np.int64]) -> Floats:
    """Return 48-bit integers as real coordinates."""
    return (np.asarray(values, dtype=np.int64) - _BIAS).astype(np.float64) / _ONE


def pack(values: Sequence[int] | NDArray[np.int64]) -> bytes:
    """Return 48-bit integers as bytes, the contract's packed position."""
    wide = np.asarray(values, dtype=np.int64).astype(">u8").reshape(-1, 1).view(np.uint8).reshape(-1, 8)
    return wide[:, 8 - BYTES :].tobytes()


def unpack(data: bytes) -> NDArray[np.int64]:
    """Return what ``pack`` packed. Raises ConsensusError when the length is no multiple of six."""
    if len(data) % BYTES:
        raise ConsensusError("A packed position is cut off", f"{len(data)} bytes are no multiple of {BYTES}")
    wide = np.zeros((len(data) // BYTES, 8), dtype=np.uint8)
    wide[:, 8 - BYTES :] = np.frombuffer(data, dtype=np.uint8).reshape(-1, BYTES)
    return wide.reshape(-1).view(">u8").astype(np.int64)


def millionths(value: float) -> int:
    """Return a confidence or coupling as the contract counts it, at least 1."""
    return max(1, round(value * MILLION))
