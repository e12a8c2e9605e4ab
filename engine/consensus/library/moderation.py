"""Content moderation: agents with different models and outlooks agree on what a text violates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from engine.consensus.errors import ConsensusError

if TYPE_CHECKING:
    import torch

    from engine.consensus.agents.neural import EthereumNeuralAgent
    from engine.consensus.library.nash_ethereum import NashEthereumConsensus

POLICIES = ("hate_speech", "violence", "misinformation")
REMOVE, REVIEW = 0.7, 0.5  # scores from which a text is removed, or looked at by a person


async def content_moderation_consensus(
    content: str, *, consensus: NashEthereumConsensus | None = None
) -> dict[str, Any]:
    """Return what moderators decide about a text.

    ``decision`` is what :func:`interpret_consensus` says, ``consensus_strength`` the convergence rate in [0, 1],
    ``agent_votes`` where each agent stands at the equilibrium, tensors (policies,). ``consensus`` is what they agree
    through: by default one with a node at localhost. An empty text is allowed without asking anybody. Raises
    ConsensusError for what is no text, EngineError when the chain cannot be reached.
    """
    from engine.consensus.library.nash_ethereum import NashEthereumConsensus

    if not isinstance(content, str):
        raise ConsensusError("There is no text to moderate", f"what was given is of type {type(content).__name__}")
    if not content.strip():
        return {"decision": interpret_consensus([0.0] * len(POLICIES)), "consensus_strength": 1.0, "agent_votes": {}}
    task = {
        "type": "content_moderation",
        "content": content.encode("utf-8", "replace").decode("utf-8"),
        "policies": list(POLICIES),
    }
    if consensus is None:
        async with NashEthereumConsensus() as own:
            return await content_moderation_consensus(content, consensus=own)
    agents = create_moderation_agents(consensus)
    result = await consensus.orchestrate_consensus(task, agents)
    return {
        "decision": interpret_consensus(result.nash_equilibrium),
        "consensus_strength": result.convergence_rate,
        "agent_votes": result.positions,
    }


def create_moderation_agents(consensus: NashEthereumConsensus | None = None) -> list[EthereumNeuralAgent]:
    """Return the moderators: three models, and three outlooks on them.

    Their accounts are those that ``consensus`` has for their names, else new ones that nobody else knows.
    """
    from engine.consensus.agents.identity import EthereumAgentIdentity
    from engine.consensus.agents.moderation_models import KINDS, model
    from engine.consensus.agents.neural import EthereumNeuralAgent

    identity = EthereumAgentIdentity.create if consensus is None else consensus.create_agent_identity
    device = "cpu" if consensus is None else consensus.device
    return [EthereumNeuralAgent(name, model(name), identity(name), device=device) for name in KINDS]


def interpret_consensus(
    equilibrium: torch.Tensor | Sequence[float] | None, policies: Sequence[str] = POLICIES
) -> dict[str, Any]:
    """Return the decision that scores (policies,) in [0, 1] mean.

    ``action`` is remove, review or allow, by the highest score; ``violations`` are the policies that reach it, the
    worst first; ``scores`` all. Without an equilibrium a person has to look. Raises ConsensusError for another number
    of scores.
    """
    if equilibrium is None:
        return {"action": "review", "violations": [], "scores": {}}
    values = [float(value) for value in equilibrium]
    if len(values) != len(policies):
        raise ConsensusError("The scores do not fit", f"{len(values)} scores for {len(policies)} policies")
    ranked = sorted(zip(policies, values, strict=True), key=lambda pair: -pair[1])
    worst = ranked[0][1]
    action, least = ("remove", REMOVE) if worst >= REMOVE else ("review", REVIEW) if worst >= REVIEW else ("allow", 2.0)
    return {
        "action": action,
        "violations": [name for name, value in ranked if value >= least],
        "scores": dict(zip(policies, values, strict=True)),
    }
