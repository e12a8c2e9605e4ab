"""What a round is started with: the task, who takes part and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from engine.consensus.config import AgentConfig, ConsensusConfig, shown
from engine.consensus.errors import ConsensusError
from engine.consensus.tasks import Task

HONEST = "honest"
BUILTIN = "builtin"
MAX_AGENTS = 1_024
MAX_NAME = 64


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """An agent: its unique ``name``, how it makes up its mind, and its ``model``, the builtin one or a file's path.

    ``behaviour`` is honest or a key of :data:`engine.consensus.negotiation.byzantine.BEHAVIOURS`.
    """

    name: str
    config: AgentConfig = field(default_factory=AgentConfig)
    model: str = BUILTIN
    behaviour: str = HONEST

    def __post_init__(self) -> None:
        name = self.name
        if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME or not name.isprintable() or name != name.strip():
            raise ConsensusError(
                f"An agent cannot be called {shown(name)}", f"a name is 1 to {MAX_NAME} printable characters"
            )
        for what, value in (("model", self.model), ("behaviour", self.behaviour)):
            if not isinstance(value, str) or not value.isprintable() or not value:
                raise ConsensusError(f"The {what} of {name} cannot be {shown(value)}", "it must be a printable text")

    def to_json(self) -> dict[str, Any]:
        """Return the form that agents files have."""
        return {"name": self.name, **asdict(self.config), "model": self.model, "behaviour": self.behaviour}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what ``to_json`` gives; all but the name may be missing. Raises ConsensusError."""
        if not isinstance(value, Mapping):
            raise ConsensusError("An agent is not described by an object", f"it is {shown(value)}")
        rest = {str(key): item for key, item in value.items()}
        if "name" not in rest:
            raise ConsensusError("An agent has no name", f"what is given is {shown(value)}")
        name, model = rest.pop("name"), rest.pop("model", BUILTIN)
        behaviour = rest.pop("behaviour", HONEST)
        return cls(name, AgentConfig.of(rest), model, behaviour)


@dataclass(frozen=True, slots=True)
class RunSpec:
    """A round to start. ``on_chain`` False leaves the chain out, and so does ``config.hybrid_mode`` False."""

    task: Task
    agents: tuple[AgentSpec, ...]
    config: ConsensusConfig = field(default_factory=ConsensusConfig)
    on_chain: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "agents", tuple(self.agents))
        check_agents(self.agents)
        if len(self.agents) < self.config.quorum:
            raise ConsensusError(
                "There are too few agents",
                f"{len(self.agents)} are given, the quorum is {self.config.quorum}",
                "Add agents, or lower the quorum.",
            )

    @property
    def uses_chain(self) -> bool:
        """Whether the result goes on a chain."""
        return self.on_chain and self.config.hybrid_mode


def check_agents(agents: tuple[AgentSpec, ...]) -> None:
    """Refuse too many agents, and two of one name. Raises ConsensusError."""
    if len(agents) > MAX_AGENTS:
        raise ConsensusError("There are too many agents", f"{len(agents)} of at most {MAX_AGENTS}")
    seen: set[str] = set()
    for agent in agents:
        if agent.name in seen:
            raise ConsensusError("Two agents have one name", f"it is {agent.name!r}", "Give each a name of its own.")
        seen.add(agent.name)
