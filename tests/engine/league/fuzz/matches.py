"""Random matches by number: on the Systems shipped and on changed ones that the gate still admits, between agents of
the game, agents of other games, and generated ones."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache

from campaign import samples
from mutations import mutate
from smith import Smith
from source import Source

from engine.league.gate import AgentImage, SyncGate, SystemImage
from engine.league.match import MatchRequest

GENERATED, CHANGED = 400, 160
FEW_STEPS = 8  # of a changed System, which may spend all of its gas in each
BUDGETS = (300, 3_000, 20_000, 60_000, 400_000)


class Matches:
    """What can play, admitted once; ``request`` gives the match of a number."""

    def __init__(self, gate: SyncGate) -> None:
        self._systems: list[SystemImage] = []
        self._agents: dict[str, list[AgentImage]] = {}
        for title, data, kind in samples():
            folder, _, rest = title.partition("/")
            if folder == "systems":
                self._systems.append(gate.check(data, kind, title).system())
            elif folder == "agents":
                self._agents.setdefault(rest.partition("/")[0], []).append(gate.check(data, kind, title).agent())
        changed = [gate.check(data, "system") for data in _changed()]
        self._changed = [_short(verdict.system()) for verdict in changed if verdict.accepted]
        self._generated = [verdict.agent() for verdict in map(gate.check, _generated()) if verdict.accepted]

    def request(self, number: int) -> MatchRequest:
        """Return the match that a number stands for."""
        rng = random.Random(f"match {number}")
        system = rng.choice(self._systems if rng.random() < 0.9 else self._changed)
        agents = tuple(self._agent(rng, system.spec.id) for _ in range(system.spec.seats))
        params = rng.choice(system.spec.presets).params if system.spec.presets else {}
        return MatchRequest(system, agents, rng.getrandbits(64), rng.choice(BUDGETS), params=params)

    def _agent(self, rng: random.Random, game: str) -> AgentImage:
        way = rng.random()
        if way < 0.2:
            return rng.choice(self._generated)
        if way < 0.28 or game not in self._agents:
            return rng.choice(self._agents[rng.choice(sorted(self._agents))])
        return rng.choice(self._agents[game])


def _short(system: SystemImage) -> SystemImage:
    return replace(system, spec=system.spec.model_copy(update={"max_steps": FEW_STEPS}))


@cache
def _changed() -> tuple[bytes, ...]:
    systems = [data for title, data, kind in samples() if kind == "system" and len(data) < 10_000]
    sources = (Source.seeded(2 * 10**9 + number) for number in range(CHANGED))
    return tuple(mutate(source, systems[number % len(systems)]) for number, source in enumerate(sources))


@cache
def _generated() -> tuple[bytes, ...]:
    return tuple(Smith(Source.seeded(10**9 + number)).module() for number in range(GENERATED))
