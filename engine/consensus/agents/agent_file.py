"""Agents files: who takes part in a round, in JSON or TOML; and who does when no file is given.

JSON: a list of ``{"name": ..., "strategy_type": ..., "model": ...}``, or an object with such a list as ``agents``.
TOML: tables ``[[agents]]`` of the same keys. ``model`` is ``builtin``, or a path seen from the file's folder.
"""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.consensus.config import AgentConfig
from engine.consensus.errors import ConsensusError
from engine.consensus.specs import AgentSpec, check_agents
from engine.consensus.tasks import Task
from engine.core.hashing import parse_json

MAX_BYTES = 1 << 20
MODEL_FILES = (".pt", ".pth", ".ts")
# By kind of task: the family of models, its kinds and their strategies. A pure one would put all on one place.
_MIXED, _ADAPTIVE = "mixed", "adaptive"
_DEFAULTS = {
    "portfolio_allocation": (
        "portfolio",
        {"markowitz": _ADAPTIVE, "parity": _MIXED, "glide": _ADAPTIVE, "income": _MIXED, "equal": _MIXED},
    ),
    "market_prediction": (
        "finance",
        dict.fromkeys(("momentum", "reversion", "volatility", "regression", "network"), _MIXED),
    ),
    "content_moderation": (
        "moderation",
        dict.fromkeys(("letters", "words", "network", "guardian", "advocate", "checker"), _MIXED),
    ),
    "bridge_parameters": (
        "bridge",
        dict.fromkeys(("security", "liquidity", "throughput", "economy", "caution"), _MIXED),
    ),
}
# Of any other task nothing is known: networks with weights by seed, which stand for opinions and know nothing.
_STRANGERS = (
    "builtin",
    {"cautious": _MIXED, "balanced": _ADAPTIVE, "bold": _MIXED, "specialist": _ADAPTIVE, "contrarian": _MIXED},
)


def read_agents(path: Path) -> tuple[AgentSpec, ...]:
    """Return the agents of a file. Raises ConsensusError, which names the agent that is wrong."""
    values = _document(path)
    if isinstance(values, dict):
        unknown = sorted(set(values) - {"agents"})
        if unknown or "agents" not in values:
            why = f"it has {', '.join(map(str, unknown))[:80]}" if unknown else "it has no list named agents"
            raise ConsensusError(f"{path.name} is no agents file", why, "It holds a list of agents.")
        values = values["agents"]
    return tuple(_resolved(agent, path.parent) for agent in agents_of(values, f" of {path.name}"))


def agents_of(values: Any, where: str = "") -> tuple[AgentSpec, ...]:
    """Return the agents of a list of objects. Raises ConsensusError; ``where`` is told after the agent's number."""
    if not isinstance(values, list) or not values:
        raise ConsensusError("There are no agents", f"a list{where} of at least one is needed")
    agents = tuple(_agent(f"Agent {place}{where}", value) for place, value in enumerate(values, 1))
    check_agents(agents)
    return agents


def default_agents(task: Task) -> tuple[AgentSpec, ...]:
    """Return five or six agents that see a task from different sides."""
    family, kinds = _DEFAULTS.get(task.type, _STRANGERS)
    return tuple(
        AgentSpec(kind, AgentConfig(strategy_type=strategy), f"{family}:{kind}") for kind, strategy in kinds.items()
    )


def _document(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConsensusError(f"The agents file {path} cannot be read", error.strerror or repr(error)) from error
    if len(data) > MAX_BYTES:
        raise ConsensusError(f"The agents file {path.name} is too large", f"it may have {MAX_BYTES} bytes")
    toml = path.suffix.lower() == ".toml"
    try:
        return tomllib.loads(data.decode()) if toml else parse_json(data, strict=True)
    except (ValueError, RecursionError) as error:
        kind = "TOML" if toml else "JSON"
        raise ConsensusError(f"The agents file {path.name} is no {kind}", f"{error}"[:200]) from error


def _agent(what: str, value: Any) -> AgentSpec:
    try:
        return AgentSpec.from_json(value)
    except ConsensusError as error:
        raise ConsensusError(f"{what} cannot be used", f"{error.what}: {error.why}", error.next_step) from error


def _resolved(agent: AgentSpec, folder: Path) -> AgentSpec:
    """Return the agent with its model's path seen from the file's folder."""
    if not agent.model.lower().endswith(MODEL_FILES):
        return agent
    try:
        return replace(agent, model=str((folder / Path(agent.model).expanduser()).resolve()))
    except (RuntimeError, OSError) as error:  # ~somebody who is not; links in a circle
        raise ConsensusError(f"The model of {agent.name} cannot be {agent.model!r:.80}", f"{error}"[:200]) from error
