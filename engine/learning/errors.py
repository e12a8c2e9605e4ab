"""Errors of the learning chain."""

from __future__ import annotations

from engine.core.errors import EngineError


class LearningError(EngineError):
    """An expected failure of the learning chain."""


class LearnSettingError(LearningError):
    """A setting, seed, scenario or ``.env`` file that cannot be used."""

    exit_code = 2


class LearnExtraMissingError(LearningError):
    """Real training or the real DHT was asked for, and its packages are not installed."""

    exit_code = 4


class BlockRefusedError(LearningError):
    """A block breaks a rule of the chain; ``rule`` names it, the text says it in a sentence."""

    def __init__(self, rule: str, why: str) -> None:
        super().__init__("The block was refused", why, rule=rule)
        self.rule = rule


class DeltaRefusedError(LearningError):
    """A LoRA delta cannot be used; ``reason`` is a key of :data:`engine.learning.results.REJECTIONS`."""

    def __init__(self, reason: str, why: str) -> None:
        super().__init__("The delta was refused", why, reason=reason)
        self.reason = reason


class TrainingError(LearningError):
    """Training or evaluation failed: a worker ended, a model cannot be read."""


class TransportError(LearningError):
    """The DHT does not do what it should: a node is gone, a port is taken, a record was refused."""


class JournalError(LearningError):
    """The record of a run cannot be gone on with."""


class LearnPortError(LearningError):
    """A port of a service is taken."""
