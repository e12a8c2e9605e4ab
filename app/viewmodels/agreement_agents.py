"""The agents while they are put together: names, strategies, models, behaviours; what is wrong with each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from engine.consensus.config import AgentConfig, ConsensusConfig
from engine.consensus.specs import BUILTIN, HONEST, AgentSpec
from engine.consensus.specs import MAX_AGENTS as MOST
from engine.core.errors import EngineError

MODEL_SUFFIXES = (".pt", ".pth", ".ts")
TUNING = ("learning_rate", "exploration_rate", "memory_size", "update_frequency")
STRATEGIES = (("pure", "Pure"), ("mixed", "Mixed"), ("adaptive", "Adaptive"))


@dataclass(frozen=True, slots=True)
class AgentDraft:
    """An agent of the list; ``key`` names it as long as the window lives."""

    key: int
    name: str
    strategy: str = "mixed"
    model: str = BUILTIN
    behaviour: str = HONEST
    learning_rate: float | None = 0.001
    exploration_rate: float | None = 0.1
    memory_size: int | None = 10_000
    update_frequency: int | None = 10

    def spec(self) -> AgentSpec:
        """Return what the engine wants to know of it. Raises ConsensusError."""
        values = {name: getattr(self, name) for name in TUNING}
        config = AgentConfig.of({"strategy_type": self.strategy, **values})
        return AgentSpec(self.name, config, self.model, self.behaviour)

    @classmethod
    def of(cls, key: int, spec: AgentSpec) -> AgentDraft:
        """Return the draft of an agent."""
        values = {name: getattr(spec.config, name) for name in TUNING}
        return cls(key, spec.name, spec.config.strategy_type, spec.model, spec.behaviour, **values)


@dataclass(frozen=True, slots=True)
class AgentFacts:
    """What is known of an agent's account: stake in wei and reputation are the chain's, None without one."""

    address: str = ""
    stake: int | None = None
    reputation: int | None = None


@dataclass(frozen=True, slots=True)
class AgentList:
    """The agents in order, and those that Undo brings back with their places."""

    agents: tuple[AgentDraft, ...] = ()
    removed: tuple[tuple[int, AgentDraft], ...] = ()
    refused: Mapping[int, str] = field(default_factory=dict)  # by key: why its model file is not taken
    numbers: int = 0

    def with_new(self, count: int = 1, **values: Any) -> AgentList:
        """Return the list with more agents."""
        made, names = [], {agent.name for agent in self.agents}
        for at in range(min(count, MOST - len(self.agents))):
            name = free_name("agent 1", names)
            names.add(name)
            made.append(AgentDraft(self.numbers + at + 1, name, **values))
        return replace(self, agents=(*self.agents, *made), numbers=self.numbers + len(made))

    def with_copies(self, keys: Iterable[int]) -> AgentList:
        """Return the list with copies of agents, each beneath its original."""
        wanted, made, number = set(keys), [], self.numbers
        names = {agent.name for agent in self.agents}
        for agent in self.agents:
            made.append(agent)
            if agent.key in wanted and len(self.agents) + number - self.numbers < MOST:
                number += 1
                name = free_name(agent.name, names)
                names.add(name)
                made.append(replace(agent, key=number, name=name))
        return replace(self, agents=tuple(made), numbers=number)

    def without(self, keys: Iterable[int]) -> AgentList:
        """Return the list without agents; ``restored`` brings them back."""
        gone = set(keys)
        removed = tuple((at, agent) for at, agent in enumerate(self.agents) if agent.key in gone)
        if not removed:
            return self
        return replace(self, agents=tuple(a for a in self.agents if a.key not in gone), removed=removed)

    def restored(self) -> AgentList:
        """Return the list with those back that were removed last, where they stood."""
        agents = list(self.agents)
        back = [agent.name for _, agent in self.removed]
        for at, agent in self.removed:
            taken = {other.name for other in agents}
            name = free_name(agent.name, taken.union(back)) if agent.name in taken else agent.name
            agents.insert(at, replace(agent, name=name))
        return replace(self, agents=tuple(agents), removed=())

    def changed(self, keys: Iterable[int], values: Mapping[str, Any]) -> AgentList:
        """Return the list with values of some agents changed."""
        chosen = set(keys)
        refused = self.refused
        if "model" in values:
            refused = {key: why for key, why in refused.items() if key not in chosen}
        return replace(
            self, agents=tuple(replace(a, **values) if a.key in chosen else a for a in self.agents), refused=refused
        )

    def of(self, name: str) -> AgentDraft | None:
        """Return the agent of a name."""
        return next((agent for agent in self.agents if agent.name == name), None)


def free_name(wanted: str, taken: Iterable[str]) -> str:
    """Return a name that is not taken: the number at its end counts up."""
    names = set(taken)
    if wanted not in names:
        return wanted
    found = re.fullmatch(r"(.*?)\s*(\d+)", wanted)
    stem, number = (found.group(1), int(found.group(2))) if found else (wanted, 1)
    while (name := f"{stem} {number + 1}".strip()) in names:
        number += 1
    return name


def listed_of(specs: Iterable[AgentSpec], numbers: int = 0) -> AgentList:
    """Return agents of a file, or the sample agents of a task, as a list to edit; ``numbers`` keys are used up."""
    agents = tuple(AgentDraft.of(key, spec) for key, spec in enumerate(specs, numbers + 1))
    return AgentList(agents, numbers=numbers + len(agents))


def agent_errors(listed: AgentList) -> dict[int, str]:
    """Return what is wrong with agents, by key."""
    found: dict[int, str] = {}
    seen: set[str] = set()
    for agent in listed.agents:
        if not agent.name:
            found[agent.key] = "It has no name."
        elif agent.name in seen:
            found[agent.key] = f"Another agent is called {agent.name} too."
        elif agent.key in listed.refused:
            found[agent.key] = listed.refused[agent.key]
        else:
            try:
                agent.spec()
            except EngineError as error:
                found[agent.key] = str(error)
        seen.add(agent.name)
    return found


def list_error(listed: AgentList, quorum: int) -> str:
    """Return what is wrong with the list as a whole, "" when it can run."""
    count = len(listed.agents)
    if not count:
        return "There are no agents."
    if count < quorum:
        return f"There are {count} agents, and the quorum is {quorum}."
    wrong = agent_errors(listed)
    if wrong:
        first = next(agent for agent in listed.agents if agent.key in wrong)
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        return f"{first.name or 'An agent'}: {wrong[first.key]}{more}"
    return ""


def model_name(model: str) -> str:
    """Return a model as the table names it: a file by its name, one that came along by its kind."""
    return Path(model).name if model.endswith(MODEL_SUFFIXES) else model.partition(":")[2] or model


def config_errors(values: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with the settings of a round, by field; None stands for what cannot be read."""
    found = {name: "Cannot be read." for name, value in values.items() if value is None}
    for name, value in values.items():
        if value is not None:
            try:
                ConsensusConfig.of({name: value})
            except EngineError as error:
                found[name] = error.why or str(error)
    return found
