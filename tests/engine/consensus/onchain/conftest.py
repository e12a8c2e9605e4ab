"""Rounds on a real Anvil, with agents of a few lines instead of models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engine.chain.bindings import Call
from engine.chain.control import NodeControl
from engine.chain.rpc import hex_data
from engine.chain.session import Chain
from engine.consensus.config import AgentConfig, ConsensusConfig
from engine.consensus.participants import Proposal, Signer
from engine.consensus.rounds.service import AgentSpec, ConsensusService, RunSpec
from engine.consensus.tasks import Task, task_of
from engine.core.hashing import keccak
from engine.core.paths import DataDir

if TYPE_CHECKING:
    from engine.runtime import Runtime

NAMES = ("ann", "ben", "cleo", "dan", "eve")


class StandIn:
    """An agent whose ideal follows from its name, near that of the others."""

    strategy = "pure"

    def __init__(self, name: str, signer: Signer) -> None:
        self.agent_id = name
        self.signer = signer

    async def propose(self, task: Task, state: Any, iteration: int) -> Proposal:
        rng = np.random.default_rng(list(keccak(self.agent_id.encode())))
        ideal = rng.dirichlet(np.full(task.dims, 30.0))
        return Proposal(ideal, float(rng.uniform(0.3, 1.0)))

    async def learn(self, task: Task, outcome: Any) -> None:
        """Learn nothing."""


@asynccontextmanager
async def seats(spec: RunSpec, signers: Mapping[str, Signer]) -> AsyncIterator[Sequence[StandIn]]:
    yield [StandIn(agent.name, signers[agent.name]) for agent in spec.agents]


def spec_of(
    names: Sequence[str] = NAMES,
    *,
    title: str = "split",
    on_chain: bool = True,
    behaviours: Mapping[str, str] | None = None,
    **config: Any,
) -> RunSpec:
    parameters = {"total_amount": 1000, "risk_tolerance": "moderate", "investment_horizon": "5_years"}
    task = task_of({"type": "portfolio_allocation", "title": title, "parameters": parameters})
    agents = tuple(
        AgentSpec(name, AgentConfig(strategy_type="pure"), behaviour=(behaviours or {}).get(name, "honest"))
        for name in names
    )
    return RunSpec(task, agents, ConsensusConfig(**config), on_chain=on_chain)


def with_stand_ins(runtime: Runtime) -> ConsensusService:
    """Give a runtime a service whose agents are stand-ins."""
    r = runtime
    r.consensus = ConsensusService(r.store, r.bus, r.jobs, r.wallet, r.chain, r.data.devnet, seats=seats)
    return r.consensus


@asynccontextmanager
async def runtime_at(folder: Path, *, node: bool = True) -> AsyncIterator[Runtime]:
    from engine.runtime import Runtime  # half of what a victim of the kill tests would have to import

    async with await Runtime.open(DataDir.open(folder)) as runtime:
        with_stand_ins(runtime)
        if node:
            await runtime.devnet.up()
        yield runtime


async def send(chain: Chain, sender: str, call: Call, value: int = 0) -> dict[str, Any]:
    """Send a call from one of the node's own accounts, past the outbox, and return its receipt."""
    fields = {"from": sender, "to": call.to, "data": hex_data(call.data), "value": hex(value), "gas": hex(15_000_000)}
    digest = await chain.rpc.request("eth_sendTransaction", fields)
    for _ in range(200):
        receipt = await chain.rpc.request("eth_getTransactionReceipt", digest)
        if receipt is not None:
            assert int(receipt["status"], 16) == 1
            return dict(receipt)
        await asyncio.sleep(0.02)
        await NodeControl(chain.rpc).nudge()  # automine may miss a wake-up
    raise AssertionError("the node does not mine")


@pytest.fixture(name="send")
def _send() -> Callable[..., Awaitable[dict[str, Any]]]:
    return send


@pytest.fixture(name="runtime_at")
def _runtime_at() -> Callable[..., AbstractAsyncContextManager[Runtime]]:
    return runtime_at


@pytest.fixture(name="spec_of")
def _spec_of() -> Callable[..., RunSpec]:
    return spec_of


@pytest.fixture
def stand_ins() -> type[StandIn]:
    return StandIn
