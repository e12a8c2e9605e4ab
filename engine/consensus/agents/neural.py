"""Neural agents with an Ethereum identity: any torch module takes part in a consensus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from engine.consensus.agents.identity import EthereumAgentIdentity, checked_name
from engine.consensus.agents.mind import Mind
from engine.consensus.agents.model_io import usable
from engine.consensus.agents.turns import in_turn
from engine.consensus.config import AgentConfig
from engine.consensus.errors import ConsensusError
from engine.consensus.participants import Proposal, Signer
from engine.consensus.tasks import Task, task_of
from engine.games.games import Floats

if TYPE_CHECKING:
    import torch
    from torch import nn


class TakesPositions(Protocol):
    """What an agent submits its position through: a consensus with a chain."""

    async def submit_position(
        self, agent: EthereumNeuralAgent, position: Floats, task_hash: str, confidence: float
    ) -> dict[str, Any]:
        """Let the agent sign its position (d,), send it, and return the transaction's facts."""
        ...


class EthereumNeuralAgent:
    """An agent of a consensus; it is a :class:`engine.consensus.participants.Participant`.

    ``model`` is any torch module: its input's width is found from its layers or by trial, and of its output a task
    takes the first numbers, one a coordinate. ``config`` is an AgentConfig or a mapping of its keys. Without a CUDA
    device "cuda" means "cpu". ``openness`` and ``seed`` are as in :class:`engine.consensus.agents.mind.Mind`.
    Raises ConsensusError for what cannot be an agent.
    """

    def __init__(
        self,
        agent_id: str,
        model: nn.Module,
        identity: EthereumAgentIdentity,
        device: str = "cuda",
        config: AgentConfig | Mapping[str, Any] | None = None,
        *,
        openness: float | None = None,
        seed: int = 0,
    ) -> None:
        from torch import nn

        self._agent_id = checked_name(agent_id)
        if not isinstance(model, nn.Module):
            raise ConsensusError(f"The model of {agent_id} is no torch module", f"it is a {type(model).__name__}")
        self.model = model
        self.identity = identity
        self.device = usable(device)
        self.config = config if isinstance(config, AgentConfig) else AgentConfig.of(config or {})
        self.mind = Mind(agent_id, model.to(self.device), self.config, self.device, openness=openness, seed=seed)
        self.confidence = 1.0  # of the last proposal

    @property
    def agent_id(self) -> str:
        """Its name."""
        return self._agent_id

    @property
    def strategy(self) -> str:
        """pure, mixed or adaptive."""
        return self.config.strategy_type

    @property
    def signer(self) -> Signer:
        """Its identity, which signs for it."""
        return self.identity

    def to(self, device: str) -> Self:
        """Move the model to a device; return the agent."""
        self.device = usable(device)
        self.mind.runner.to(self.device)
        return self

    async def generate_position(
        self, task: Mapping[str, Any] | Task, current_state: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the position (d,) that the agent wants, having seen the consensus ``current_state`` (d,).

        It has the type of the model's numbers and is on the agent's device. Raises ConsensusError for a task that is
        none or a model that fails; NaN goes through.
        """
        import torch

        known = task if isinstance(task, Task) else task_of(task)
        state = None if current_state is None else current_state.detach().to(device="cpu", dtype=torch.float64).numpy()
        proposal = await self.propose(known, state, 0)
        return torch.tensor(proposal.position, dtype=self.mind.runner.dtype(), device=self.device)

    async def submit_to_blockchain(
        self, position: torch.Tensor, task_hash: str, consensus: TakesPositions
    ) -> dict[str, Any]:
        """Sign a position (d,) and send it through a consensus; return tx_hash, block_number, gas_used and more.

        Raises ConsensusError for what is no position, EngineError for what the chain refuses.
        """
        import torch

        if not isinstance(position, torch.Tensor) or position.ndim != 1 or position.is_complex():
            raise ConsensusError("This is no position to submit", "a position is a tensor (d,) of real numbers")
        vector = position.detach().to(device="cpu", dtype=torch.float64).numpy()
        if not vector.size or not np.isfinite(vector).all():
            raise ConsensusError("This is no position to submit", "it is empty or holds a number that is not finite")
        return await consensus.submit_position(self, vector, task_hash, self.confidence)

    async def propose(self, task: Task, state: Floats | None, iteration: int) -> Proposal:
        """Return its proposal, having seen the consensus of the last iteration (d,). Raises ConsensusError."""
        proposal = await in_turn(self._agent_id, lambda: self.mind.propose(task, state))
        self.confidence = proposal.confidence
        return proposal

    async def learn(self, task: Task, outcome: Floats) -> None:
        """Take in how a task came out (d,); only adaptive agents do. Raises ConsensusError."""
        await in_turn(self._agent_id, lambda: self.mind.learn(task, outcome))
