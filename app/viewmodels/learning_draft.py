"""What a run of the learning chain is made of while it is put together: scenario, settings, services, stakes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from app.viewmodels.base import ViewModel
from app.viewmodels.learning_runs import LearnRecord
from engine.learning.config import LearnConfig

if TYPE_CHECKING:
    from app.bridge import Bridge
    from engine.runtime import Runtime

PORTS = {"PRYSM_REST_PORT": 3500, "AI_ENGINE_PORT": 8552, "DHT_PORT": 13337, "GETH_HTTP_PORT": 8545}
SPEEDS = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)  # slots a second; 0 is as fast as it goes
FIRST = "committee"  # the scenario that is offered first, where there is one of that name
UNREADABLE = "Cannot be read."


@dataclass(frozen=True, slots=True)
class ScenarioFacts:
    """A scenario as the form offers it; ``settings`` is its whole configuration."""

    name: str
    title: str
    sentence: str
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LearningState:
    """What the page shows. ``revision`` counts changes of the form from outside, ``beat`` those of the runs.

    ``ports`` are by their names in the ``.env``; None cannot be read, 0 is any that is free. ``missing`` says what
    real training lacks here. ``rows`` are the kept runs, newest first. ``outcomes``: how each scenario went last.
    """

    scenarios: tuple[ScenarioFacts, ...] = ()
    choice: str = ""
    settings: Mapping[str, Any] = field(default_factory=lambda: LearnConfig().model_dump())
    unread: frozenset[str] = frozenset()
    on_chain: bool = False
    services: bool = False
    ports: Mapping[str, int | None] = field(default_factory=lambda: dict(PORTS))
    errors: Mapping[str, str] = field(default_factory=dict)
    missing: str = ""
    revision: int = 0
    speed: float = 0.0
    node: str = "stopped"
    waiting: bool = False
    run: LearnRecord | None = None
    runs: tuple[LearnRecord, ...] = ()
    rows: tuple[Any, ...] = ()
    offer: Any = None
    outcomes: Mapping[str, str] = field(default_factory=dict)
    slot: int | None = None
    cell: tuple[int, int] | None = None
    update: tuple[int, str] | None = None
    beat: int = 0

    @property
    def busy(self) -> bool:
        """Whether a run is under way or paused."""
        return self.run is not None and not self.run.ended

    @property
    def ready(self) -> bool:
        """Whether Run would start one."""
        return bool(self.choice) and not self.errors and not self.waiting

    @property
    def scenario(self) -> ScenarioFacts | None:
        """The chosen scenario."""
        return next((one for one in self.scenarios if one.name == self.choice), None)

    @property
    def needs_node(self) -> bool:
        """Whether a devnet has to be started first."""
        return self.on_chain and self.node not in ("running", "foreign")


class LearningDraft(ViewModel[LearningState]):
    """Edits the draft and says what is wrong with it."""

    def __init__(self, bridge: Bridge, runtime: Runtime) -> None:
        super().__init__(bridge, LearningState())
        self._runtime = runtime

    def choose(self, name: str) -> None:
        """Take a scenario with its settings; the genesis seed that was typed stays."""
        found = next((one for one in self.state.scenarios if one.name == name), None)
        if found is not None:
            kept = self.state.settings.get("genesis_seed")
            seed = {"genesis_seed": kept} if kept else {}
            settings = {**found.settings, **seed}
            self.update(choice=name, settings=settings, unread=frozenset(), revision=self.state.revision + 1)
            self._check()

    def edit(self, values: Mapping[str, Any], unread: Iterable[str] = ()) -> None:
        """Take settings, and the names of those that cannot be read."""
        names = frozenset(unread) | (self.state.unread - frozenset(values))
        self.update(settings={**self.state.settings, **values}, unread=names)
        self._check()

    def fill(self, **values: Any) -> None:
        """Set settings from outside the form."""
        self.edit(values)
        self.update(revision=self.state.revision + 1)

    def set_mirror(self, on_chain: bool) -> None:
        """Mirror stakes and slashings to the devnet, or do not."""
        self.update(on_chain=on_chain)
        self._check()

    def set_services(self, opened: bool, ports: Mapping[str, int | None] | None = None) -> None:
        """Open the HTTP services, or do not."""
        self.update(services=opened, ports=dict(ports) if ports is not None else self.state.ports)
        self._check()

    def overrides(self) -> dict[str, Any]:
        """Return the settings that differ from those of the scenario."""
        scenario = self.state.scenario
        base = scenario.settings if scenario is not None else {}
        return {name: value for name, value in self.state.settings.items() if base.get(name) != value}

    def _check(self) -> None:
        state = self.state
        errors = {**settings_errors(state.settings), **dict.fromkeys(state.unread, UNREADABLE)}
        if state.missing:
            for name, value in (("training", "real"), ("transport", "dht")):
                if state.settings.get(name) == value:
                    errors.setdefault(name, f"{state.missing}.")
        if state.services:
            errors |= port_errors(state.ports)
        self.update(errors=errors)


def settings_errors(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with settings, by their names; what concerns several stands under "settings"."""
    errors: dict[str, str] = {}
    try:
        LearnConfig.model_validate(dict(settings))
    except ValidationError as error:
        for item in error.errors():
            name = str(item["loc"][0]) if item["loc"] else "settings"
            text = str(item["msg"]).removeprefix("Value error, ")
            errors.setdefault(name, f"{text[:1].upper()}{text[1:].rstrip('.')}.")
    return errors


def port_errors(ports: Mapping[str, int | None]) -> dict[str, str]:
    """Return what is wrong with ports."""
    errors = {name: UNREADABLE for name, port in ports.items() if port is None}
    seen: dict[int, str] = {}
    for name, port in ports.items():
        if port and port in seen:
            errors[name] = f"The same port as {seen[port]}."
        elif port:
            seen[port] = name
    return errors
