"""A little is enough: colluders that hide within the spread of the honest deltas.

Source: Baruch, Baruch, Goldberg, A Little Is Enough: Circumventing Defenses For Distributed Learning, NeurIPS 2019.
They go z standard deviations away from the honest mean, just so far that enough honest ones lie farther out to make a
majority with them, and all publish the same. In many dimensions every honest delta lies farther from the mean than
that, so a rule that looks for the nearest neighbours takes the colluders first.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.learning.updates.delta import Delta


def reach(n: int, byzantine: int) -> float:
    """Return z for f colluders among n.

    1. They need s = floor(n / 2 + 1) - f honest supporters. 2. z is the largest with phi(z) < (n - f - s) / (n - f).
    From f = n / 2 on they need none and z has no limit; one supporter is reckoned with then.
    """
    honest = n - byzantine
    supporters = max(n // 2 + 1 - byzantine, 1)
    share = (honest - supporters) / honest if honest > 0 else 0.0
    return max(NormalDist().inv_cdf(share), 0.0) if share > 0 else 0.0


def alie(honest: Sequence[Delta], z: float) -> Delta:
    """Return what every colluder publishes: of each number the mean, z standard deviations back towards the other sign.

    A is nearly the same for all trainers of a round, which start from a shared one, so what is moved is B: then the
    spread of B A is that of B, and the result keeps its rank.
    """
    made = {}
    for key in honest[0]:
        a, b = (np.stack([delta[key][part] for delta in honest]).astype(np.float64) for part in (0, 1))
        made[key] = (_single(a.mean(axis=0)), _single(b.mean(axis=0) - z * np.sign(b.mean(axis=0)) * b.std(axis=0)))
    return made


def _single(values: NDArray[Any]) -> NDArray[np.float32]:
    return values.astype(np.float32)
