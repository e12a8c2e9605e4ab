"""One model that hangs, or wants to end the program, costs the others nothing."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest
import torch
from torch import nn

from engine.consensus.agents.identity import EthereumAgentIdentity
from engine.consensus.agents.neural import EthereumNeuralAgent
from engine.consensus.agents.turns import in_turn
from engine.consensus.config import ConsensusConfig
from engine.consensus.errors import ConsensusError
from engine.consensus.rounds.protocol import reach_consensus
from engine.consensus.tasks import task_of

TASK = task_of({"type": "custom", "labels": ["a", "b", "c"]})


class Hangs(nn.Module):
    def __init__(self, until: threading.Event) -> None:
        super().__init__()
        self.until = until

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.until.wait()
        return torch.zeros(3)


class Exits(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise SystemExit(3)


def agent_of(name: str, model: nn.Module) -> EthereumNeuralAgent:
    return EthereumNeuralAgent(name, model, EthereumAgentIdentity.create(name), "cpu")


async def test_only_the_models_that_hang_are_silent() -> None:
    until = threading.Event()
    honest = [agent_of(f"honest {place}", nn.Linear(8, 3)) for place in range(20)]
    hanging = [agent_of(f"hangs {place}", Hangs(until)) for place in range(9)]  # more than a loop has threads
    try:
        result = await reach_consensus(TASK, [*hanging, *honest], ConsensusConfig(answer_timeout=10.0))
    finally:
        until.set()
    assert set(result.agents) == {agent.agent_id for agent in honest}
    assert {verdict.agent for verdict in result.verdicts} == {agent.agent_id for agent in hanging}
    assert {verdict.reason for verdict in result.verdicts} == {"silent"}


async def test_a_model_that_ends_the_program_has_failed() -> None:
    agents = [agent_of("exits", Exits()), *(agent_of(f"honest {place}", nn.Linear(8, 3)) for place in range(3))]
    result = await reach_consensus(TASK, agents, ConsensusConfig())
    assert [(verdict.agent, verdict.reason) for verdict in result.verdicts] == [("exits", "failed")]
    assert "SystemExit" in result.verdicts[0].detail


async def test_quick_models_take_turns() -> None:
    at_work = most = 0

    def call() -> None:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        at_work -= 1

    await asyncio.gather(*(in_turn(str(place), call) for place in range(50)))
    assert most == 1
    with pytest.raises(ConsensusError, match="own words"):
        await in_turn("a", lambda: (_ for _ in ()).throw(ConsensusError("own words")))


def test_a_model_that_hangs_for_ever_does_not_keep_the_program() -> None:
    program = """
import asyncio, threading
from engine.consensus.agents.turns import in_turn
async def main():
    try:
        await asyncio.wait_for(in_turn("a", threading.Event().wait), 0.1)
    except TimeoutError:
        print("left")
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("left\n", "")
