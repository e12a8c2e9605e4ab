"""Participants whose last word is kept, so that one negotiation can be settled in more than one place."""

from __future__ import annotations

from engine.consensus.participants import Participant, Proposal, Signer
from engine.consensus.tasks import Task
from engine.games.games import Floats


class Voice:
    """A participant; what it proposes is kept as ``last``. Once ``settled`` it says that again and learns no more.

    It signs as the participant does: every place has a domain of its own.
    """

    def __init__(self, participant: Participant) -> None:
        self._participant = participant
        self.last: Proposal | None = None
        self.settled = False
        announce = getattr(participant, "announce", None)
        if announce is not None:
            self.announce = announce

    @property
    def agent_id(self) -> str:
        """The participant's name."""
        return self._participant.agent_id

    @property
    def strategy(self) -> str:
        """The participant's strategy."""
        return self._participant.strategy

    @property
    def signer(self) -> Signer:
        """The participant's signer."""
        return self._participant.signer

    async def propose(self, task: Task, state: Floats | None, iteration: int) -> Proposal:
        """Return the participant's proposal, or its last one once settled."""
        if not self.settled or self.last is None:
            self.last = await self._participant.propose(task, state, iteration)
        return self.last

    async def learn(self, task: Task, outcome: Floats) -> None:
        """Let the participant learn, unless it is settled."""
        if not self.settled:
            await self._participant.learn(task, outcome)


class Place:
    """A fixed proposal under a participant's name and signature: a representative in the next level, say."""

    def __init__(self, agent_id: str, strategy: str, signer: Signer, proposal: Proposal) -> None:
        self.agent_id = agent_id
        self.strategy = strategy
        self.signer = signer
        self._proposal = proposal

    async def propose(self, task: Task, state: Floats | None, iteration: int) -> Proposal:
        """Return the proposal."""
        return self._proposal

    async def learn(self, task: Task, outcome: Floats) -> None:
        """Do nothing: there is nothing to learn for."""
