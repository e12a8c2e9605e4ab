"""What a run is asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.learning.errors import LearnSettingError
from engine.learning.faults import Fault

if TYPE_CHECKING:
    from engine.learning.config import LearnConfig
    from engine.learning.scenario import Scenario


@dataclass(frozen=True, slots=True)
class LearnSpec:
    """A scenario's name (or the path of a ``.toml``), settings that differ from it, and faults beside its own.

    ``on_chain``: stakes, checkpoints and slashings are mirrored to the staking contract of the devnet. ``services``:
    the HTTP services are opened, on ``ports`` by the names of :class:`engine.learning.env.Ports` (missing: the usual
    one, 0: any that is free). ``endless``: the chain goes on until it is cancelled.
    """

    scenario: str = "committee"
    settings: dict[str, Any] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    on_chain: bool = False
    services: bool = False
    ports: dict[str, int] = field(default_factory=dict)
    endless: bool = False

    def resolve(self) -> tuple[Scenario, LearnConfig]:
        """Return the scenario with this run's faults, and its configuration. Raises LearnSettingError."""
        from engine.learning.scenario import SCENARIOS, load

        if self.scenario in SCENARIOS:
            found = SCENARIOS[self.scenario]
        elif self.scenario.endswith(".toml"):
            found = load(Path(self.scenario).expanduser())
        else:
            names = ", ".join(SCENARIOS)
            raise LearnSettingError(f"There is no scenario {self.scenario!r}", "", f"There are: {names}.")
        if self.faults:
            found = replace(found, faults=(*found.faults, *self.faults))
        return found, found.config(**self.settings)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "scenario": self.scenario,
            "settings": self.settings,
            "faults": faults_json(self.faults),
            "on_chain": self.on_chain,
            "services": self.services,
            "ports": self.ports,
            "endless": self.endless,
        }

    @classmethod
    def from_json(cls, document: Any) -> LearnSpec:
        """Return the spec whose ``to_json`` this is. Raises LearnSettingError."""
        try:
            faults = tuple(Fault(slot, kind, tuple(t), until, n) for slot, kind, t, until, n in document["faults"])
            found = cls(**{**document, "faults": faults})
            found._check()
        except (TypeError, KeyError, ValueError) as error:
            text = json.dumps(document, default=str)[:200]
            raise LearnSettingError("The run's description cannot be read", f"{error!r} in {text}") from error
        return found

    def _check(self) -> None:
        """Check types: a file may say anything. Raises TypeError."""
        numbers = [n for f in self.faults for n in (f.slot, f.count, f.until or 0, *f.targets)]
        fits = (
            isinstance(self.scenario, str)
            and all(isinstance(table, dict) for table in (self.settings, self.ports))
            and all(type(flag) is bool for flag in (self.on_chain, self.services, self.endless))
            and all(type(number) is int for number in (*numbers, *self.ports.values()))
        )
        if not fits:
            raise TypeError("a value is of another type")


def faults_json(faults: tuple[Fault, ...]) -> list[list[Any]]:
    """Return the JSON form of faults."""
    return [[f.slot, f.kind, list(f.targets), f.until, f.count] for f in faults]
