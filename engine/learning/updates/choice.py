"""What a rule says of the updates before it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.learning.updates.product import Array


class TooFewError(Exception):
    """The rule cannot bear that many bad updates among so few; the text is the arithmetic."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Either weights of a mean of the updates, (n,), or the dense weight change of each target, (out, in).

    ``scores`` are Krum's, (n,), None where the rule has none; ``chosen`` says whose update went in, (n,).
    """

    chosen: NDArray[np.bool_]
    weights: Array | None = None
    blocks: tuple[Array, ...] | None = None
    scores: Array | None = None


def mean_of(chosen: NDArray[np.bool_], scores: Array | None = None) -> Choice:
    """Return the plain mean of the chosen updates."""
    return Choice(chosen, weights=chosen / np.count_nonzero(chosen), scores=scores)
