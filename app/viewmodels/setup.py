"""The setup of a round: what the form holds, what is wrong with it, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.formats import ether, plural
from app.viewmodels.base import ViewModel
from engine.core.errors import EngineError
from engine.league.config import DEFAULT_BUDGET, AgentEntry, RoundConfig, Tier

if TYPE_CHECKING:
    from app.bridge import Bridge
    from engine.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Choice:
    """Something to choose: its id and how it reads."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class SetupState:
    """The values of the form, the fault of each field, and what follows. ``revision`` counts outside changes."""

    name: str = "league"
    system: str = "snake"
    tier: str = "bronze"
    matches: int = 20
    seed: int = 1
    stake_wei: int = 10**18
    reward_wei: int = 10**18
    budget: int = DEFAULT_BUDGET
    anchor: bool = True
    typed_well: bool = True
    errors: dict[str, str] = field(default_factory=dict)
    systems: tuple[Choice, ...] = ()
    agents: int = 0
    summary: str = ""
    revision: int = 0

    @property
    def ready(self) -> bool:
        """Whether Run may be pressed."""
        return self.typed_well and not self.errors and self.agents > 0


class SetupViewModel(ViewModel[SetupState]):
    """Keeps the form; makes the configuration of a round from it."""

    def __init__(self, bridge: Bridge, runtime: Runtime) -> None:
        super().__init__(bridge, SetupState())
        self._runtime = runtime
        self._check(self.state)
        self.start(self._load_systems(), "Reading the Systems")

    def edit(self, values: dict[str, Any], typed_well: bool) -> None:
        """Take what the form holds now; ``typed_well`` is False while some field cannot be read."""
        self._check(replace(self.state, typed_well=typed_well, **values))

    def set_anchor(self, anchor: bool) -> None:
        """Whether the round is anchored on the devnet."""
        self._check(replace(self.state, anchor=anchor))

    def set_agents(self, count: int) -> None:
        """Tell how many agents would play."""
        self._check(replace(self.state, agents=count))

    def config(self, agents: tuple[AgentEntry, ...], workers: int) -> RoundConfig:
        """Return the configuration as the form has it. Raises UsageError."""
        state = self.state
        return RoundConfig(
            name=state.name.strip(),
            system=state.system,
            tier=Tier.of(state.tier),
            agents=agents,
            matches=state.matches,
            seed=state.seed,
            budget=state.budget,
            stake_wei=state.stake_wei,
            reward_wei=state.reward_wei,
            workers=workers,
        )

    def load(self, path: Path) -> RoundConfig:
        """Fill the form from a league file and return its configuration. Raises EngineError."""
        config = RoundConfig.from_toml(path)
        state = replace(
            self.state,
            name=config.name,
            system=config.system,
            tier=config.tier.label,
            matches=config.matches,
            seed=config.seed,
            budget=config.budget,
            stake_wei=config.stake_wei,
            reward_wei=config.reward_wei,
            typed_well=True,
            revision=self.state.revision + 1,
        )
        self._check(state)
        return config

    async def _load_systems(self) -> None:
        infos = await self._runtime.league.systems()
        systems = tuple(Choice(info.id, info.title) for info in infos)
        self._check(replace(self.state, systems=systems, revision=self.state.revision + 1))

    def _check(self, state: SetupState) -> None:
        errors = {}
        tier = Tier.of(state.tier)
        if state.stake_wei < tier.min_stake:
            errors["stake_wei"] = f"{tier.label.capitalize()} asks for at least {ether(tier.min_stake)}"
        if state.systems and state.system not in {choice.id for choice in state.systems}:
            errors["system"] = f"There is no System {state.system!r} here"
        checked = replace(state, errors=errors)
        try:
            summary = self._summary(checked)
        except EngineError as error:
            checked, summary = replace(checked, errors={**errors, "name": error.why or error.what}), ""
        checked = replace(checked, summary=summary)
        if checked != self.state:
            self.state = checked
            self.bridge.changed(self._flush)

    def _summary(self, state: SetupState) -> str:
        if not state.agents:
            return "Add at least one agent to run a round."
        if state.errors or not state.typed_well:
            return "Correct the marked fields to run a round."
        pot = state.reward_wei * Tier.of(state.tier).multiplier_bps // 10_000
        matches = plural(state.matches * state.agents, "match", "matches")
        return f"{plural(state.agents, 'agent')} play {matches} for a pot of {ether(pot)}."


def tier_choices() -> tuple[Choice, ...]:
    """Return the tiers with what each asks and gives."""
    return tuple(
        Choice(
            tier.label,
            f"{tier.label.capitalize()} · from {ether(tier.min_stake)} · {tier.multiplier_bps / 10_000:g}x reward",
        )
        for tier in Tier
    )
