"""What a service holds of rounds that are over: few handles, and of those neither agents nor their models' host."""

from __future__ import annotations

import contextlib
import gc
import weakref
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from engine.chain.wallet import Wallet
from engine.consensus.config import ConsensusConfig
from engine.consensus.rounds.service import ConsensusService
from engine.consensus.specs import AgentSpec, RunSpec
from engine.core.bus import EventBus
from engine.core.errors import EngineError
from engine.core.handles import KEPT
from engine.core.jobs import Jobs
from engine.store.database import Store


async def test_rounds_that_are_over_are_let_go_of_and_stay_in_the_store(
    tmp_path: Path, make_task: Any, make_agent: Any
) -> None:
    held: list[weakref.ref[Any]] = []

    async def no_chain() -> Any:
        raise EngineError("No devnet runs")

    @contextlib.asynccontextmanager
    async def seats(spec: RunSpec, signers: Any) -> AsyncIterator[Any]:
        agents = [make_agent(agent.name, [0.5, 0.5]) for agent in spec.agents]
        held.extend(map(weakref.ref, agents))
        yield agents

    bus, count = EventBus(), KEPT + 4
    jobs = Jobs(bus)
    with contextlib.closing(Store.open(tmp_path / "store.db")) as store:
        service = ConsensusService(store, bus, jobs, Wallet.development(), no_chain, tmp_path, seats=seats)
        agents = tuple(AgentSpec(name) for name in ("ann", "ben", "cleo"))
        for seed in range(count):
            run = await service.start(RunSpec(make_task(2), agents, ConsensusConfig(seed=seed, hybrid_mode=False)))
            assert (await run.result()).converged
        assert len(service.runs()) == count
        newest = [record.run_id for record in service.runs()]
        assert [service.run(number) is not None for number in newest] == [True] * (KEPT + 1) + [False] * 3
        gc.collect()
        assert len(held) == 3 * count and not any(one() for one in held)
        await service.close()
    await jobs.close()
