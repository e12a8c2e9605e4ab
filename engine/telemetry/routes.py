"""The JSON interface: the state of the devnet, rounds of consensus, starting and verifying them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from engine.core.errors import UsageError
from engine.telemetry.server import Routes

if TYPE_CHECKING:
    from engine.chain.anvil import Devnet
    from engine.consensus.rounds.service import ConsensusService
    from engine.learning.service.service import LearnService


def routes_of(devnet: Devnet, consensus: ConsensusService, learning: LearnService) -> Routes:
    """Return the answers by method and path."""

    async def status(_: Any) -> Any:
        return {"devnet": asdict(await devnet.refresh())}

    async def runs(_: Any) -> Any:
        return [record.to_json() for record in consensus.runs()]

    async def start(request: Mapping[str, Any]) -> Any:
        run = await consensus.start(_spec(request["body"]))
        return {
            "run_id": run.run_id,
            "task_hash": "0x" + run.task_hash.hex(),
        }  # of this round, not of every round of the task

    async def verify(request: Mapping[str, Any]) -> Any:
        return (await consensus.verify(request["task_hash"])).to_json()

    async def learning_runs(_: Any) -> Any:
        return [record.to_json() for record in learning.runs()]

    async def learn(request: Mapping[str, Any]) -> Any:
        return {"run_id": (await learning.start(_learn_spec(request["body"]))).run_id}

    return {
        ("GET", "/api/learning/runs"): learning_runs,
        ("POST", "/api/learning/runs"): learn,
        ("GET", "/api/status"): status,
        ("GET", "/api/consensus/runs"): runs,
        ("POST", "/api/consensus/runs"): start,
        ("GET", "/api/consensus/runs/{task_hash}/verification"): verify,
    }


def _spec(body: Any) -> Any:
    """Return the run that a request asks for: a task's document, with agents, config and on_chain as in the files."""
    from engine.consensus.agents.agent_file import agents_of, default_agents
    from engine.consensus.config import ConsensusConfig
    from engine.consensus.rounds.service import RunSpec
    from engine.consensus.tasks import task_of

    if not isinstance(body, dict) or not isinstance(body.get("task"), dict):
        raise UsageError("The request needs a task", "its body is an object with the task's document under 'task'")
    unknown = set(body) - {"task", "agents", "config", "on_chain"}
    if unknown:
        raise UsageError(f"The request has an unknown key {min(unknown)!r}", "known are task, agents, config, on_chain")
    task = task_of(body["task"])
    config = body.get("config", {})
    on_chain = body.get("on_chain", True)
    if not isinstance(config, dict) or not isinstance(on_chain, bool):
        raise UsageError("The request does not fit", "config must be an object and on_chain true or false")
    agents = agents_of(body["agents"]) if "agents" in body else default_agents(task)
    return RunSpec(task, agents, ConsensusConfig.of(config), on_chain=on_chain)


def _learn_spec(body: Any) -> Any:
    """Return the run of the learning chain that a request asks for: a scenario's name and settings beside it."""
    from engine.learning.service.specs import LearnSpec

    if not isinstance(body, dict) or not isinstance(body.get("scenario"), str):
        raise UsageError("The request needs a scenario", "its body is an object with a name under 'scenario'")
    unknown = set(body) - {"scenario", "settings"}
    if unknown:
        raise UsageError(f"The request has an unknown key {min(unknown)!r}", "known are scenario and settings")
    settings = body.get("settings", {})
    # A path would let whoever may start a run read files.
    if not isinstance(settings, dict) or body["scenario"].endswith(".toml"):
        raise UsageError("The request does not fit", "settings must be an object and the scenario a name")
    return LearnSpec(body["scenario"], settings)
