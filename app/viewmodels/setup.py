"""The setup of a round: what the form holds, what is wrong with it, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.errors import Notice
from app.formats import ether, plural
from app.viewmodels.base import ViewModel
from engine.core.errors import EngineError
from engine.league.config import DEFAULT_BUDGET, AgentEntry, RoundConfig, Tier
from engine.league.disputes.published import Dishonesty
from engine.league.events import SystemAdded
from engine.league.schedule import LADDER, ROUND_ROBIN, SOLO, SWISS, Schedule

if TYPE_CHECKING:
    from app.bridge import Bridge
    from engine.league.admission import SystemInfo
    from engine.runtime import Runtime

FORMAT_TITLES = {SOLO: "Solo", ROUND_ROBIN: "Round robin", SWISS: "Swiss", LADDER: "Ladder"}
STAGED = (SWISS, LADDER)
_OF_CONFIG = (
    "name",
    "system",
    "stages",
    "matches",
    "preset",
    "capacity",
    "suspension",
    "seed",
    "budget",
    "stake_wei",
    "reward_wei",
    "cluster",
)


@dataclass(frozen=True, slots=True)
class Choice:
    """Something to choose: its id and how it reads."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class SystemChoice:
    """A System to choose. ``value`` names it in a league file: its id, or its hash where another one has the id."""

    value: str
    text: str
    info: SystemInfo


@dataclass(frozen=True, slots=True)
class SetupState:
    """The values of the form, the fault of each field, and what follows. ``revision`` counts outside changes.

    ``agents`` is how many play, ``foreign`` how many of them are samples of another System; ``host`` is the
    dishonesty that the host of an anchored round simulates.
    """

    name: str = "league"
    system: str = "snake"
    format: str = SOLO
    stages: int = 0
    matches: int = 20
    params: Mapping[str, int] = field(default_factory=dict)
    preset: str = ""
    tier: str = "bronze"
    seed: int = 1
    stake_wei: int = 10**18
    reward_wei: int = 10**18
    budget: int = DEFAULT_BUDGET
    capacity: int = 0
    suspension: int = 0
    cluster: str = ""
    anchor: bool = True
    host: str = Dishonesty.HONEST.value
    typed_well: bool = True
    errors: dict[str, str] = field(default_factory=dict)
    systems: tuple[SystemChoice, ...] = ()
    agents: int = 0
    foreign: int = 0
    summary: str = ""
    revision: int = 0

    @property
    def ready(self) -> bool:
        """Whether Run may be pressed."""
        return self.typed_well and not self.errors and self.agents >= self.seats

    @property
    def info(self) -> SystemInfo | None:
        """The chosen System, None while it is not known."""
        return next((choice.info for choice in self.systems if choice.value == self.system), None)

    @property
    def seats(self) -> int:
        """How many agents a match of the chosen System takes."""
        return self.info.seats if self.info is not None else 1

    @property
    def formats(self) -> tuple[Choice, ...]:
        """The formats that fit."""
        fitting = (SOLO,) if self.seats == 1 else (ROUND_ROBIN, SWISS, LADDER)
        return tuple(Choice(name, FORMAT_TITLES[name]) for name in fitting)


