"""Consensus in levels: groups agree, their representatives agree, and so on to the top.

``agents[level]`` are a level's agents: one group of them, or a list of groups. Above the bottom, the first agents of a
level (in order, through its groups) represent the groups below, the first the first: the equilibrium of a group is its
representative's ideal point, the group's mean confidence its confidence. Agents beyond them speak for themselves. A
level that is left out is one group, led by the first agent of each group below.

Every representative counts as one agent. Where all confidences and weights are equal, a consensus is the mean of the
ideals; so the top is the consensus of all agents of the bottom at once exactly where the groups of each level are
equally large. Else each group counts alike, whatever its size: a mean of means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from engine.consensus.errors import ConsensusError
from engine.consensus.library.nash_ethereum import NashEthereumConsensus
from engine.consensus.negotiation.voices import Place
from engine.consensus.participants import Participant, Proposal
from engine.consensus.state import NashEthereumState
from engine.consensus.tasks import Task, task_of

if TYPE_CHECKING:
    from engine.consensus.agents.identity import EthereumAgentIdentity

Group = list[Participant]
Level = Sequence[Participant] | Sequence[Sequence[Participant]]
MAX_LEVELS = 16


@dataclass(eq=False)
class HierarchicalState(NashEthereumState):
    """The state of the top, and in ``levels`` those of all groups, level by level."""

    levels: list[list[NashEthereumState]] = field(default_factory=list)


class HierarchicalConsensus:
    """Consensus in ``levels``, each with a layer of its own in ``consensus_layers``; an async context manager.

    Settings go by name to every layer's :class:`NashEthereumConsensus`: without a ``folder`` each level has contracts
    of its own. Raises ConsensusError for what cannot be used.
    """

    def __init__(self, levels: int = 3, **settings: Any) -> None:
        if isinstance(levels, bool) or not isinstance(levels, int) or not 1 <= levels <= MAX_LEVELS:
            raise ConsensusError(f"There cannot be {levels!r:.40} levels", f"their number is 1 to {MAX_LEVELS}")
        self.levels = levels
        self.consensus_layers = [NashEthereumConsensus(**settings) for _ in range(levels)]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all layers."""
        for layer in self.consensus_layers:
            await layer.close()

    def create_agent_identity(self, agent_id: str) -> EthereumAgentIdentity:
        """Return the identity of an agent, the same in all layers. Raises ConsensusError for a bad name."""
        made = [layer.create_agent_identity(agent_id) for layer in self.consensus_layers]
        return made[0]

    async def hierarchical_consensus(
        self, task: Mapping[str, Any] | Task, agents: Sequence[Level] | Mapping[int, Level]
    ) -> HierarchicalState:
        """Let level after level agree, from the bottom up, and return what the top agreed on.

        A group that came to no result is left out. Raises ConsensusError for agents that do not fit the levels, and
        where too few groups of a level came to a result; EngineError when the chain cannot be reached.
        """
        known = task if isinstance(task, Task) else task_of(task)
        plan = self._plan(agents)
        below: list[NashEthereumState] = []
        done: list[list[NashEthereumState]] = []
        for layer, groups in zip(self.consensus_layers, plan, strict=True):
            seated = _seated(groups, below)
            below = [await layer.orchestrate_consensus(known, group) for group in seated]
            done.append(below)
            reached = sum(state.nash_equilibrium is not None for state in below)
            if not reached:
                raise ConsensusError(f"Level {len(done)} came to no result", "; ".join(s.message for s in below)[:500])
        return HierarchicalState(**vars(below[0]), levels=done)

    def _plan(self, agents: Sequence[Level] | Mapping[int, Level]) -> list[list[Group]]:
        """Return the groups of each level. Raises ConsensusError where they do not fit one another."""
        given = dict(agents) if isinstance(agents, Mapping) else dict(enumerate(agents))
        if any(level not in range(self.levels) for level in given):
            raise ConsensusError("The agents do not fit the levels", f"there are {self.levels}, 0 is the lowest")
        plan: list[list[Group]] = []
        for level in range(self.levels):
            groups = _groups(given.get(level, []))
            if not groups and plan:
                groups = [[group[0] for group in plan[-1]]]
            self._require_fit(level, groups, len(plan[-1]) if plan else 0)
            plan.append(groups)
        if len(plan[-1]) > 1:
            raise ConsensusError("The top has more than one group", f"it has {len(plan[-1])}, and no level joins them")
        return plan

    def _require_fit(self, level: int, groups: list[Group], below: int) -> None:
        least = self.consensus_layers[level].config.quorum
        smallest = min((len(group) for group in groups), default=0)
        if smallest < least:
            raise ConsensusError(
                f"Level {level + 1} has a group of {smallest}",
                f"a consensus needs {least}",
                "Take fewer levels, or more groups in the level below.",
            )
        if sum(map(len, groups)) < below:
            raise ConsensusError(
                f"Level {level + 1} cannot represent the level below",
                f"it has {sum(map(len, groups))} agents for {below} groups",
            )


def _groups(level: Level) -> list[Group]:
    """Return a level's agents as groups."""
    members: list[Any] = list(level)
    if any(isinstance(member, list | tuple) for member in members):
        if not all(isinstance(member, list | tuple) for member in members):
            raise ConsensusError("A level mixes agents and groups", "it holds either agents or lists of agents")
        return [list(member) for member in members]
    return [members] if members else []


def _seated(groups: list[Group], below: list[NashEthereumState]) -> list[Group]:
    """Return the groups with the first agents in the places of the groups ``below``, but for groups without result."""
    results = iter(below)
    seated: list[Group] = []
    for group in groups:
        seats: Group = []
        for agent in group:
            state = next(results, None)
            if state is None:
                seats.append(agent)
            elif state.result is not None and state.result.agents:
                found = state.result
                proposal = Proposal(found.equilibrium, float(found.confidences.mean()))
                seats.append(Place(agent.agent_id, agent.strategy, agent.signer, proposal))
        seated.append(seats)
    return seated
