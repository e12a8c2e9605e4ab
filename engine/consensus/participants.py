"""What a round of consensus asks of an agent, wherever the agent runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from engine.consensus.messages import Domain, PositionMessage
from engine.consensus.tasks import Task
from engine.games.games import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """Where an agent wants the consensus to be: a position (d,), and how sure it is, in (0, 1]."""

    position: Floats
    confidence: float = 1.0


class Signer(Protocol):
    """Who signs for an agent; keys stay behind it."""

    @property
    def address(self) -> str:
        """The checksummed address."""
        ...

    def sign(self, message: PositionMessage, domain: Domain) -> bytes:
        """Return the 65-byte EIP-712 signature."""
        ...


class Participant(Protocol):
    """An agent as the protocol sees it."""

    @property
    def agent_id(self) -> str:
        """Its name, unique in the round."""
        ...

    @property
    def strategy(self) -> str:
        """pure, mixed or adaptive."""
        ...

    @property
    def signer(self) -> Signer:
        """Who signs for it."""
        ...

    async def propose(self, task: Task, state: Floats | None, iteration: int) -> Proposal:
        """Return its proposal, having seen the consensus of the last iteration (d,), None in the first."""
        ...

    async def learn(self, task: Task, outcome: Floats) -> None:
        """Take in how a task came out: the truth where it is known, else the consensus (d,)."""
        ...
