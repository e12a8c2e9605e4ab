"""What a scenario is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.learning.config import LearnConfig
from engine.learning.faults import Fault
from engine.learning.results import Check

if TYPE_CHECKING:
    from engine.learning.run.world import World


@dataclass(frozen=True, slots=True)
class Scenario:
    """Settings that differ from the usual ones, faults, and expectations by name.

    ``deposits`` are slots in which a newcomer stakes 32 POL. ``expects`` are lines of
    :mod:`engine.learning.scenario.checks`: a name, or ``name=value``.
    """

    name: str
    title: str
    sentence: str
    settings: dict[str, Any] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    deposits: tuple[int, ...] = ()
    expects: tuple[str, ...] = ()
    slow: bool = False

    def config(self, **overrides: Any) -> LearnConfig:
        """Return the settings, some of them changed. Raises LearnSettingError."""
        return LearnConfig.read({**self.settings, **overrides})

    def checks(self, world: World) -> tuple[Check, ...]:
        """Return what became of the expectations."""
        from engine.learning.scenario.checks import check

        return tuple(check(line, world) for line in self.expects)
