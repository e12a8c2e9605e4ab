"""Settings of a round of consensus and of an agent, checked where they come in."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from engine.consensus.errors import ConsensusError

STRATEGIES = ("pure", "mixed", "adaptive")
TIERS = ("slots", "accumulator")


def shown(value: object) -> str:
    """Return a value as a message shows it: not longer than a line, whatever somebody typed."""
    try:
        text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    except ValueError:  # Python refuses to write thousands of digits
        return "a number that large"
    return text if len(text) <= 80 else f"{text[:77]}..."


def _cannot(name: str, value: object, why: str) -> ConsensusError:
    return ConsensusError(f"The setting {name} cannot be {shown(value)}", why)


class _Settings:
    """What both kinds of settings share: reading a mapping, and limits."""

    LIMITS: dict[str, tuple[float, float]] = {}
    CHOICES: dict[str, tuple[str, ...]] = {}

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            kind = type(field.default)
            whole = isinstance(value, int) and not isinstance(value, bool)
            if type(value) is not kind and not (kind is float and whole):
                raise _cannot(field.name, value, f"it must be of type {kind.__name__}")
            low, high = self.LIMITS.get(field.name, (None, None))
            if low is not None and high is not None and not low <= value <= high:
                raise _cannot(field.name, value, f"it must lie in {low:g} to {high:g}")
            if kind is float and whole:  # after the limits: a whole number may be too large for a float
                object.__setattr__(self, field.name, float(value))
            if field.name in self.CHOICES and value not in self.CHOICES[field.name]:
                raise _cannot(field.name, value, f"it is one of {', '.join(self.CHOICES[field.name])}")

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Return the settings that a mapping gives, the rest being defaults. Raises ConsensusError."""
        if not isinstance(values, Mapping):
            raise ConsensusError("The settings cannot be used", f"names with values are needed, not {values!r:.80}")
        known = [field.name for field in fields(cls)]  # type: ignore[arg-type]
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(str(name)[:100], known, 1)
                raise ConsensusError(
                    f"There is no setting {shown(name)}",
                    f"known are {', '.join(known)}",
                    f"Did you mean {near[0]}?" if near else "",
                )
        return cls(**values)


@dataclass(frozen=True, slots=True)
class ConsensusConfig(_Settings):
    """How a round runs.

    ``convergence_threshold``: the gap (relative to the payoff ranges) below which the off-chain phase has converged.
    ``coupling`` is kappa, how much agents mind their distance from each other. ``epsilon`` is the regret
    that the chain certifies. ``submission_window`` (seconds of the chain's clock) is how long positions are taken,
    ``answer_timeout`` (seconds) how long an agent may think in one iteration. ``quorum`` is the least number of agents.
    With ``gas_optimization`` a relayer sends batches (kept as ``tier`` says), without it every agent sends its own
    transaction. ``gpu_acceleration`` asks for CUDA where there is one.
    """

    LIMITS = {
        "max_iterations": (1, 100_000),
        "convergence_threshold": (1e-12, 1.0),
        "coupling": (1e-6, 100.0),
        "epsilon": (1e-12, 1e6),
        "submission_window": (1, 30 * 86_400),
        "answer_timeout": (0.01, 3_600.0),
        "quorum": (2, 1_024),
        "seed": (0, 2**63 - 1),
    }
    CHOICES = {"tier": TIERS}

    max_iterations: int = 100
    convergence_threshold: float = 0.01
    hybrid_mode: bool = True
    gas_optimization: bool = True
    gpu_acceleration: bool = True
    coupling: float = 0.01
    epsilon: float = 1e-6
    submission_window: int = 60
    answer_timeout: float = 5.0
    quorum: int = 2
    tier: str = "slots"
    seed: int = 0


@dataclass(frozen=True, slots=True)
class AgentConfig(_Settings):
    """How an agent makes up its mind.

    ``strategy_type``: pure (its one best choice), mixed (a distribution over choices) or adaptive (learns from
    outcomes). The rest is of the adaptive one: the step of its learning, how often it tries something else, how many
    outcomes it remembers, and after how many new ones it learns.
    """

    LIMITS = {
        "learning_rate": (0.0, 10.0),
        "exploration_rate": (0.0, 1.0),
        "memory_size": (1, 10_000_000),
        "update_frequency": (1, 1_000_000),
    }
    CHOICES = {"strategy_type": STRATEGIES}

    strategy_type: str = "mixed"
    learning_rate: float = 0.001
    exploration_rate: float = 0.1
    memory_size: int = 10_000
    update_frequency: int = 10