class SetupViewModel(ViewModel[SetupState]):
    """Keeps the form; makes the configuration of a round from it."""

    def __init__(self, bridge: Bridge, runtime: Runtime) -> None:
        super().__init__(bridge, SetupState())
        self._runtime = runtime
        self._hashes: tuple[str, ...] = ()
        self._check(self.state)
        bridge.subscribe(self._on_system, SystemAdded)
        self.start(self._load_systems(), "Reading the Systems")

    def edit(self, values: Mapping[str, Any], typed_well: bool) -> None:
        """Take what the form holds now; ``typed_well`` is False while some field cannot be read."""
        before, given = self.state, dict(values)
        if given.get("system", before.system) != before.system:
            self._check(_other_system(before, given["system"]))
            return
        if given.get("preset", before.preset) not in ("", before.preset):
            given.pop("params", None)
            self._check(replace(_with_preset(before, given["preset"]), typed_well=True))
            return
        if "params" in given:
            given["params"] = {**before.params, **given["params"]}
            given["preset"] = _preset_of(before.info, given["params"])
        elif "preset" in given:
            given["preset"] = before.preset
        state = replace(before, typed_well=typed_well, **given)
        outside = state.preset != values.get("preset", state.preset)
        self._check(replace(state, revision=state.revision + outside))

    def fill(self, **values: Any) -> None:
        """Put values into the form from outside."""
        self.edit(values, True)
        self._check(replace(self.state, revision=self.state.revision + 1))

    def set_anchor(self, anchor: bool) -> None:
        """Whether the round is anchored on the devnet; without that a host has nothing to cheat with."""
        host = self.state.host if anchor else Dishonesty.HONEST.value
        self._check(replace(self.state, anchor=anchor, host=host, revision=self.state.revision + 1))

    def set_agents(self, hashes: Sequence[str], foreign: int = 0) -> None:
        """Tell which agents would play, and how many of them are samples of another System."""
        self._hashes = tuple(hashes)
        self._check(replace(self.state, agents=len(hashes), foreign=foreign))

    def choose_system(self, value: str) -> None:
        """Choose a System from outside the form."""
        if value != self.state.system:
            self._check(_other_system(self.state, value))

    @property
    def dishonesty(self) -> Dishonesty:
        """How the host is to cheat."""
        return Dishonesty(self.state.host) if self.state.anchor else Dishonesty.HONEST

    def config(self, agents: tuple[AgentEntry, ...], workers: int) -> RoundConfig:
        """Return the configuration as the form has it. Raises UsageError."""
        return self._config(self.state, agents, workers)

    def load(self, path: Path) -> RoundConfig:
        """Fill the form from a league file and return its configuration. Raises EngineError."""
        config = RoundConfig.from_toml(path)
        values = {name: getattr(config, name) for name in _OF_CONFIG}
        state = replace(
            self.state,
            **values,
            params=dict(config.params),
            format="" if config.format == "auto" else config.format,
            tier=config.tier.label,
            typed_well=True,
        )
        self._check(_fitted(state))
        return config

    def _config(self, state: SetupState, agents: tuple[AgentEntry, ...], workers: int) -> RoundConfig:
        values = {name: getattr(state, name) for name in _OF_CONFIG}
        values["name"] = state.name.strip()
        values["stages"] = state.stages if state.format in STAGED else 0
        return RoundConfig(
            **values,
            format=state.format,
            params={} if state.preset else dict(state.params),
            tier=Tier.of(state.tier),
            agents=agents,
            workers=workers,
        )

    def _on_system(self, event: SystemAdded) -> None:
        text = "It can be chosen in the setup of a round."
        self.bridge.notify(Notice("ok", f"The System {event.title} was added", text, key="system"))
        self.start(self._load_systems(), "Reading the Systems")

    async def _load_systems(self) -> None:
        infos = await self._runtime.league.systems()
        self._check(_fitted(replace(self.state, systems=tuple(_choices(infos)))))

    def _check(self, state: SetupState) -> None:
        errors = self._errors(state)
        checked = replace(state, errors=errors)
        try:
            summary = self._summary(checked)
        except EngineError as error:
            field_name = "matches" if "too long" in error.what else "name"
            checked, summary = replace(checked, errors={**errors, field_name: error.why or error.what}), ""
        checked = replace(checked, summary=summary)
        if checked != self.state:
            self.state = checked
            self._announce()

    def _errors(self, state: SetupState) -> dict[str, str]:
        errors = {}
        tier = Tier.of(state.tier)
        if state.stake_wei < tier.min_stake:
            errors["stake_wei"] = f"{tier.label.capitalize()} asks for at least {ether(tier.min_stake)}"
        if state.systems and state.info is None:
            errors["system"] = f"There is no System {state.system!r} here"
        elif state.seats > 2:
            errors["system"] = f"It has {state.seats} seats; leagues are played by one or two"
        return errors

    def _summary(self, state: SetupState) -> str:
        if not state.agents:
            return "Let at least one agent play to run a round."
        if state.errors or not state.typed_well:
            return "Correct the marked fields to run a round."
        config = self._config(state, (), 1)
        if state.agents < state.seats:
            return "A league of two seats needs two agents."
        hashes = self._hashes[: state.capacity] if state.capacity else self._hashes
        settings = {"format": state.format, "stages": config.stages, "matches": state.matches, "seed": state.seed}
        plan = Schedule.of(settings, hashes)
        left = f" ({len(self._hashes) - len(hashes)} stay out)" if len(hashes) < len(self._hashes) else ""
        stages = f" in {plural(plan.stages, 'stage')}" if plan.stages > 1 else ""
        foreign = (
            f" {plural(state.foreign, 'sample is', 'samples are')} made for another System." if state.foreign else ""
        )
        matches = plural(plan.total, "match", "matches")
        who = f"{plural(len(hashes), 'agent')}{left} play{'s' if len(hashes) == 1 else ''}"
        text = f"{who} {matches}{stages} for a pot of {ether(config.pot_wei)}."
        return text + foreign


def _choices(infos: Iterable[SystemInfo]) -> Iterable[SystemChoice]:
    """Yield the Systems; the first of an id is named by it, as the engine does, any other by its hash."""
    seen: set[str] = set()
    for info in infos:
        value = info.sha256 if info.id in seen else info.id
        seen.add(info.id)
        own = "" if info.shipped else f" · added, {info.sha256[:8]}"
        yield SystemChoice(value, f"{info.title}{own}", info)


def _other_system(state: SetupState, value: str) -> SetupState:
    """Return the form for another System: its own parameters, a format that fits."""
    return _fitted(replace(state, system=value, params={}, preset="", typed_well=True))


def _fitted(state: SetupState) -> SetupState:
    """Return the form with every parameter of its System and a format that fits its seats."""
    info = state.info
    if info is None:
        return replace(state, format=state.format or SOLO, revision=state.revision + 1)
    preset = next((item.params for item in info.presets if item.id == state.preset), {})
    params = {item.name: state.params.get(item.name, preset.get(item.name, item.default)) for item in info.params}
    fitting = [choice.id for choice in state.formats]
    form = state.format if state.format in fitting else fitting[0]
    known = _preset_of(info, params)
    return replace(state, params=params, preset=known, format=form, revision=state.revision + 1)


def _with_preset(state: SetupState, preset: str) -> SetupState:
    return _fitted(replace(state, params={}, preset=preset))


def _preset_of(info: SystemInfo | None, params: Mapping[str, int]) -> str:
    """Return the preset that these parameters are, "" when they are nobody's."""
    presets = info.presets if info is not None else ()
    return next((item.id for item in presets if item.params == dict(params)), "")


def tier_choices() -> tuple[Choice, ...]:
    """Return the tiers with what each asks and gives."""
    return tuple(
        Choice(
            tier.label,
            f"{tier.label.capitalize()}, {ether(tier.min_stake)}, {tier.multiplier_bps / 10_000:g}x",
        )
        for tier in Tier
    )


HOSTS = {
    Dishonesty.HONEST: "Honest",
    Dishonesty.INFLATE: "Inflate a score",
    Dishonesty.INFLATE_TOTAL: "Inflate the total",
    Dishonesty.ALTER: "Alter a step",
    Dishonesty.WITHHOLD: "Withhold a trace",
    Dishonesty.EQUIVOCATE: "Equivocate",
}
