"""What a solver is asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.games.errors import GameError
from engine.games.games import Profile

MAX_ITERATIONS = 10_000_000
DEVICES = ("cpu", "cuda")


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveOptions:
    """How to solve.

    ``epsilon``: the gap to reach, NashConv relative to the payoff ranges. ``iterations``: at most so many steps of the
    method (0: its own limit). ``stride``: iterations from one step that is told to the next (0: as the method likes,
    for speed; 1: every one, for traces). ``seed`` decides whatever a method chooses by chance. ``start``: where
    iterative methods begin. ``parameters``: the method's own, by name.
    """

    epsilon: float = 1e-6
    iterations: int = 0
    stride: int = 0
    seed: int = 0
    device: str = "cpu"
    time_limit_s: float = math.inf
    start: Profile | None = None
    parameters: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.epsilon) and 0 < self.epsilon <= 1):
            raise GameError("The epsilon cannot be used", f"{self.epsilon} is not above 0 and at most 1")
        for name, value in (("number of iterations", self.iterations), ("stride", self.stride)):
            if not 0 <= value <= MAX_ITERATIONS:
                raise GameError(f"The {name} cannot be used", f"{value} is not between 0 and {MAX_ITERATIONS}")
        if not 0 <= self.seed < 1 << 64:
            raise GameError("The seed cannot be used", f"{self.seed} is not between 0 and 2^64 - 1")
        if self.device not in DEVICES:
            raise GameError("The device is unknown", f"{self.device!r}", f"Known: {', '.join(DEVICES)}.")
        if not self.time_limit_s > 0:
            raise GameError("The time limit cannot be used", f"{self.time_limit_s} s is not above 0")
